"""A run's state from all that is known of it: no run is left RUNNING that is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.runs.base import told as history
from devbridge.runs.deciding import Decided, Known, decide
from devbridge.runs.model import Exit, State
from devbridge.runs.providers.base import Look
from devbridge.runs.records import MAX_RESTARTS, End, Told
from runner.claims import Claim, Place
from runner.outcome import Failure

from .worlds import KEPT

NOW = 10_000.0
CLAIM = Claim(NOW - 500, 3, "batch", payload="1")
PLACE = Place("job-1", "batch", NOW - 400)
WHY = Failure("HostTerminated", "the machine has gone: Host EC2 (instance i-1) terminated.")


def decided(now: float = NOW, **known: Any) -> Decided:
    return decide(Known("p:u", "factorial", known.pop("claim", CLAIM), **known), now)


def state(**known: Any) -> State:
    return decided(**known).record.state


def look(state: State = State.RUNNING, **more: Any) -> Look:
    return Look(state=state, **more)


def told(state: State = State.RUNNING, **more: Any) -> Told:
    return Told(state=state, **more)


def test_a_run_that_nothing_runs_yet_is_queued() -> None:
    assert state() is State.QUEUED
    assert state(place=PLACE) is State.QUEUED


@pytest.mark.parametrize("says", [State.QUEUED, State.STARTING, State.RUNNING])
@pytest.mark.parametrize("tells", [None, State.QUEUED, State.RUNNING])
def test_a_run_is_as_far_as_who_knows_most(says: State, tells: State | None) -> None:
    found = state(place=PLACE, told=told(tells) if tells else None, look=look(says), asked=True)
    assert found is (State.RUNNING if State.RUNNING in (says, tells) else says)


def test_what_the_runner_tells_at_the_end_is_the_end() -> None:
    failure = Failure("KeyError", "'x'")
    end = told(State.FAILED, attempt=3, started_at=NOW - 90, ended_at=NOW - 5, failure=failure)
    record = decided(place=PLACE, told=end).record
    assert (record.state, record.failure, record.attempt) == (State.FAILED, failure, 3)
    assert (record.created_at, record.started_at, record.ended_at) == (NOW - 500, NOW - 90, NOW - 5)
    assert (record.max_attempts, record.closed, record.cancelled) == (3, True, False)


@pytest.mark.parametrize(("times", "detail"), [(0, None), (1, "1 time"), (2, "2 times")])
def test_how_often_a_run_was_interrupted_is_in_its_history(times: int, detail: str | None) -> None:
    tells = told(started_at=NOW - 90, interruptions=times)
    record = decided(place=PLACE, told=tells, look=look()).record
    assert record.interruptions == times
    assert [step.detail for step in history(record)] == [
        None,
        detail and f"interrupted {detail}",
    ]


def test_a_result_is_here_or_in_s3() -> None:
    assert decided(place=PLACE, told=told(State.SUCCEEDED, result=b"7")).record.result == b"7"
    assert decided(place=PLACE, told=told(State.SUCCEEDED)).record.result == b"null"
    large = decided(place=PLACE, told=told(State.SUCCEEDED, result_at="results/x"))
    assert (large.record.result, large.result_at) == (None, "results/x")


# --- cancelled ----------------------------------------------------------------------------------


def test_a_cancelled_run_is_cancelled_whatever_comes_later() -> None:
    end = End(State.CANCELLED, NOW - 10, written_at=NOW - 10)
    late = told(State.SUCCEEDED, result=b"7", written_at=NOW - 9)
    assert state(end=end) is State.CANCELLED
    assert state(place=PLACE, end=end, told=late) is State.CANCELLED
    assert state(place=PLACE, end=end, look=look(), asked=True) is State.CANCELLED
    assert decided(end=end).record.cancelled


def test_a_run_that_had_ended_when_it_was_cancelled_stays_as_it_was() -> None:
    end = End(State.CANCELLED, NOW - 10, written_at=NOW - 10)
    before = told(State.SUCCEEDED, result=b"7", written_at=NOW - 11)
    assert state(place=PLACE, end=end, told=before) is State.SUCCEEDED
    build = look(State.SUCCEEDED, told=True, ended_at=NOW - 11, result=b"7")
    assert state(place=PLACE, end=end, look=build, asked=True) is State.SUCCEEDED
    later = look(State.SUCCEEDED, told=True, ended_at=NOW - 9, result=b"7")
    assert state(place=PLACE, end=end, look=later, asked=True) is State.CANCELLED


# --- what has ended without a word --------------------------------------------------------------


def test_what_the_provider_has_forgotten_has_crashed_but_not_at_once() -> None:
    found = decided(place=PLACE, told=told(), asked=True).record
    assert (found.state, found.failure and found.failure.type) == (State.CRASHED, "Forgotten")
    new = Place("job-1", "batch", NOW - 59)
    assert state(place=new, asked=True) is State.QUEUED


def test_what_was_not_asked_about_is_not_forgotten() -> None:
    assert state(place=PLACE, told=told()) is State.RUNNING


def test_what_tells_nothing_is_over_when_it_cannot_go_on_any_more() -> None:
    silent = look(State.QUEUED, silence=100.0)
    assert state(place=PLACE, look=silent, asked=True) is State.CRASHED
    heard = told(written_at=NOW - 99)
    assert state(place=PLACE, told=heard, look=silent, asked=True) is State.RUNNING
    assert state(place=PLACE, told=told(), look=silent, asked=True) is State.CRASHED


@pytest.mark.parametrize(
    ("tells", "after", "expected"),
    [
        (told(), 11, State.CRASHED),
        (told(), 9, State.RUNNING),
        (told(State.STARTING), 11, State.CRASHED),
        (told(handed=True), 11, State.RUNNING),
        (told(State.QUEUED), 11, State.QUEUED),
    ],
)
def test_an_invocation_that_has_begun_and_hands_nothing_over_is_over_sooner(
    tells: Told, after: float, expected: State
) -> None:
    silent = look(State.QUEUED, silence=100.0, at_most=10.0)
    found = decided(place=PLACE, told=replace(tells, written_at=NOW - after), look=silent)
    assert found.record.state is expected


@pytest.mark.parametrize(
    ("ended", "expected", "kind"),
    [
        (look(State.SUCCEEDED, exit_code=0), State.CRASHED, "Exited"),
        (look(State.FAILED, exit_code=1), State.CRASHED, "Exited"),
        (look(State.CRASHED, failure=Failure("OutOfMemory", "x")), State.CRASHED, "OutOfMemory"),
        (look(State.TIMED_OUT), State.TIMED_OUT, None),
        (look(State.CANCELLED, exit_code=75), State.CANCELLED, None),
        (look(State.TIMED_OUT, exit_code=75), State.TIMED_OUT, None),
    ],
)
def test_a_runner_that_ended_without_a_word_has_not_succeeded(
    ended: Look, expected: State, kind: str | None
) -> None:
    record = decided(place=PLACE, told=told(), look=ended, asked=True).record
    assert (record.state, record.failure and record.failure.type) == (expected, kind)


def test_the_exit_code_of_a_runner_is_told() -> None:
    record = decided(place=PLACE, look=look(State.FAILED, exit_code=3), asked=True).record
    assert record.failure is not None
    assert record.failure.message.endswith("(exit code 3)")
    assert record.exit is None


def test_nobody_knows_the_attempt_of_a_run_that_has_told_nothing() -> None:
    ended = look(State.FAILED, exit_code=1)
    assert decided(place=PLACE, look=ended, asked=True).record.attempt == 0
    assert decided(place=PLACE, look=look(), asked=True).record.attempt == 1
    once = Claim(NOW, 1, "batch")
    assert decided(claim=once, place=PLACE, look=ended, asked=True).record.attempt == 1


@pytest.mark.parametrize("code", [0, 1, 75])
def test_a_command_without_a_runner_ends_as_its_exit_code_says(code: int) -> None:
    why = Failure("CommandFailed", "x")
    ended = look(
        State.FAILED if code else State.SUCCEEDED, exit_code=code, failure=why if code else None
    )
    found = decided(place=PLACE, look=ended, asked=True, container=True)
    assert found.record.state is (State.FAILED if code else State.SUCCEEDED)
    assert found.record.result == (None if code else b"null")
    assert (found.record.failure, found.record.exit) == (why if code else None, Exit(code=code))
    assert not found.restart


# --- what goes on elsewhere ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "ended",
    [
        look(State.CRASHED, failure=WHY, infrastructure=True),
        look(State.FAILED, exit_code=75),
        look(State.CRASHED, failure=WHY, infrastructure=True, exit_code=143),
    ],
)
def test_a_run_whose_machine_was_taken_away_is_to_be_started_again(ended: Look) -> None:
    found = decided(place=PLACE, look=ended, asked=True)
    assert (found.record.state, found.restart) == (State.QUEUED, True)
    begun = decided(place=PLACE, told=told(), look=ended, asked=True)
    assert (begun.record.state, begun.restart) == (State.RUNNING, True)
    last = Place("job-11", "batch", NOW - 400, MAX_RESTARTS)
    over = decided(place=last, told=told(), look=ended, asked=True)
    assert (over.record.state, over.restart) == (State.CRASHED, False)
    assert over.record.failure is not None
    assert over.record.failure.message.endswith("and 10 before it")


def test_a_cancelled_run_goes_on_nowhere() -> None:
    end = End(State.CANCELLED, NOW - 10)
    gone = look(State.CRASHED, failure=WHY, infrastructure=True)
    assert not decided(place=PLACE, end=end, look=gone, asked=True).restart


# --- where it ran -------------------------------------------------------------------------------


def test_the_logs_of_all_its_machines_are_known_in_order() -> None:
    first, second = ("g", "one"), ("g", "two")
    found = decided(
        place=PLACE, told=told(logs=(first,)), look=look(logs=(("", "one"), second)), asked=True
    )
    assert found.logs == (first, second)
    assert found.record.log == "g/two"
    assert decided().record.log == ""


STATES = st.sampled_from(KEPT)
ENDS = st.sampled_from([state for state in KEPT if state.final])
TIMES = st.none() | st.floats(0, NOW)


@given(
    place=st.none() | st.builds(Place, st.just("j"), st.just("batch"), st.floats(0, NOW)),
    end=st.none() | st.builds(End, ENDS, st.floats(0, NOW), written_at=st.floats(0, NOW)),
    told=st.none() | st.builds(Told, state=STATES, ended_at=TIMES, written_at=st.floats(0, NOW)),
    look=st.none()
    | st.builds(Look, state=STATES, infrastructure=st.booleans(), told=st.booleans()),
    container=st.booleans(),
)
def test_no_run_lives_that_nothing_keeps_alive(
    place: Place | None, end: End | None, told: Told | None, look: Look | None, container: bool
) -> None:
    later = NOW + 24 * 3600
    found = decided(
        later, place=place, end=end, told=told, look=look, asked=True, container=container
    )
    record = found.record
    alive = (look is not None and not look.state.final) or place is None or found.restart
    assert record.state.final or alive
    assert (record.ended_at is not None) == record.closed == record.state.final
    if end is not None:
        assert record.state.final
    assert (record.result is None) or record.state is State.SUCCEEDED
