from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.daemon.jobs import Deployment, Jobs
from devbridge.runs.model import JobSpec
from tests.integration.functions import function


def spec(name: str) -> JobSpec:
    return JobSpec(name, "a.handler", 60, 3072, "arn:aws:iam::1:role/job", {})


def test_jobs_are_found_by_name_in_the_order_of_the_app() -> None:
    jobs = Jobs([spec("b"), spec("a")])
    assert list(jobs) == ["b", "a"]
    assert jobs["a"] == spec("a")
    assert (len(jobs), "c" in jobs, jobs.get("c")) == (2, False, None)


def test_they_are_a_value_that_nobody_can_change() -> None:
    specs = [spec("a")]
    jobs = Jobs(specs)
    specs.append(spec("b"))
    assert jobs == Jobs([spec("a")])
    assert jobs != Jobs([spec("b")])
    with pytest.raises(TypeError):
        jobs["b"] = spec("b")  # type: ignore[index]


def test_a_deployment_of_which_nothing_else_is_said_is_whole_and_newer_than_any_file() -> None:
    deployment = Deployment(Jobs(), frozenset({Path("app.py")}))
    assert deployment.whole
    assert deployment.loaded == float("inf")


def test_jobs_and_functions_are_told_apart_where_they_are_mixed() -> None:
    same = function("a")
    deployment = Deployment(Jobs([spec("a")]), functions={"a": same})
    assert deployment.codes == {"a": spec("a"), "a()": same}
