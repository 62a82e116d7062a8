"""A job moves to another place: what the plan says, and what stays."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.constructs.compute import Batch, CodeBuild, Compute, Fargate, Lambda
from devbridge.deploy import kinds
from devbridge.deploy.changes import Change, changes_of, difference
from devbridge.deploy.moves import moved
from devbridge.deploy.plan import Plan
from devbridge.deploy.plan_text import lines
from tests.unit.deploy.templates import allowed, made

EACH: list[Compute] = [CodeBuild(), Batch(), Fargate(), Lambda()]


def template(root: Path, compute: Compute, **options: Any) -> Any:
    with loading(root):
        app = App("demo")
        Job(app, "a", handler="jobs/a.handler", compute=compute, timeout="10 minutes", **options)
    return made(app, mode="deployed")


def plan(root: Path, old: Compute, new: Compute) -> list[Change]:
    before, after = template(root, old), template(root, new)
    old_body, new_body = json.loads(before.body), json.loads(after.body)
    items = difference(old_body, new_body)
    labels = {**before.labels, **after.labels}
    return [*changes_of(items, old_body, new_body, labels)]


@pytest.mark.parametrize(
    ("old", "new"), [*itertools.permutations(EACH, 2)], ids=lambda each: each.name
)
def test_the_plan_says_why_and_replaces_nothing(old: Compute, new: Compute, root: Path) -> None:
    changes = plan(root, old, new)
    why = f"compute changes from {old.name} to {new.name}: "
    main = [each for each in changes if each.reason.startswith(why)]
    assert {each.action for each in main} == {"add", "remove"}
    assert [each for each in changes if each.action == "replace"] == []
    assert not [each for each in changes if each.data]
    touched = {each.logical_id for each in changes if each.action in ("add", "remove")}
    assert not touched & {"AJobRole", "AJobLogs", "AJobInvoker", "InvokerRole", "InvokerLogs"}
    assert any(why in line for line in lines(Plan("stack", "", False, tuple(changes))))


def test_what_an_older_devbridge_has_deployed_runs_in_its_default() -> None:
    old: Any = {"I": {"Properties": {"Environment": {"Variables": {"DEVBRIDGE_PROJECT": "p"}}}}}
    new: Any = json.loads(json.dumps(old))
    new["I"]["Properties"]["Environment"]["Variables"]["DEVBRIDGE_COMPUTE"] = "codebuild"
    assert moved(old, new, {}) == {}
    new["I"]["Properties"]["Environment"]["Variables"]["DEVBRIDGE_COMPUTE"] = "batch"
    assert [*moved(old, new, {"I": "Job 'a'"})] == ["Job 'a'"]


def test_a_change_of_its_size_is_no_move(root: Path) -> None:
    changes = plan(root, Fargate(), Fargate(memory="4 GB"))
    assert {each.action for each in changes} == {"change"}
    assert "AJobTask" in {each.logical_id for each in changes}


@pytest.mark.parametrize("compute", EACH[1:], ids=lambda each: each.name)
def test_runs_from_before_can_still_be_read_and_stopped(compute: Compute, root: Path) -> None:
    found = allowed(template(root, compute), "InvokerRole")
    (project,) = found["codebuild:BatchGetBuilds"]
    assert project["Fn::Sub"].endswith(":project/demo_dev_a")
    assert found["codebuild:StopBuild"] == [project]
    assert "codebuild:StartBuild" not in found


def test_the_next_revision_of_a_definition_replaces_nothing() -> None:
    assert kinds.resource_type("AWS::ECS::TaskDefinition").revised
    assert not kinds.resource_type("AWS::ECS::Cluster").revised


def test_no_id_becomes_one_of_another_type(root: Path) -> None:
    """CloudFormation refuses that."""
    types: dict[str, str] = {}
    for compute in EACH:
        body = json.loads(template(root, compute, concurrency=1).body)
        for name, resource in body["Resources"].items():
            assert types.setdefault(name, resource["Type"]) == resource["Type"], name
