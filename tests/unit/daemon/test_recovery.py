from __future__ import annotations

from dataclasses import replace

from devbridge.daemon.events import Requested
from devbridge.daemon.recovery import LOST, recover
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State

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
    found = recover([entry("a", State.QUEUED), waiting], NOW)
    assert found.changes == []
    assert found.runs == [Requested("a", "factorial", 1), Requested("b", "factorial", 2)]


def test_what_ran_has_crashed_and_is_not_started_again() -> None:
    found = recover([entry("a", State.RUNNING), entry("b", State.STARTING, 2, 2)], NOW)
    assert [(c.job_id, c.state, c.attempt, c.failure) for c in found.changes] == [
        ("a", State.CRASHED, 1, LOST),
        ("b", State.CRASHED, 2, LOST),
    ]
    assert found.runs == []


def test_what_was_being_cancelled_is_cancelled_and_gets_no_other_attempt() -> None:
    found = recover([replace(entry("a", State.RUNNING, 1, 3), cancelled=True)], NOW)
    assert [(c.state, c.attempt, c.failure) for c in found.changes] == [(State.CANCELLED, 1, None)]
    assert found.runs == []


def test_what_ran_with_an_attempt_left_gets_it() -> None:
    found = recover([entry("a", State.RUNNING, 1, 3)], NOW)
    assert [(c.state, c.attempt) for c in found.changes] == [(State.QUEUED, 2)]
    assert found.runs == [Requested("a", "factorial", 2)]
