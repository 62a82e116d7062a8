"""One attempt over a worker that is no process, and over time that passes when it is waited for."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from runner import attempt, outcome, process
from runner.attempt import Inbox, Output
from runner.invocation import Invocation
from runner.outcome import (
    CANCELLED,
    CRASHED,
    FAILED,
    INTERRUPTED,
    SUCCEEDED,
    TIMED_OUT,
    End,
    Failure,
)
from runner.runtime_api import (
    Event,
    InitFailed,
    Lingers,
    Raised,
    Reached,
    Responded,
    Started,
    Stopped,
)
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(5)
INVOCATION = Invocation("p:1", b"{}", 0.0)
PID = 4321
FAILURE = Failure("KeyError", "'x'")
TIMEOUT, GRACE = 60.0, 30.0
SIGKILL, SIGTERM = signal.SIGKILL, signal.SIGTERM


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now

    monotonic = time


class Script(Inbox):
    """An inbox to which the worker's story comes when it is asked: time passes until then."""

    def __init__(self, clock: Clock, *story: tuple[float, object]) -> None:
        super().__init__()
        self.clock = clock
        self.story = list(story)
        """Seconds since the beginning, and what happens then: an event, an exit code, a call."""
        self.began = clock.now
        self.dies_of: dict[int, float] = {SIGKILL: 0.0}
        """Signals that end the worker, and after how many seconds."""

    def get(self, attempt: object, timeout: float | None) -> Event | int | None:
        now = self.clock.now
        until = None if timeout is None else now + timeout
        if not self.story:
            assert until is not None, "it would wait for ever"
            self.clock.now = until
            return None
        at, what = self.story[0]
        at = max(now, self.began + at)
        if until is not None and at > until:
            self.clock.now = until
            return None
        self.story.pop(0)
        self.clock.now = at
        if callable(what):
            what()
            return None
        if isinstance(what, Started):
            return Started(self.clock.now)
        assert not isinstance(what, str | float)
        return what  # type: ignore[return-value]

    def stop(self) -> None:
        self.terminated = True


class World:
    """What the attempt does to the outside: `signals` and when, in seconds since it began."""

    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = clock
        self.signals: list[tuple[int, float]] = []
        self.commands: list[Any] = []
        self.options: dict[str, Any] = {}
        self.ended_groups: list[tuple[int, float]] = []
        self.kills: Iterator[int] = itertools.repeat(0)
        self.inbox = Script(clock)
        self.invocation = INVOCATION
        monkeypatch.setattr(attempt, "time", clock)
        popen = SimpleNamespace(Popen=self.start, DEVNULL=subprocess.DEVNULL)
        monkeypatch.setattr(attempt, "subprocess", popen)
        monkeypatch.setattr(process, "signal_group", self.signal)
        monkeypatch.setattr(process, "end_group", lambda *what: self.ended_groups.append(what))
        monkeypatch.setattr(outcome, "oom_kills", lambda: next(self.kills))

    def start(self, command: list[str], **options: Any) -> SimpleNamespace:
        self.commands.append(command)
        self.options = options
        os.write(options["stdout"].fileno(), b"printed\n")
        return SimpleNamespace(pid=PID, wait=lambda: threading.Event().wait(0))

    def signal(self, pid: int, number: int) -> None:
        assert pid == PID
        self.signals.append((number, self.clock.now - self.inbox.began))
        if (after := self.inbox.dies_of.get(number)) is not None:
            self.inbox.story.append((self.clock.now - self.inbox.began + after, -number))

    def run(self, *story: tuple[float, object], **options: Any) -> End:
        self.inbox.story += story
        api: Any = SimpleNamespace(expect=self._expect, interrupt=lambda: None)
        reader, writer = os.pipe()
        try:
            return attempt.run(
                api,
                INVOCATION,
                {"A": "b"},
                root="/app",
                inbox=self.inbox,
                output=Output(writer),
                timeout=TIMEOUT,
                grace=GRACE,
                **options,
            )
        finally:
            os.close(writer)
            self.output = os.read(reader, 1000)
            os.close(reader)

    def _expect(self, invocation: Invocation, timeout: float, tell: Callable[[Event], None]) -> str:
        assert (invocation.payload, timeout) == (INVOCATION.payload, TIMEOUT)
        self.invocation = invocation
        assert callable(tell)
        return "127.0.0.1:1/token"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(Clock(), monkeypatch)


STARTED = Started(0.0)


# --- how it ends --------------------------------------------------------------------------------


def test_a_result_is_a_success_which_took_from_the_payload_to_the_answer(world: World) -> None:
    end = world.run((1, STARTED), (3, Responded(b"5")), (9, 0))
    assert end == End(SUCCEEDED, b"5")
    assert end.took == pytest.approx(2)
    assert world.signals == []
    assert world.ended_groups == [(PID, outcome.LINGER)]


