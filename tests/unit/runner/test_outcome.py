from __future__ import annotations

import signal

import pytest

from devbridge.daemon import memory
from devbridge.runs.model import Exit
from runner import outcome
from runner.outcome import CANCELLED, CRASHED, FAILED, SUCCEEDED, TIMED_OUT, End, Failure


@pytest.mark.parametrize("status", [0, 1, 137, -signal.SIGKILL, -signal.SIGSEGV, -64, -50])
def test_a_crash_has_the_daemons_words(status: int) -> None:
    exit_ = Exit(code=status) if status >= 0 else Exit(signal=-status)
    ours, theirs = outcome.crash(status), memory.crash(exit_)
    assert (ours.type, ours.message) == (theirs.type, theirs.message)


def test_memory_that_ran_out_is_told_by_the_daemons_name() -> None:
    theirs = memory.crash(Exit(signal=signal.SIGKILL), out_of_memory=True)
    ours = outcome.crash(-signal.SIGKILL, out_of_memory=True)
    assert ours.type == theirs.type == "OutOfMemory"
    assert "memory_size" in ours.message


def test_attempts_get_further_apart_and_no_more_than_an_hour() -> None:
    assert [outcome.retry_delay(7.5, attempt) for attempt in (1, 2, 5)] == [7.5, 15, 120]
    assert outcome.retry_delay(7.5, 40) == 3600


@pytest.mark.parametrize(
    ("end", "again"),
    [
        (End(SUCCEEDED), False),
        (End(CANCELLED), False),
        (End(FAILED), True),
        (End(CRASHED), True),
        (End(TIMED_OUT), True),
        (End(FAILED, final=True), False),
    ],
)
def test_only_what_may_end_better_is_tried_again(end: End, again: bool) -> None:
    assert end.again(1, 2) is again
    assert not end.again(2, 2)


def test_a_summary_has_one_line() -> None:
    end = End(FAILED, failure=Failure("KeyError", "a\nb"), took=1.2)
    assert outcome.summary(end) == "FAILED after 1.20s: KeyError: a"
    assert outcome.summary(End(TIMED_OUT, took=61)) == "TIMED_OUT after 1m01s"


def test_out_of_memory_kills_are_counted_where_the_kernel_tells() -> None:
    assert outcome.oom_kills() >= 0
