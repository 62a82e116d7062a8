"""What a request may have started is shown after the request's line."""

from __future__ import annotations

import time

import pytest

from devbridge.daemon import lines
from devbridge.daemon.after_requests import MOST_KEPT
from devbridge.daemon.request_listener import SHORT
from devbridge.daemon.told import (
    Began,
    Ended,
    Gone,
    NeverStarted,
    Printed,
    Requested,
    Told,
    Waits,
    Who,
)
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from tests.unit.daemon.test_request_listener import ASKED, BAR, OTHER, Shown, answered

WHO = Who("a-1", "a", "r1")
BEGAN = Began(WHO, 1, 1, b"5")
RUN = RunRecord(
    job_id="r1",
    job="a",
    state=State.SUCCEEDED,
    created_at=1.0,
    started_at=2.0,
    ended_at=3.5,
    log="/app/a-r1.log",
    result=b"120",
)
ENDED = Ended(WHO, Change(job_id="r1", state=State.SUCCEEDED, at=3.5), RUN)
REQUEST = f"{BAR}POST /a 202 14ms"


@pytest.fixture
async def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown(monkeypatch)


async def test_a_run_comes_after_the_request_that_may_have_started_it(shown: Shown) -> None:
    assert shown(ASKED, BEGAN, Printed(WHO, b"one\n")) == []
    assert shown(answered()) == [REQUEST, "|  r1  Invoke a 5", "|  r1  +0ms    one"]
    assert shown(Printed(WHO, b"two\n")) == ["|  r1  +0ms    two"]


async def test_it_waits_no_longer_than_the_requests_line(shown: Shown) -> None:
    shown(ASKED, BEGAN, Printed(WHO, b"one\n"))
    assert shown.after(SHORT) == [f"{BAR}POST /a", "|  r1  Invoke a 5", "|  r1  +0ms    one"]
    assert shown(Printed(WHO, b"two\n"), answered()) == ["|  r1  +0ms    two", REQUEST]


async def test_what_a_failing_request_has_told_is_of_a_piece(shown: Shown) -> None:
    shown(ASKED, Printed(ASKED.who, b"odd\n"), BEGAN, Printed(WHO, b"one\n"))
    assert shown(answered()) == [
        REQUEST,
        f"{BAR}+0ms    odd",
        "|  r1  Invoke a 5",
        "|  r1  +0ms    one",
    ]


async def test_a_run_that_is_over_meanwhile_is_one_line_all_the_same(shown: Shown) -> None:
    shown(ASKED, BEGAN, ENDED, Gone(WHO))
    assert shown(answered()) == [REQUEST, "|  r1  Invoke a 5  Done took 1.50s, result 120"]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Waits("r1", "a", 2, own=False), "Waiting"),
        (NeverStarted(Change(job_id="r1", state=State.CANCELLED, at=3.5), RUN, b"5"), "log"),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_so_does_one_that_no_worker_has(shown: Shown, event: Told, line: str) -> None:
    assert shown(ASKED, event) == []
    first, *rest = shown(answered())
    assert first == REQUEST
    assert any(line in each for each in rest)


async def test_runs_that_began_before_it_are_not_held_up(shown: Shown) -> None:
    shown(BEGAN)
    assert shown(ASKED, Printed(WHO, b"one\n")) == ["|  r1  Invoke a 5", "|  r1  +0ms    one"]


async def test_nor_are_runs_by_later_requests(shown: Shown) -> None:
    """Where requests never stop, a run waits only for those that were there before it."""
    shown(ASKED, BEGAN, Requested(OTHER, "POST /b"))
    assert shown(answered(), Printed(WHO, b"one\n")) == [
        REQUEST,
        "|  r1  Invoke a 5",
        "|  r1  +0ms    one",
    ]


async def test_one_that_prints_much_is_shown_at_once(shown: Shown) -> None:
    found = shown(ASKED, BEGAN, Printed(WHO, b"y\n" * MOST_KEPT))
    assert found[0] == "|  r1  Invoke a 5"
    assert len(found) == MOST_KEPT + 1


async def test_the_time_of_a_line_is_when_it_was_printed(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(lines, "elapsed", lambda seconds: f"+{seconds:g} ")
    for at, event in (100.0, ASKED), (101.0, BEGAN), (101.5, Printed(WHO, b"one\n")):
        clock[0] = at
        shown(event)
    clock[0] = 104.0
    assert shown(answered())[-1] == "|  r1  +0.5 one"
    assert shown(Printed(WHO, b"two\n")) == ["|  r1  +3 two"]