def test_an_error_is_a_failure_that_may_end_better(world: World) -> None:
    end = world.run((1, STARTED), (2, Raised(FAILURE)), (2, 0))
    assert end == End(FAILED, failure=FAILURE)
    assert end.took == pytest.approx(1)


def test_a_handler_that_cannot_be_loaded_would_not_be_loaded_again(world: World) -> None:
    end = world.run((2, InitFailed(FAILURE)), (3, 1))
    assert end == End(FAILED, failure=FAILURE, final=True)
    assert end.took == pytest.approx(2), "since the beginning: it was never started"


def test_the_first_answer_counts(world: World) -> None:
    end = world.run((1, STARTED), (2, Responded(b"1")), (3, Raised(FAILURE)), (4, 0))
    assert end == End(SUCCEEDED, b"1")
    assert end.took == pytest.approx(1)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [(3, "Exited", "code 3"), (0, "Exited", "code 0"), (-signal.SIGSEGV, "Killed", "SIGSEGV")],
)
def test_a_worker_that_goes_without_an_answer_has_crashed(
    world: World, status: int, kind: str, said: str
) -> None:
    end = world.run((1, STARTED), (4, status))
    assert (end.state, end.final) == (CRASHED, False)
    assert end.took == pytest.approx(3)
    assert end.failure is not None
    assert end.failure.type == kind
    assert said in end.failure.message
    assert "imported" not in end.failure.message


def test_one_that_goes_while_it_imports_has_failed_for_good(world: World) -> None:
    end = world.run((2, 3))
    assert (end.state, end.final) == (FAILED, True)
    assert end.took == pytest.approx(2)
    assert end.failure is not None
    assert end.failure.message.endswith("while the handler was imported")


@pytest.mark.parametrize(("kills", "kind"), [([4, 5], "OutOfMemory"), ([5, 5], "Killed")])
def test_a_kill_because_memory_ran_out_is_told_as_that(
    world: World, kills: list[int], kind: str
) -> None:
    world.kills = iter(kills)
    end = world.run((1, STARTED), (4, -SIGKILL))
    assert end.state == CRASHED
    assert end.failure is not None
    assert end.failure.type == kind


def test_so_is_that_memory_ran_out_while_it_imports(world: World) -> None:
    world.kills = itertools.count()
    end = world.run(*((at, -SIGKILL) for at in (1, 2, 3)))
    assert (end.state, end.final) == (FAILED, True)
    assert end.failure is not None
    assert end.failure.type == "OutOfMemory"


# --- imports that are killed --------------------------------------------------------------------


def test_an_import_that_was_killed_from_outside_is_tried_again(world: World) -> None:
    end = world.run((1, -SIGKILL), (2, -SIGKILL), (3, STARTED), (4, Responded(b"1")), (5, 0))
    assert end == End(SUCCEEDED, b"1")
    assert len(world.commands) == 3


def test_but_not_a_third_time(world: World) -> None:
    end = world.run(*((at, -SIGKILL) for at in (1, 2, 3, 4)))
    assert (end.state, end.final) == (FAILED, True)
    assert len(world.commands) == 3


@pytest.mark.parametrize(
    "story",
    [
        ((1, STARTED), (2, -SIGKILL)),
        ((1, -signal.SIGSEGV),),
        ((1, InitFailed(FAILURE)), (2, 1)),
    ],
)
def test_any_other_end_is_the_end(world: World, story: tuple[tuple[float, object], ...]) -> None:
    world.run(*story)
    assert len(world.commands) == 1


def test_an_import_that_is_killed_because_the_build_is_to_stop_is_not_tried_again(
    world: World,
) -> None:
    end = world.run((1, world.inbox.stop))
    assert end.state == CANCELLED
    assert world.signals == [(SIGTERM, 1), (SIGKILL, 1 + GRACE)]
    assert len(world.commands) == 1


# --- stopping -----------------------------------------------------------------------------------


def test_a_handler_whose_time_is_up_gets_sigterm_and_then_sigkill(world: World) -> None:
    end = world.run((10, STARTED))
    assert end == End(TIMED_OUT)
    assert world.signals == [(SIGTERM, 10 + TIMEOUT), (SIGKILL, 10 + TIMEOUT + GRACE)]
    assert end.took == pytest.approx(TIMEOUT + GRACE)


def test_the_import_has_no_timeout(world: World) -> None:
    end = world.run((500, STARTED), (501, Responded(b"1")), (502, 0))
    assert end.state == SUCCEEDED


