"""A pipe, and all the way that its bytes go: to the terminal, and into a log."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from devbridge.daemon import lines, log_files, worker_output
from devbridge.daemon.capture import CHUNK, LEFT_OVER, WIDE, Capture
from devbridge.daemon.log_files import log_path
from devbridge.daemon.log_listener import LogListener
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.terminal import HIGH_WATER
from devbridge.daemon.terminal_listener import TerminalListener
from devbridge.daemon.told import Began, Gone, Printed, Remarked, Told, Who
from tests.unit.daemon.screens import DEADLINE, Screen

NEVER = 3600.0
MEGABYTE = 1024 * 1024
INVOKED = b"|  run  Invoke job 5\n"


class Job:
    """A capture over a pipe, with the end of it that a worker would have."""

    def __init__(self, screen: Screen, folder: Path) -> None:
        reader, self.writer = os.pipe()
        self.who = Who("w1", "job")
        self.told: list[Told] = []
        self.log_path = log_path(folder, "job", "run")
        self.narrator = Narrator(when_drained=self._watch)
        self.narrator.add(LogListener(folder, log_files.MAX_LOG, self.narrator.tell))
        self.narrator.add(TerminalListener(screen.terminal, folder, folder))
        self.narrator.add(self)
        self.capture = Capture(
            reader,
            lambda data: self.narrator.tell(Printed(self.who, data)),
            self.narrator.when_drained,
        )
        self._paused = asyncio.Event()
        self._when_drained = screen.terminal.when_drained

    def on(self, event: Told) -> None:
        self.told.append(event)

    def _watch(self, callback: Callable[[], None]) -> bool:
        full = self._when_drained(callback)
        if full:
            self._paused.set()
        return full

    def begin(self) -> None:
        self.capture.drain()
        self.who = Who("w1", "job", "run")
        self.narrator.tell(Began(self.who, 1, 1, b"5"))

    def print(self, data: bytes) -> None:
        """Little enough for the pipe to take it."""
        assert os.write(self.writer, data) == len(data)

    def print_all(self, data: bytes) -> threading.Thread:
        """However much it is, then the end."""

        def work() -> None:
            view = memoryview(data)
            while view:
                view = view[os.write(self.writer, view) :]
            self.end()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def end(self) -> None:
        os.close(self.writer)

    async def paused(self) -> None:
        """Return when the pipe is not read any more, because too much waits for the terminal."""
        await asyncio.wait_for(self._paused.wait(), DEADLINE)

    async def ended(self) -> None:
        await asyncio.wait_for(self.capture.ended.wait(), DEADLINE)
        self.narrator.tell(Gone(self.who))

    @property
    def log(self) -> bytes:
        return self.log_path.read_bytes()


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "elapsed", lambda seconds: "+ ")


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    made.close()


@pytest.fixture
async def job(screen: Screen, tmp_path: Path) -> AsyncIterator[Job]:
    made = Job(screen, tmp_path)
    yield made
    made.capture.finish()
    made.narrator.tell(Gone(made.who))


def start_yes(fd: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["yes"], stdout=fd, stderr=subprocess.DEVNULL)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not true():  # noqa: ASYNC110 - each turn of the loop
            await asyncio.sleep(0)


async def seen(screen: Screen, text: bytes) -> None:
    await asyncio.to_thread(screen.wait_for, text)


async def test_output_goes_to_the_terminal_tagged_and_to_the_log_as_it_came(
    job: Job, screen: Screen
) -> None:
    screen.look()
    job.begin()
    job.print(b"hello\r\n\xff\xfe\x00\n")
    job.end()
    await job.ended()
    await seen(screen, INVOKED + b"|  run  + hello\n|  run  + \\xff\\xfe\\x00\n")
    assert job.log == b"hello\r\n\xff\xfe\x00\n"


async def test_a_line_of_ten_megabytes_arrives_whole_in_the_log(job: Job, screen: Screen) -> None:
    screen.look()
    job.begin()
    data = b"x" * (10 * MEGABYTE) + b"\n"
    job.print_all(data)
    await job.ended()
    assert job.log == data
    shown = (await asyncio.to_thread(screen.close)).removeprefix(INVOKED)
    assert shown.replace(b"|  run  + ", b"").replace(b"\n", b"") == data[:-1]


async def test_what_is_printed_before_the_run_is_not_in_its_log(job: Job, screen: Screen) -> None:
    screen.look()
    job.print(b"importing")
    job.begin()
    job.print(b"running\n")
    job.end()
    await job.ended()
    await seen(screen, b"|  job  importing\n" + INVOKED + b"|  run  + running\n")
    assert job.log == b"running\n"


async def test_draining_takes_what_is_there_at_once(job: Job) -> None:
    job.print(b"hello")
    job.capture.drain()
    assert job.told == [Printed(job.who, b"hello")]
    job.capture.drain()
    assert len(job.told) == 1


async def test_a_pipe_that_has_ended_is_not_read_again(job: Job) -> None:
    job.print(b"importing")
    job.end()
    await asyncio.wait_for(job.capture.ended.wait(), DEADLINE)
    reader, writer = os.pipe()  # it may get the number of the pipe that was closed
    os.write(writer, b"somebody else's")
    job.capture.drain()
    job.capture.finish()
    assert job.told == [Printed(job.who, b"importing")]
    assert os.read(reader, 100) == b"somebody else's"
    os.close(reader)
    os.close(writer)


async def test_a_slow_terminal_makes_the_worker_wait_and_nothing_is_lost(
    job: Job, screen: Screen
) -> None:
    job.begin()
    data = b"".join(b"%07d\n" % number for number in range(MEGABYTE))
    writing = job.print_all(data)
    await job.paused()
    assert not job.capture.ended.is_set()
    assert writing.is_alive()
    assert len(job.log) < 4 * HIGH_WATER
    screen.look()
    await job.ended()
    assert job.log == data
    shown = (await asyncio.to_thread(screen.close)).removeprefix(INVOKED)
    assert shown.replace(b"|  run  + ", b"") == data


async def test_while_there_is_no_room_nothing_is_read_and_then_all_of_it() -> None:
    reader, writer = os.pipe()
    told: list[bytes] = []
    waiting: list[Callable[[], None]] = []

    def full(callback: Callable[[], None]) -> bool:
        waiting.append(callback)
        return len(waiting) == 1

    loop = asyncio.get_running_loop()
    capture = Capture(reader, told.append, full)
    os.write(writer, b"one")
    await until(lambda: bool(waiting))
    os.write(writer, b"two")
    assert loop.remove_reader(reader) is False  # nobody looks at it now
    await asyncio.to_thread(waiting[0])
    os.close(writer)
    async with asyncio.timeout(DEADLINE):
        await capture.ended.wait()
    assert told == [b"one", b"two"]


async def test_what_a_pipe_still_holds_is_taken_though_the_terminal_is_slow(
    job: Job, screen: Screen
) -> None:
    job.begin()
    screen.terminal.write(b"-" * 2 * HIGH_WATER + b"\n")
    job.print(b"first\n")
    await job.paused()
    job.print(b"last words\n")
    job.capture.finish()
    job.end()
    assert job.log == b"first\nlast words\n"
    screen.look()
    await seen(screen, b"|  run  + last words\n")


async def test_a_terminal_that_was_closed_does_not_disturb_the_run(
    job: Job, screen: Screen
) -> None:
    screen.turn_off()
    job.begin()
    data = b"hello\n" * MEGABYTE
    job.print_all(data)
    await job.ended()
    assert job.log == data


async def test_a_log_that_cannot_be_made_is_told_once_and_the_run_goes_on(
    screen: Screen, tmp_path: Path
) -> None:
    screen.look()
    job = Job(screen, tmp_path / "no such folder")
    job.begin()
    job.print(b"hello\n")
    job.end()
    await job.ended()
    await seen(screen, b"the log file cannot be written: No such file")
    await seen(screen, b"|  run  + hello\n")
    assert len([event for event in job.told if isinstance(event, Remarked)]) == 1


async def test_a_process_that_prints_for_ever_holds_nobody_up(
    screen: Screen, tmp_path: Path
) -> None:
    screen.look()
    job = Job(screen, tmp_path)
    with start_yes(job.writer) as endless:
        job.end()
        await seen(screen, b"|  job  y\n")
        job.begin()
        await seen(screen, b"|  run  + y\n")
        job.capture.finish()
        await job.ended()
        endless.wait(DEADLINE)
    assert set(job.log.split()) == {b"y"}


async def test_no_more_is_taken_at_once_than_a_pipe_can_hold(job: Job) -> None:
    """Whoever prints as fast as it is read must not hold up the event loop."""
    taken: list[int] = []

    def refill(data: bytes) -> None:
        taken.append(len(data))
        job.print(b"x" * len(data))

    job.capture._told = refill
    job.print(b"x" * 65536)
    job.capture.drain()
    assert sum(taken) == LEFT_OVER
    job.capture._told = lambda data: None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe is as wide as it is")
@pytest.mark.parametrize("refused", [False, True])
async def test_a_pipe_that_is_filled_is_made_wider_where_the_system_lets_us(
    job: Job, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    ask = fcntl.fcntl

    def refuse(*_: int) -> int:
        raise PermissionError

    def size() -> int:
        return ask(job.writer, fcntl.F_GETPIPE_SZ)

    if refused:
        monkeypatch.setattr("devbridge.daemon.capture.fcntl.fcntl", refuse)
    job.begin()
    job.print(b"few\n")
    await until(lambda: job.log == b"few\n")
    assert size() == CHUNK
    much = b"much".ljust(CHUNK - 1, b"-") + b"\n"
    job.print(much)
    await until(lambda: job.log == b"few\n" + much)
    assert size() == (CHUNK if refused else WIDE)
    job.print(much)
    job.end()
    await job.ended()
    assert job.log == b"few\n" + much * 2


async def test_finishing_twice_is_harmless(job: Job) -> None:
    job.capture.finish()
    job.capture.finish()
    assert job.capture.ended.is_set()
    job.end()


async def test_an_unfinished_line_is_shown_after_a_moment(job: Job, screen: Screen) -> None:
    screen.look()
    job.begin()
    job.print(b"your name? ")
    await seen(screen, b"|  run  + your name? \n")
    job.print(b"Ada\n")
    await seen(screen, b"|  run  + Ada\n")
    assert job.log == b"your name? Ada\n"


async def test_a_progress_bar_that_never_rests_is_shown_now_and_then(
    job: Job, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_output, "PARTIAL_DELAY", NEVER)
    monkeypatch.setattr(worker_output, "LONGEST_PARTIAL", 0.05)
    screen.look()
    job.begin()
    deadline = asyncio.get_running_loop().time() + DEADLINE
    while b"% done" not in screen.shows:
        job.print(b"\r7% done")
        await asyncio.sleep(0.001)
        assert asyncio.get_running_loop().time() < deadline
