from __future__ import annotations

import signal

from devbridge.daemon.pool.events import Launch, Signal
from devbridge.daemon.pool.state import Due, FunctionState, Stage, Timers
from devbridge.daemon.pool.workers import GRACE, IDLE, SHORT_PAUSE, Workers
from devbridge.daemon.told import Short
from tests.integration.functions import function


def workers(*, most: int = 2, spare: bool = True) -> tuple[Workers, FunctionState, Timers]:
    timers, state = Timers(), FunctionState(function())
    return Workers({"api": state}, timers, most=most, spare=spare), state, timers


def test_a_worker_that_was_told_to_go_is_told_once() -> None:
    crew, state, timers = workers()
    assert crew.launch("api", state) == Launch("api()-1", "api")
    crew.loaded("api()-1", crew["api()-1"], 1.0)
    assert crew.end("api()-1", 1.0) == [Signal("api()-1", signal.SIGTERM)]
    assert crew.end("api()-1", 2.0, signal.SIGKILL) == []
    assert state.idle == []
    assert timers.pop(1.0 + GRACE) == (Due.KILL, "api()-1")


def test_as_many_are_missing_as_requests_wait_and_may_be() -> None:
    crew, state, _ = workers()
    assert crew.missing(state, 0.0) == 1
    state.queue.update({"a": None, "b": None, "c": None})
    assert crew.missing(state, 0.0) == 2
    crew.launch("api", state)
    assert crew.missing(state, 0.0) == 1


def test_a_shortage_is_over_when_a_worker_has_loaded_its_handler() -> None:
    crew, state, _ = workers()
    crew.launch("api", state), crew.launch("api", state)
    first, second = state.workers.items()
    assert crew.not_started(*first, "too many", 0.0) == [Short("too many")]
    assert crew.missing(state, 0.5) == 0
    assert crew.loaded(*second, 0.5) == [Short()]
    assert crew.loaded(*second, 0.5) == []


def test_what_it_has_for_a_debugger_lasts_as_long_as_that() -> None:
    crew, state, timers = workers()
    crew.launch("api", state)
    ((name, worker),) = state.workers.items()
    worker.stage, worker.deadline = Stage.BUSY, 5.0
    crew.halted(name, worker, False, 1.0)
    crew.halted(name, worker, True, 1.0)
    crew.halted(name, worker, True, 2.0)
    crew.halted(name, worker, False, 11.0)
    assert worker.deadline == 15.0
    assert timers.next() == 15.0


def test_a_busy_worker_is_looked_at_once_a_while_and_not_for_each_request() -> None:
    crew, state, timers = workers()
    crew.launch("api", state), crew.launch("api", state)
    ((name, worker), (_, other)) = state.workers.items()
    other.stage = Stage.BUSY
    crew.loaded(name, worker, 0.0)
    state.idle.clear()
    for second in range(1, 50):
        crew.rest(name, worker, float(second))
        state.idle.clear()
    assert timers.pop(IDLE) == (Due.IDLE, name)
    assert timers.next() is None
    state.idle.append(name)
    assert crew.idle(name, worker, IDLE) == []
    assert timers.pop(IDLE + 49) == (Due.IDLE, name)
    assert crew.idle(name, worker, IDLE + 49) == [Signal(name, signal.SIGTERM)]


def test_after_a_pause_one_is_tried_of_those_that_there_was_no_room_for() -> None:
    crew, state, _ = workers()
    crew.launch("api", state)
    ((name, worker),) = state.workers.items()
    crew.not_started(name, worker, "too many", 0.0)
    state.queue.update({"a": None, "b": None})
    assert crew.missing(state, SHORT_PAUSE) == 1
