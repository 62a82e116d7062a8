"""How many workers there may be, and when."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from devbridge.constructs import App, Fargate, Job, Workers
from devbridge.errors import InvalidValue


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        (Workers(min=-1), "Workers: min -1 is not allowed"),
        (Workers(max=0), "max 0 is not allowed | allowed: a whole number from 1 to 1000"),
        (Workers(max=True), "max True"),
        (Workers(per_worker=0), "per_worker 0"),
        (Workers(min=6), "min 6 with max 5 is not allowed | allowed: min not above max"),
        (Workers, "Fargate(workers=Workers) is not allowed | allowed: as workers, Workers(min=0"),
        (3, "Fargate(workers=3) is not allowed | allowed: as workers, Workers(min=0, max=5"),
    ],
)
def test_what_cannot_be_is_refused(app: App, workers: Any, said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler="jobs/a.handler", compute=Fargate(workers=workers))
    assert said in f"{caught.value.what} | {caught.value.remedy}"


def test_a_command_cannot_be_told_of_messages(app: App) -> None:
    from devbridge.constructs import Container

    (app.root / "render").mkdir()
    (app.root / "render" / "Dockerfile").write_text("FROM scratch\n")
    given: Any = {"runtime": "container", "container": Container("render", cmd=["./run"])}
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", compute=Fargate(workers=Workers()), **given)
    assert "only with a handler" in str(caught.value.remedy)


def test_there_is_a_task_for_each_so_many_messages() -> None:
    assert list(Workers(max=3, per_worker=10).steps()) == [(1, 1), (11, 2), (21, 3)]
    assert list(Workers(max=1, per_worker=5).steps()) == [(1, 1)]


@pytest.mark.parametrize("most", [20, 21, 41, 999, 1000])
def test_there_are_no_more_steps_than_aws_takes_and_never_fewer_tasks_than_asked(most: int) -> None:
    steps = list(Workers(max=most, per_worker=3).steps())
    assert len(steps) <= 20
    assert steps[-1][1] == most
    for (first, tasks), (following, _) in itertools.pairwise(steps):
        assert first <= following - 1 <= tasks * 3
