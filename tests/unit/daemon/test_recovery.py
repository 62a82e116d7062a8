from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.daemon.events import Requested
from devbridge.daemon.held import SURE
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.recovery import LOST, WENT_BACK, lost_with, recover, take_on
from devbridge.daemon.told import Interrupted, Told
from devbridge.errors import EmbeddedCloudFailed
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.model import State
from runner.outcome import Failure
from runner.triggered import Triggered

NOW = 2_000.0


def entry(job_id: str, state: State, attempt: int = 1, max_attempts: int = 1) -> RunRecord:
    return RunRecord(
        job_id=job_id,
        job="factorial",
        state=state,
        created_at=1_000.0,
        started_at=None,
        ended_at=None,
        closed=False,
        attempt=attempt,
        max_attempts=max_attempts,
        exit=None,
        result=None,
        failure=None,
        log="",
    )


def test_what_was_queued_is_taken_on_in_order_with_its_attempt() -> None:
    waiting = replace(entry("b", State.RUNNING, 2, 2), waits_for_attempt=True)
    found = recover([entry("a", State.QUEUED), waiting], lambda _: NOW)
    assert found.changes == []
    assert found.runs == [Requested("a", "factorial", 1), Requested("b", "factorial", 2)]


def test_what_ran_has_crashed_and_is_not_started_again() -> None:
    found = recover([entry("a", State.RUNNING), entry("b", State.STARTING, 2, 2)], lambda _: NOW)
    assert [(c.job_id, c.state, c.attempt, c.failure) for c in found.changes] == [
        ("a", State.CRASHED, 1, LOST),
        ("b", State.CRASHED, 2, LOST),
    ]
    assert found.runs == []


def test_what_was_being_cancelled_is_cancelled_and_gets_no_other_attempt() -> None:
    found = recover([replace(entry("a", State.RUNNING, 1, 3), cancelled=True)], lambda _: NOW)
    assert [(c.state, c.attempt, c.failure) for c in found.changes] == [(State.CANCELLED, 1, None)]
    assert found.runs == []


def test_what_ran_with_an_attempt_left_gets_it() -> None:
    found = recover([entry("a", State.RUNNING, 1, 3)], lambda _: NOW)
    assert [(c.state, c.attempt) for c in found.changes] == [(State.QUEUED, 2)]
    assert found.runs == [Requested("a", "factorial", 2)]


def test_what_has_a_checkpoint_goes_on_there_with_the_same_attempt() -> None:
    left = [entry("a", State.RUNNING), entry("b", State.RUNNING, 2, 3), entry("c", State.RUNNING)]
    found = recover(left, lambda _: NOW, lambda one: one.job_id != "c")
    assert [(c.job_id, c.state, c.attempt, c.failure) for c in found.changes] == [
        ("a", State.QUEUED, 1, None),
        ("b", State.QUEUED, 2, None),
        ("c", State.CRASHED, 1, LOST),
    ]
    assert found.resumed == ["a", "b"]
    assert found.runs == [
        Requested("a", "factorial", 1, goes_on=True),
        Requested("b", "factorial", 2, goes_on=True),
    ]


def test_but_not_if_it_was_being_cancelled() -> None:
    cancelled = replace(entry("a", State.RUNNING), cancelled=True)
    assert recover([cancelled], lambda _: NOW, lambda _: True).runs == []


# --- with a ledger ------------------------------------------------------------------------------


