from __future__ import annotations

import io
import signal

import pytest

from devbridge import job
from devbridge.daemon import memory
from devbridge.payload import encode
from devbridge.protocol import codec
from devbridge.runs.model import Exit, State
from runner import outcome, zygote
from runner.outcome import CANCELLED, CRASHED, FAILED, SUCCEEDED, TIMED_OUT, End, Failure


def test_a_run_waits_for_its_time_lives_or_has_ended_and_the_daemon_knows_the_same_states() -> None:
    kinds = [outcome.SCHEDULED, *outcome.LIVE, *outcome.ENDED]
    assert [state.value for state in State] == kinds
    assert len(set(kinds)) == len(kinds)
    assert [state.value for state in State if state.final] == [*outcome.ENDED]
    assert set(outcome.ENDED) > outcome.RETRIED == {FAILED, TIMED_OUT, CRASHED}
    assert job.ENDED.keys() == set(outcome.ENDED)


def test_a_last_attempt_and_what_would_not_end_better_are_not_tried_again() -> None:
    assert outcome.tried_again(CRASHED, 1, 2)
    assert not outcome.tried_again(CRASHED, 2, 2)
    assert not outcome.tried_again(SUCCEEDED, 1, 2)
    assert not outcome.tried_again(CANCELLED, 1, 2)


def test_each_limit_is_the_same_wherever_it_is_kept() -> None:
    assert encode.MAX_BYTES == codec.MAX_BODY == outcome.MAX_BODY == 6_291_456
    assert zygote.LINGER == outcome.LINGER == 10
    assert (outcome.KILL_AGAIN, outcome.OUTPUT_AFTER_EXIT, outcome.MAX_INLINE) == (5, 1, 8192)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0ms"), (0.9994, "999ms"), (0.9996, "1.00s"), (59.994, "59.99s"), (59.996, "1m00s"),
     (3599.4, "59m59s"), (3600, "1h00m00s"), (37 * 3600 + 61, "37h01m01s")],
)  # fmt: skip
def test_a_length_of_time_is_said_in_the_unit_that_fits(seconds: float, said: str) -> None:
    assert outcome.duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0s"), (0.4, "0s"), (31.4, "31s"), (59.4, "59s"), (59.6, "1m00s"), (725, "12m05s")],
)
def test_what_nobody_has_measured_exactly_is_said_in_whole_seconds(
    seconds: float, said: str
) -> None:
    assert outcome.duration(seconds, whole=True) == said


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (0, "Exited", "the worker exited with code 0 without an answer"),
        (137, "Exited", "the worker exited with code 137 without an answer"),
        (-signal.SIGSEGV, "Killed", "the worker was ended by SIGSEGV"),
        (-250, "Killed", "the worker was ended by signal 250"),
        (
            -signal.SIGKILL,
            "Killed",
            "the worker was ended by SIGKILL (the kernel does that when memory runs out)",
        ),
    ],
)
def test_a_crash_has_the_daemons_words(status: int, kind: str, said: str) -> None:
    exit_ = Exit(code=status) if status >= 0 else Exit(signal=-status)
    ours, theirs = outcome.crash(status), memory.crash(exit_)
    assert (ours.type, ours.message) == (theirs.type, theirs.message) == (kind, said)
    assert outcome.crash(status, where="in bed") == Failure(kind, f"{said} in bed")


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


def test_how_long_it_took_does_not_make_another_end() -> None:
    assert End(FAILED, took=1) == End(FAILED, took=2) != End(TIMED_OUT, took=2)


GROUP, MACHINE = "/sys/fs/cgroup/memory.events", "/proc/vmstat"


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        ({GROUP: b"oom 7\noom_kill 3\noom_group_kill 9\n", MACHINE: b"oom_kill 5\n"}, 3),
        ({GROUP: b"max 0\n", MACHINE: b"pgfault 1\noom_kill 5\nnr 2\n"}, 5),
        ({MACHINE: b"oom_kill 5\n"}, 5),
        ({MACHINE: b"pgfault 1\n"}, 0),
        ({}, 0),
    ],
)
def test_out_of_memory_kills_are_counted_where_the_kernel_tells(
    files: dict[str, bytes], kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(path: str, mode: str) -> io.BytesIO:
        assert mode == "rb"
        if path not in files:
            raise FileNotFoundError(path)
        return io.BytesIO(files[path])

    monkeypatch.setattr(outcome, "open", look, raising=False)
    assert outcome.oom_kills() == kills


@pytest.mark.parametrize(
    ("left", "names", "goes"),
    [
        (["its thread 'a'"], "its thread 'a'", "goes on: it is"),
        (["a", "b"], "a and b", "go on: they are"),
        (["a", "b", "c"], "a, b and c", "go on: they are"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more", "go on: they are"),
    ],
)
def test_what_goes_on_after_the_answer_is_named(left: list[str], names: str, goes: str) -> None:
    said = outcome.goes_on(left, 9.4)
    assert said == f"the handler has ended, but {names} {goes} ended in 9s"
    assert outcome.was_ended(left) == f"ended: {names}"


@pytest.mark.parametrize(
    "said",
    [
        b"FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n",
        b"#\n# Fatal process out of memory: Zone\n",
        b"# Fatal JavaScript out of memory: Reached heap limit\n",
    ],
)
def test_a_heap_that_was_full_is_known_by_nodes_last_words(said: bytes) -> None:
    last = outcome.LastWords()
    last.add(b"x" * 100_000 + b"\n" + said[:20])
    last.add(said[20:] + b" 1: node::OOMErrorHandler\n" * 50)
    assert last.heap_was_full(-signal.SIGABRT)
    assert last.heap_was_full(-signal.SIGTRAP)
    assert not last.heap_was_full(-signal.SIGKILL)
    assert not last.heap_was_full(134)
    last.add(b"y" * 16 * 1024)
    assert not last.heap_was_full(-signal.SIGABRT)


def test_a_heap_that_was_full_is_memory_that_ran_out() -> None:
    failure = outcome.crash(-signal.SIGABRT, out_of_memory=True)
    assert failure.type == "OutOfMemory"
    assert failure.message.startswith("the JavaScript heap was full")
    assert outcome.crash(-signal.SIGABRT).type == "Killed"


def test_a_payload_that_is_not_what_the_handler_declares_is_not_tried_again() -> None:
    invalid = outcome.Failure(outcome.INVALID, "payload.num: a text")
    assert not outcome.End(outcome.FAILED, failure=invalid).again(1, 3)
    assert outcome.End(outcome.FAILED, failure=outcome.Failure("ValueError", "")).again(1, 3)
