from __future__ import annotations

from datetime import timedelta

import pytest

from devbridge import errors
from devbridge.errors import JobCancelled, JobFailed, JobNotFinished
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State
from devbridge.runs.waiting import EXIT_CODES, Clock, result_of, until_ended
from runner.outcome import Failure


class Time:
    """Time that passes while somebody sleeps, and only then."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self, seconds: float | None = None) -> Clock:
        timeout = None if seconds is None else timedelta(seconds=seconds)
        return Clock(timeout, now=lambda: self.now, sleep=self.sleep)


class Run:
    """A run that is in one state after the other."""

    poll = 2.0
    printers = ""

    def __init__(self, *states: State) -> None:
        self._states = [*states]
        self.asked: list[bool] = []

    @property
    def record(self) -> RunRecord:
        return RunRecord(job_id="id", job="j", state=self._states[0])

    def refresh(self, *, result: bool = False) -> RunRecord:
        self.asked.append(result)
        if len(self._states) > 1:
            del self._states[0]
        return self.record


def waited(run: Run, clock: Clock) -> RunRecord:
    return until_ended(run, clock)  # type: ignore[arg-type]


def test_every_final_state_has_its_own_exit_code_and_success_is_zero() -> None:
    assert EXIT_CODES == {
        State.SUCCEEDED: 0,
        State.FAILED: 20,
        State.CANCELLED: 21,
        State.TIMED_OUT: 22,
        State.CRASHED: 23,
    }
    assert EXIT_CODES.keys() == {state for state in State if state.final}
    assert errors.EXIT_JOB_NOT_FINISHED not in EXIT_CODES.values()


def test_a_run_is_asked_about_until_it_has_ended_and_then_for_its_result() -> None:
    time, run = Time(), Run(State.QUEUED, State.RUNNING, State.RUNNING, State.FAILED)
    assert waited(run, time.clock()).state is State.FAILED
    assert run.asked == [False, False, False, True]
    assert time.slept == [2.0, 2.0, 2.0]


def test_for_a_run_that_has_ended_nobody_waits() -> None:
    time, run = Time(), Run(State.SUCCEEDED)
    assert waited(run, time.clock(0)).state is State.SUCCEEDED
    assert (run.asked, time.slept) == ([True], [])


def test_nobody_waits_for_longer_than_the_timeout() -> None:
    time, run = Time(), Run(State.QUEUED, *[State.RUNNING] * 9)
    with pytest.raises(JobNotFinished) as caught:
        waited(run, time.clock(5))
    assert time.slept == [2.0, 2.0, 1.0]
    assert caught.value.what == "the run is RUNNING after 5.00s"
    assert caught.value.where == "job 'j', run id"
    assert caught.value.remedy == "wait longer, or stop it: devbridge cancel"
    assert caught.value.exit_code == errors.EXIT_JOB_NOT_FINISHED


def test_a_run_that_ends_with_the_timeout_has_ended() -> None:
    time, run = Time(), Run(State.RUNNING, State.RUNNING, State.SUCCEEDED)
    assert waited(run, time.clock(4)).state is State.SUCCEEDED


def test_a_clock_without_an_end_goes_on() -> None:
    time = Time()
    clock = time.clock()
    assert all(clock.pause(1e6) for _ in range(100))


def test_a_run_that_has_succeeded_has_a_result_and_any_other_says_why_not() -> None:
    def run(state: State, result: bytes | None = None, why: Failure | None = None) -> RunRecord:
        return RunRecord(job_id="r", job="j", state=state, result=result, failure=why)

    assert result_of(run(State.SUCCEEDED, b"[1]")) == b"[1]"
    assert result_of(run(State.SUCCEEDED)) == b"null"
    with pytest.raises(JobNotFinished, match="the run is RUNNING"):
        result_of(run(State.RUNNING))
    with pytest.raises(JobCancelled):
        result_of(run(State.CANCELLED))
    with pytest.raises(JobFailed, match="FAILED: ValueError: boom") as caught:
        result_of(run(State.FAILED, why=Failure("ValueError", "boom")))
    assert (caught.value.error_type, caught.value.error_message) == ("ValueError", "boom")