class Ears:
    def __init__(self) -> None:
        self.told: list[Told] = []

    def on(self, event: Told) -> None:
        self.told.append(event)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        for job_id, attempts in (("waits", 1), ("lost", 1), ("again", 3), ("ended", 1)):
            with opened.transaction():
                opened.add(
                    NewRun(
                        job_id=job_id,
                        job="factorial",
                        payload=b"1",
                        created_at=1.0,
                        log_path="missing.log",
                        max_attempts=attempts,
                    )
                )
        for job_id, state in (
            ("lost", State.RUNNING),
            ("again", State.RUNNING),
            ("ended", State.SUCCEEDED),
        ):
            with opened.transaction():
                opened.record(Change(job_id=job_id, state=state, at=2.0))
        yield opened


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The daemon was last seen alive at `NOW`."""
    path = tmp_path / "alive"
    path.touch()
    os.utime(path, (NOW, NOW))
    return path


def test_what_was_left_is_written_told_and_returned(ledger: Ledger, mark: Path) -> None:
    ears = Ears()
    runs = take_on(ledger, Narrator([ears]), mark)
    assert [(run.job_id, run.attempt) for run in runs] == [("waits", 1), ("again", 2)]
    told = [event for event in ears.told if isinstance(event, Interrupted)]
    assert len(told) == len(ears.told)
    assert [(event.run.job_id, event.run.state) for event in told] == [
        ("lost", State.CRASHED),
        ("again", State.RUNNING),
    ]
    assert all(event.change.at == NOW for event in told)


def test_a_run_has_ended_when_its_daemon_or_itself_was_last_heard(
    ledger: Ledger, mark: Path, tmp_path: Path
) -> None:
    log = tmp_path / "late.log"
    log.touch()
    os.utime(log, (NOW + 1, NOW + 1))
    late = NewRun(job_id="late", job="j", payload=b"1", created_at=1.0, log_path=str(log))
    with ledger.transaction():
        ledger.add(late)
        ledger.record(Change(job_id="late", state=State.RUNNING, at=2.0))
    take_on(ledger, Narrator([]), mark)
    ends = [entry.ended_at for name in ("lost", "late") if (entry := ledger.get(name))]
    assert ends == [NOW, NOW + 1]


def test_a_run_has_not_ended_before_it_began_though_nobody_was_heard(
    ledger: Ledger, tmp_path: Path
) -> None:
    take_on(ledger, Narrator([]), tmp_path / "nothing")
    entry = ledger.get("lost")
    assert entry is not None
    assert (entry.started_at, entry.ended_at) == (2.0, 2.0)


def test_nor_before_its_last_attempt_began(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.transaction():
        ledger.record(Change(job_id="again", state=State.QUEUED, at=3.0, attempt=3))
        ledger.record(Change(job_id="again", state=State.RUNNING, at=5.0, attempt=3))
    take_on(ledger, Narrator([]), tmp_path / "nothing")
    entry = ledger.get("again")
    assert entry is not None
    assert (entry.started_at, entry.ended_at) == (2.0, 5.0)


def test_runs_whose_end_nobody_completed_are_complete_afterwards(
    ledger: Ledger, mark: Path
) -> None:
    take_on(ledger, Narrator([]), mark)
    for job_id in ("lost", "ended"):
        entry = ledger.get(job_id)
        assert entry is not None
        assert entry.closed
    assert [run.job_id for run in ledger.live()] == ["waits", "again"]


def test_what_a_daemon_that_an_error_ends_was_running_says_that_error_in_one_line() -> None:
    error = EmbeddedCloudFailed("the embedded cloud has ended by itself, after:\n  x", remedy="y")
    assert lost_with(error).message == f"{LOST.message}: the embedded cloud has ended by itself"
    assert lost_with(ValueError()).message == f"{LOST.message}: ValueError"
    assert lost_with(error).type == LOST.type


def test_a_run_that_comes_no_further_than_at_the_death_before_is_not_begun_there_again(
    ledger: Ledger, mark: Path
) -> None:
    def dies_at(checkpoint: bytes) -> list[Requested]:
        with ledger.transaction():
            ledger.record(Change(job_id="lost", state=State.RUNNING, at=3.0))
            ledger.reached("lost", checkpoint)
        return [r for r in take_on(ledger, Narrator([]), mark) if r.job_id == "lost"]

    goes_on = [Requested("lost", "factorial", 1, goes_on=True)]
    assert dies_at(b"1") == goes_on
    assert dies_at(b"2") == goes_on
    known = ledger.get("lost")
    assert known
    assert (known.state, known.waits_for_attempt, known.failure) == (State.RUNNING, True, None)
    assert take_on(ledger, Narrator([]), mark)[0] == Requested("waits", "factorial")
    assert dies_at(b"2") == []
    known = ledger.get("lost")
    assert known
    assert (known.state, known.failure) == (State.CRASHED, LOST)


def test_it_is_told_that_it_goes_on(ledger: Ledger, mark: Path) -> None:
    ears = Ears()
    with ledger.transaction():
        ledger.reached("lost", b"7")
    take_on(ledger, Narrator([ears]), mark)
    (told, _) = [event for event in ears.told if isinstance(event, Interrupted)]
    assert told.change.detail == f"{LOST.message}: it goes on at its checkpoint"


@pytest.mark.parametrize(
    ("state", "away", "taken_on", "end"),
    [
        (State.QUEUED, False, [Requested("a", "factorial", 2, once=True)], []),
        (State.QUEUED, True, [], [(State.CRASHED, WENT_BACK)]),
        (State.RUNNING, False, [], [(State.CRASHED, LOST)]),
    ],
)
def test_of_a_run_whose_message_comes_again_only_what_surely_still_has_it_is_taken_on(
    state: State, away: bool, taken_on: list[Requested], end: list[tuple[State, Failure]]
) -> None:
    found = recover(
        [entry("a", state, 1, 3)],
        lambda _: NOW,
        gets_on=lambda _: True,
        delivery=lambda _: 2,
        away=lambda _: away,
    )
    assert found.runs == taken_on
    assert [(change.state, change.failure) for change in found.changes] == end


@pytest.mark.parametrize(("seconds", "taken_on"), [(SURE, ["held"]), (SURE + 1, [])])
def test_a_message_is_surely_here_for_some_minutes_after_its_daemon_was_heard(
    ledger: Ledger,
    mark: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    taken_on: list[str],
) -> None:
    body = Triggered("queue", "q", b"1", b"{}", delivery=2).text()
    with ledger.transaction():
        ledger.add(NewRun(job_id="held", job="j", payload=body, created_at=NOW, log_path="/no"))
    monkeypatch.setattr(time, "time", lambda: NOW + seconds)
    found = take_on(ledger, Narrator([]), mark)
    assert [each.job_id for each in found if each.job_id == "held"] == taken_on


def test_a_cancelled_one_is_cancelled() -> None:
    cancelled = replace(entry("a", State.QUEUED), cancelled=True)
    found = recover([cancelled], lambda _: NOW, delivery=lambda _: 1)
    assert [(change.state, change.failure) for change in found.changes] == [(State.CANCELLED, None)]
