from __future__ import annotations

from devbridge.daemon.pool.state import Due, FunctionState, Request, Stage, Timers, WorkerState
from devbridge.runs.model import Exit
from runner.outcome import Failure
from tests.integration.functions import function


def worker(stage: Stage, *, outdated: bool = False) -> WorkerState:
    return WorkerState("api", 0, frozenset(), stage=stage, outdated=outdated)


def test_what_is_due_comes_in_the_order_of_time() -> None:
    timers = Timers()
    timers.add(3.0, Due.KILL, "c")
    timers.add(1.0, Due.DEADLINE, "a")
    timers.add(1.0, Due.UNTIL, "b")
    assert timers.next() == 1.0
    assert timers.pop(0.5) is None
    assert [timers.pop(2.0), timers.pop(2.0), timers.pop(2.0)] == [
        (Due.DEADLINE, "a"),
        (Due.UNTIL, "b"),
        None,
    ]
    assert timers.pop(3.0) == (Due.KILL, "c")
    assert timers.next() is None


def test_who_was_told_to_go_takes_no_room() -> None:
    state = FunctionState(function(reserved=2))
    state.workers = {
        "1": worker(Stage.ENDING),
        "2": worker(Stage.BUSY, outdated=True),
        "3": worker(Stage.IDLE),
    }
    assert state.current() == 1
    assert state.room(8) == 0
    assert FunctionState(function()).room(8) == 8
    assert FunctionState(function(reserved=0)).room(8) == 1


def test_why_it_cannot_be_loaded_is_told_each_request() -> None:
    state, request = FunctionState(function()), Request("r", "api", "aws-r", 0.0)
    assert state.fault(request).type == "InternalError"
    state.mending.failed(Failure("E", "m"), (), 0.0)
    assert state.fault(request).type == "E"
    state.exit = Exit(code=2)
    assert b"RequestId: aws-r" in state.fault(request).document
