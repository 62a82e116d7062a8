"""What runs jobs, by what they call it."""

from __future__ import annotations

import re
from pathlib import Path

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.constructs.compute import CodeBuild, Compute, Fargate
from devbridge.deploy import kinds
from devbridge.deploy.synth.compute.known import COMPUTES, compute_of, grouped, made_types

DEPLOY = Path(kinds.__file__).parent


def test_there_is_one_for_each_that_a_job_may_name() -> None:
    assert {each.name for each in COMPUTES} == {each.name for each in Compute.__args__}


def test_jobs_are_grouped_by_what_runs_them(root: Path) -> None:
    with loading(root):
        app = App("demo")
        first = Job(app, "one", handler="jobs/a.handler", compute=Fargate())
        second = Job(app, "two", handler="jobs/a.handler")
        third = Job(app, "three", handler="jobs/a.handler", compute=Fargate(spot=True))
    assert compute_of(second).name == CodeBuild.name
    found = [(compute.name, jobs) for compute, jobs in grouped([first, second, third])]
    assert found == [("codebuild", [second]), ("fargate", [first, third])]


def test_what_jobs_become_is_known_to_plans_once_each() -> None:
    types = [each.name for each in made_types()]
    assert len(types) == len(set(types))
    for each in made_types():
        assert kinds.resource_type(each.name) is each


def test_nobody_outside_of_this_room_asks_what_a_job_runs_in() -> None:
    asking = re.compile(r"compute(?:\.name)? (?:==|is)|isinstance\([^)]*compute")
    found = {
        path.relative_to(DEPLOY).as_posix()
        for path in DEPLOY.rglob("*.py")
        if asking.search(path.read_text("utf-8"))
    }
    assert all(path.startswith("synth/compute/") for path in found)