def test_what_it_answers_in_its_grace_is_kept_and_the_state_is_that_of_the_stop(
    world: World,
) -> None:
    world.inbox.dies_of = {SIGKILL: 0}
    end = world.run((0, STARTED), (TIMEOUT + 5, Raised(FAILURE)), (TIMEOUT + 6, 0))
    assert end == End(TIMED_OUT, failure=FAILURE)
    assert world.signals == [(SIGTERM, TIMEOUT)]


def test_an_import_error_after_the_stop_is_not_for_good(world: World) -> None:
    end = world.run((1, world.inbox.stop), (2, InitFailed(FAILURE)), (3, 1))
    assert end == End(CANCELLED, failure=FAILURE, final=False)


def test_a_worker_that_goes_at_sigterm_was_stopped_and_has_not_crashed(world: World) -> None:
    world.inbox.dies_of = {SIGTERM: 0.5}
    end = world.run((0, STARTED))
    assert end == End(TIMED_OUT)
    assert world.signals == [(SIGTERM, TIMEOUT)]


def test_a_build_that_is_to_stop_stops_the_handler_once(world: World) -> None:
    end = world.run((1, STARTED), (2, world.inbox.stop), (3, world.inbox.stop))
    assert end == End(CANCELLED)
    assert world.signals == [(SIGTERM, 2), (SIGKILL, 2 + GRACE)]


def test_a_kill_that_got_lost_is_sent_again(world: World) -> None:
    world.inbox.dies_of = {}
    at = TIMEOUT + GRACE
    end = world.run((0, STARTED), (at + 2 * outcome.KILL_AGAIN + 1, -SIGKILL))
    assert end.state == TIMED_OUT
    assert world.signals[1:] == [(SIGKILL, at + n * outcome.KILL_AGAIN) for n in range(3)]


def test_our_own_kill_is_not_that_memory_ran_out(world: World) -> None:
    world.kills = iter([0, 1])
    world.inbox.dies_of = {SIGKILL: 0}
    end = world.run((0, STARTED))
    assert end == End(TIMED_OUT)


def test_a_worker_that_has_answered_is_killed_when_it_lingers(world: World) -> None:
    end = world.run((0, STARTED), (5, Responded(b"1")))
    assert end == End(SUCCEEDED, b"1")
    assert world.signals == [(SIGKILL, 5 + outcome.LINGER)]


def test_what_goes_on_after_the_answer_is_said_at_once_and_when_it_is_ended(world: World) -> None:
    lingers = Lingers(("its thread 'a'",))
    world.run((0, STARTED), (1, lingers), (5, Responded(b"1")), (6, lingers))
    assert [line for line in world.output.decode().splitlines() if line != "printed"] == [
        "--- devbridge: the handler has ended, but its thread 'a' goes on: it is ended in 9s",
        "--- devbridge: ended: its thread 'a'",
    ]


def test_a_worker_that_has_answered_is_not_stopped_any_more(world: World) -> None:
    world.run((0, STARTED), (TIMEOUT - 1, Responded(b"1")), (TIMEOUT, world.inbox.stop))
    assert world.signals == [(SIGKILL, TIMEOUT - 1 + outcome.LINGER)]


def test_an_answer_in_the_grace_gives_no_more_time(world: World) -> None:
    world.run((0, STARTED), (TIMEOUT + GRACE - 1, Responded(b"1")))
    assert world.signals == [(SIGTERM, TIMEOUT), (SIGKILL, TIMEOUT + GRACE)]


# --- the process --------------------------------------------------------------------------------


# --- checkpoints --------------------------------------------------------------------------------


def test_an_attempt_begins_at_a_checkpoint_and_its_own_are_kept(world: World) -> None:
    kept: list[bytes] = []
    told = (1, STARTED), (2, Reached(b"8")), (3, Responded(b"9")), (4, 0)
    end = world.run(*told, checkpoint=b"7", keep=kept.append, stop_at=12.5)
    assert end.state == SUCCEEDED
    assert kept == [b"8"]
    assert world.invocation == replace(INVOCATION, checkpoint=b"7", stop_at=12.5)


def test_one_that_cannot_be_kept_is_said_and_ends_nothing(world: World) -> None:
    def keep(_checkpoint: bytes) -> None:
        raise OSError("no network")

    told = (1, STARTED), (2, Reached(b"8")), (3, Responded(b"9")), (4, 0)
    assert world.run(*told, keep=keep).state == SUCCEEDED
    assert b"devbridge: a checkpoint could not be stored: OSError: no network" in world.output


def test_nobody_need_keep_them(world: World) -> None:
    told = (1, STARTED), (2, Reached(b"8")), (3, Responded(b"9")), (4, 0)
    assert world.run(*told).state == SUCCEEDED


