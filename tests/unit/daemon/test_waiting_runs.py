from __future__ import annotations

from collections.abc import Callable

import pytest

from devbridge.daemon.told import Began, HandedOver, NeverStarted, Told, Waits, Who
from devbridge.daemon.waiting_runs import SOON
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from tests.unit.daemon.test_request_listener import Shown

LIMIT = "2 of 2 slots are taken (--concurrency)"


@pytest.fixture
async def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown(monkeypatch)


def waits(number: int, job: str = "a", *, own: bool = False) -> Waits:
    return Waits(f"run-{number:04}", job, 2, own)


def began(number: int) -> Began:
    return Began(Who(f"a-{number}", "a", f"run-{number:04}"), 1, 1, b"5")


async def test_hundreds_that_come_at_once_are_one_line_and_their_number(shown: Shown) -> None:
    assert shown(*map(waits, range(300))) == [f"|  run-0000  Waiting a: {LIMIT}"]
    assert shown.after(SOON) == [f"|  a  Waiting a: 300 runs, {LIMIT}"]
    assert shown.after(SOON) == []


async def test_those_that_follow_are_counted_after_longer_and_longer_pauses(shown: Shown) -> None:
    shown(waits(0), waits(1))
    shown.after(SOON)
    assert shown(*map(waits, range(2, 10)), began(0)) == []
    assert shown.after(2 * SOON)[-1:] == [f"|  a  Waiting a: 9 runs, {LIMIT}"]
    shown(waits(10))
    assert shown.after(4 * SOON) == [f"|  a  Waiting a: 10 runs, {LIMIT}"]


async def test_each_limit_has_its_own(shown: Shown) -> None:
    own = "|  run-0001  Waiting a: 2 of 2 slots are taken (the job's own concurrency)"
    assert shown(waits(0), waits(1, own=True), waits(2, "b")) == [
        f"|  run-0000  Waiting a: {LIMIT}",
        own,
        f"|  run-0002  Waiting b: {LIMIT}",
    ]


@pytest.mark.parametrize(
    "goes",
    [
        began,
        lambda number: HandedOver(*ended(number)),
        lambda number: NeverStarted(*ended(number), b"5"),
    ],
    ids=["began", "handed over", "cancelled"],
)
async def test_when_none_waits_any_more_the_next_has_a_line_again(
    shown: Shown, goes: Callable[[int], Told]
) -> None:
    shown(waits(0), waits(1), goes(0), goes(1))
    assert shown.after(SOON) == []
    assert shown(waits(2))[-1:] == [f"|  run-0002  Waiting a: {LIMIT}"]


def ended(number: int) -> tuple[Change, RunRecord]:
    job_id = f"run-{number:04}"
    run = RunRecord(job_id=job_id, job="a", state=State.CANCELLED, created_at=1.0, log="/a.log")
    return Change(job_id=job_id, state=State.CANCELLED, at=1.0), run
