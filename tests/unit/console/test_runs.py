from __future__ import annotations

import pytest

from devbridge.console import model, runs
from devbridge.errors import InvalidValue
from devbridge.runs.base import Wanted
from devbridge.runs.model import State

from .stages import Stage


def test_what_a_query_leaves_out_is_any() -> None:
    assert runs.wanted(model.RunsWanted()) == Wanted()
    asked = model.RunsWanted(
        job="a", state="failed,CRASHED", since=1.0, until=2.0, trigger="queue q", text="x"
    )
    assert runs.wanted(asked) == Wanted(
        job="a",
        states=(State.FAILED, State.CRASHED),
        since=1.0,
        until=2.0,
        trigger="queue q",
        text="x",
    )
    with pytest.raises(InvalidValue, match="'LAZY' is no state"):
        runs.wanted(model.RunsWanted(state="LAZY"))


@pytest.mark.parametrize(("limit", "got"), [(-1, 1), (0, 1), (2, 2), (10**9, 3)])
def test_a_page_has_at_least_one_run_and_not_all(stage: Stage, limit: int, got: int) -> None:
    for _ in range(3):
        stage.add()
    with stage.subject.runs() as (found, deployed):
        assert not deployed
        assert len(runs.page(found, model.RunsWanted(limit=limit), deployed=False).runs) == got


def test_rows_of_runs_that_are_forgotten_are_left_out(stage: Stage) -> None:
    run_id = stage.add()
    with stage.subject.runs() as (found, _):
        told = runs.rows(found, [run_id, "ffffffff-0000-4000-8000-000000000001"])
    assert {key: row.id for key, row in told.items()} == {run_id: run_id}


def logged(stage: Stage, **asked: object) -> tuple[list[str], str | None]:
    with stage.subject.runs() as (found, _):
        page = runs.page(found, model.RunsWanted(**asked), deployed=False)  # type: ignore[arg-type]
        assert page.total is None
        return [row.id for row in page.runs], page.after


def test_runs_are_found_by_what_they_have_printed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    padding = b"x" * (1 << 16)
    one = stage.add(log=padding[:-3] + b"The Needle\n")
    stage.add(log=b"nothing\n")
    stage.add()
    two = stage.add(State.FAILED, log=b"a needle\n")
    assert logged(stage, log="needle") == ([two, one], None)
    assert logged(stage, log="NEEDLE", state="FAILED") == ([two], None)
    monkeypatch.setattr(runs, "_AT_ONCE", 1)
    found, after = logged(stage, log="needle", limit=1)
    assert (found, after) == ([two], two)
    monkeypatch.setattr(runs, "PATIENCE", -1.0)
    empty, after = logged(stage, log="needle", after=after)
    assert empty == []
    assert after is not None, "it goes on when it is asked again"