def test_a_handler_that_stops_at_its_last_checkpoint_was_interrupted(world: World) -> None:
    end = world.run((1, STARTED), (2, Reached(b"8")), (5, Stopped()), (5, 0))
    assert end == End(INTERRUPTED)
    assert end.took == 4
    assert world.signals == []


@pytest.mark.parametrize(
    "story",
    [
        [(12.0, Reached(b"8")), (12.0, Stopped()), (12.1, 0)],
        [(12.0, Raised(Failure("SystemExit", "sys.exit(0)"))), (12.1, 0)],
        [(12.0, -SIGTERM)],
        [],  # it is killed
    ],
)
def test_where_sigterm_means_that_whoever_does_not_answer_was_interrupted(
    world: World, story: list[tuple[float, object]]
) -> None:
    told = (1, STARTED), (11, world.inbox.stop), *story
    assert world.run(*told, interruptible=True) == End(INTERRUPTED)
    assert world.signals[0] == (SIGTERM, 11)


def test_but_one_that_comes_to_its_end_has_done_so(world: World) -> None:
    told = (1, STARTED), (11, world.inbox.stop), (12, Responded(b"9")), (12, 0)
    assert world.run(*told, interruptible=True) == End(SUCCEEDED, b"9")


def test_an_interruption_while_it_imports_is_one(world: World) -> None:
    assert world.run((1, world.inbox.stop), (2, -SIGKILL), interruptible=True) == End(INTERRUPTED)
    assert len(world.commands) == 1


def test_a_build_that_is_to_stop_is_cancelled_wherever_the_handler_stops(world: World) -> None:
    told = (1, STARTED), (11, world.inbox.stop), (12, Stopped()), (12, 0)
    assert world.run(*told).state == CANCELLED


def test_an_interrupted_attempt_whose_time_was_up_has_timed_out(world: World) -> None:
    assert world.run((1, STARTED), (62, Stopped()), (62, 0)).state == TIMED_OUT


def test_the_worker_is_the_runner_in_a_session_of_its_own_in_the_apps_folder(world: World) -> None:
    world.run((0, STARTED), (1, Responded(b"1")), (2, 0))
    runner = str(Path(attempt.__file__).parent)
    assert world.commands == [[sys.executable, runner, "die-with", str(os.getpid())]]
    options = world.options
    assert options["env"] == {"A": "b", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1/token"}
    assert (options["cwd"], options["stdin"]) == ("/app", subprocess.DEVNULL)
    assert options["start_new_session"] is True
    assert options["stdout"] is options["stderr"]
    assert options["stdout"].closed
    assert world.output == b"printed\n"


# --- the inbox and the output -------------------------------------------------------------------


def test_an_attempt_gets_its_own_events_only() -> None:
    inbox, mine, other = Inbox(), object(), object()
    inbox.put(other, 5)
    inbox.put(mine, 7)
    assert inbox.get(mine, 10) is None, "there is something else to look at"
    assert inbox.get(mine, 10) == 7
    assert inbox.get(mine, 0.01) is None


def test_sigterm_is_remembered_and_ends_a_wait() -> None:
    inbox, before = Inbox(), signal.getsignal(signal.SIGTERM)
    try:
        inbox.listen()
        assert inbox.pause(0)
        assert not inbox.terminated
        os.kill(os.getpid(), signal.SIGTERM)
        eventually(lambda: inbox.terminated)
        assert inbox.get(object(), 10) is None
        assert not inbox.pause(60)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_pause_lasts_whatever_comes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    waits: list[float] = []

    class Queue:
        def get(self, timeout: float) -> None:
            waits.append(timeout)
            clock.now += 2

    monkeypatch.setattr(attempt, "time", clock)
    inbox = Inbox()
    monkeypatch.setattr(inbox, "_queue", Queue())
    assert inbox.pause(5)
    assert waits == [5, 3, 1]


def test_a_line_of_the_runners_own_begins_at_the_margin() -> None:
    reader, writer = os.pipe()
    output = Output(writer)
    output.line("one")
    source, sink = os.pipe()
    os.write(sink, b"no end of line")
    os.close(sink)
    output.copy(source)
    output.line("two \ud800")
    output.line("three")
    os.close(writer)
    assert os.read(reader, 1000) == b"one\nno end of line\ntwo \\ud800\nthree\n"
    os.close(reader)
    with pytest.raises(OSError, match="descriptor"):
        os.read(source, 1)


def test_output_that_is_taken_in_pieces_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: SimpleQueue[bytes] = SimpleQueue()

    def write(_descriptor: int, data: bytes) -> int:
        taken.put(data[:3])
        return min(3, len(data))

    monkeypatch.setattr(attempt.os, "write", write)  # type: ignore[attr-defined]
    Output().line("12345")
    assert taken.get_nowait() + taken.get_nowait() == b"12345\n"
    assert taken.empty()
