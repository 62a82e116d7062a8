from __future__ import annotations

import pytest

from devbridge.daemon.events import Record, Shutdown
from devbridge.daemon.state import RunState, Why, WorkerState, record
from devbridge.runs.ledger import Change
from devbridge.runs.model import Exit, State
from runner.outcome import Failure


@pytest.mark.parametrize(
    ("why", "state", "detail"),
    [
        (Why.CANCELLED, State.CANCELLED, None),
        (Why.TIMED_OUT, State.TIMED_OUT, None),
        (Why.SHUTDOWN, State.CANCELLED, "devbridge dev was stopped"),
        (Why.LOST, State.CRASHED, None),
    ],
)
def test_why_a_run_is_stopped_says_what_it_will_be(
    why: Why, state: State, detail: str | None
) -> None:
    assert (why.state, why.detail) == (state, detail)


def test_a_worker_is_ready_once_it_has_loaded_its_handler() -> None:
    worker = WorkerState("a", launched_at=0.0, deaths=0)
    assert not worker.ready
    worker.ready_at = 0.0
    assert worker.ready


def test_a_record_has_all_that_is_known_of_the_end() -> None:
    failure, exit_ = Failure("Killed", "by SIGKILL"), Exit(signal=9)
    assert record(
        "r1",
        State.CRASHED,
        5.0,
        2,
        exit=exit_,
        result=b"1",
        failure=failure,
        detail="why",
        worker_id="w1",
    ) == Record(
        Change(
            job_id="r1",
            state=State.CRASHED,
            at=5.0,
            attempt=2,
            exit=exit_,
            result=b"1",
            failure=failure,
            detail="why",
        ),
        "w1",
    )


def test_an_end_is_told_as_what_the_run_was_stopped_for() -> None:
    own, gone = Failure("KeyError", "'x'"), Shutdown(Failure("DaemonEnded", "gone"), lost=True)
    run = RunState("a", 1, 1)
    assert run.told_as(State.FAILED, own, gone) == (State.FAILED, None, own)
    run.stopping = Why.TIMED_OUT
    assert run.told_as(State.FAILED, own, gone) == (State.TIMED_OUT, None, own)
    run.stopping = Why.LOST
    assert run.told_as(State.FAILED, own, gone) == (State.CRASHED, None, gone.failure)
