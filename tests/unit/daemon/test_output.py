from __future__ import annotations

import asyncio
import os
import re
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge import printable
from devbridge.daemon import lines, output
from devbridge.daemon.output import LONGEST_LINE, Capture, Lines, LogFile
from devbridge.daemon.terminal import HIGH_WATER
from devbridge.folders import rotated_log
from tests.unit.daemon.screens import DEADLINE, Screen

NEVER = 3600.0
MEGABYTE = 1024 * 1024


class Job:
    """A capture over a pipe, with the end of it that a worker would have."""

    def __init__(self, screen: Screen, log_path: Path) -> None:
        reader, self.writer = os.pipe()
        self.log_path = log_path
        self.problems: list[str] = []
        self.capture = Capture(reader, screen.terminal, "standby| ")
        self._paused = asyncio.Event()
        self._when_drained = screen.terminal.when_drained
        screen.terminal.when_drained = self._watch  # type: ignore[method-assign]

    def _watch(self, callback: Callable[[], None]) -> bool:
        full = self._when_drained(callback)
        if full:
            self._paused.set()
        return full

    def begin(self) -> None:
        self.capture.begin("run| ")
        self.capture.keep(LogFile(self.log_path, self.problems.append))

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
        self.capture.release()

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
    made = Job(screen, tmp_path / "run.log")
    yield made
    made.capture.finish()
    made.capture.release()


def start_yes(fd: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["yes"], stdout=fd, stderr=subprocess.DEVNULL)


async def seen(screen: Screen, text: bytes) -> None:
    await asyncio.to_thread(screen.wait_for, text)


# --- bytes to lines -----------------------------------------------------------------------------


def test_each_line_gets_the_tag() -> None:
    assert Lines().feed(b"one\n\ntwo\n", "| ") == "| one\n| \n| two\n"


def test_only_newlines_end_lines() -> None:
    text = "a\u2028b\u0085c\x0bd\x0ce\n"
    assert Lines().feed(text.encode(), "| ") == "| a\\u2028b\\x85c\\x0bd\\x0ce\n"


def test_colours_pass_and_end_with_their_line() -> None:
    red = b"\x1b[41m red\nnext \x1b[1;38:5:4mone\x1b[0m\n"
    assert Lines().feed(red, "| ") == "| \x1b[41m red\x1b[0m\n| next \x1b[1;38:5:4mone\x1b[0m\n"


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b]52;c;QUFB\x07",  # clipboard
        "\x1b]0;title\x1b\\",
        "\x1b[2J\x1b[1A\x1b[2K",
        "\x1b[?1049h\x1b[?25l",
        "\x1b[>4;2m",  # ends with m, and is no colour
        "\x1bPq#0\x1b\\",
        "\x1bc\x0e\x08\x7f\x00",
        "\x9b2J\x9d52;c;QUFB\x9c",
        "\u202eodd\u2066\u2028|  deadbeef  Done",
    ],
)
def test_what_a_terminal_obeys_is_shown_as_text_however_it_comes(sequence: str) -> None:
    data = f"a{sequence}b\n".encode()
    pieces = Lines()
    expected = "| " + printable.shown(f"a{sequence}b") + "\n"
    assert expected.isascii()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", expected)
    assert Lines().feed(data, "| ") == expected
    assert "".join(pieces.feed(data[n : n + 1], "| ") for n in range(len(data))) == expected


def test_no_sequence_is_put_together_from_what_was_shown_before() -> None:
    lines = Lines()
    lines.feed(b"a\x1b[3", "| ")
    assert lines.flush("| ") == "| a\n"
    assert lines.feed(b"1mred\n", "| ") == "| \x1b[31mred\x1b[0m\n"
    lines.feed(b"b\x1b]0;t", "| ")
    assert lines.flush("| ") == "| b\\x1b]0;t\n"
    assert lines.feed(b"\x07\n", "| ") == "| \\x07\n"
    lines.feed(b"c\x1b[", "| ")
    assert lines.end("| ") == "| c\\x1b[\n"


def test_a_line_is_whole_though_it_came_in_pieces() -> None:
    lines = Lines()
    assert lines.feed(b"on", "| ") == ""
    assert lines.pending
    assert lines.feed(b"e\ntw", "| ") == "| one\n"
    assert lines.feed(b"o\n", "| ") == "| two\n"
    assert not lines.pending


def test_bytes_that_are_not_utf_8_are_shown_as_what_they_are() -> None:
    assert Lines().feed(b"caf\xe9 \xff\xfe\n", "") == "caf\\xe9 \\xff\\xfe\n"


def test_a_character_that_is_cut_in_two_is_whole_again() -> None:
    lines = Lines()
    whole = "\U0001f600 \u65e5\u672c\n".encode()
    assert "".join(lines.feed(bytes([byte]), "") for byte in whole) == whole.decode()


def test_output_that_ends_within_a_character_is_shown_to_the_end() -> None:
    lines = Lines()
    lines.feed(b"caf\xc3", "| ")
    assert lines.end("| ") == "| caf\\xc3\n"
    assert lines.end("| ") == ""


def test_the_last_state_of_a_progress_bar_is_shown() -> None:
    assert Lines().feed(b"10%\r50%\r100%\n", "| ") == "| 100%\n"


def test_lines_with_carriage_returns_at_their_ends_are_lines() -> None:
    assert Lines().feed(b"one\r\ntwo\r\n", "| ") == "| one\n| two\n"


def test_a_line_that_is_too_long_is_shown_in_pieces() -> None:
    lines = Lines()
    shown = lines.feed(b"x" * (LONGEST_LINE + 1), "| ")
    assert shown == "| " + "x" * (LONGEST_LINE + 1) + "\n"
    assert not lines.pending


@given(st.lists(st.binary(max_size=20)))
def test_nothing_is_lost_and_every_line_is_tagged_however_it_is_cut(pieces: list[bytes]) -> None:
    lines = Lines()
    shown = "".join(lines.feed(piece, "| ") for piece in pieces) + lines.end("| ")
    everything = b"".join(pieces).decode("utf-8", "backslashreplace")
    expected = [line.rstrip("\r").rpartition("\r")[2] for line in everything.split("\n")]
    if not everything or everything.endswith("\n"):
        expected.pop()
    assert shown == "".join(f"| {printable.shown(line)}\n" for line in expected)


# --- capture ------------------------------------------------------------------------------------


async def test_output_goes_to_the_terminal_tagged_and_to_the_log_as_it_came(
    job: Job, screen: Screen
) -> None:
    screen.look()
    job.begin()
    job.print(b"hello\r\n\xff\xfe\x00\n")
    job.end()
    await job.ended()
    await seen(screen, b"run| + hello\nrun| + \\xff\\xfe\\x00\n")
    assert job.log == b"hello\r\n\xff\xfe\x00\n"


async def test_output_without_a_newline_is_not_lost(job: Job, screen: Screen) -> None:
    screen.look()
    job.begin()
    job.print(b"no newline")
    job.end()
    await job.ended()
    await seen(screen, b"run| + no newline\n")
    assert job.log == b"no newline"


async def test_an_unfinished_line_is_shown_after_a_moment(job: Job, screen: Screen) -> None:
    screen.look()
    job.begin()
    job.print(b"your name? ")
    await seen(screen, b"run| + your name? \n")
    job.print(b"Ada\n")
    await seen(screen, b"run| + Ada\n")
    assert job.log == b"your name? Ada\n"


async def test_a_progress_bar_that_never_rests_is_shown_now_and_then(
    job: Job, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PARTIAL_DELAY", NEVER)
    monkeypatch.setattr(output, "LONGEST_PARTIAL", 0.05)
    screen.look()
    job.begin()
    deadline = asyncio.get_running_loop().time() + DEADLINE
    while b"% done" not in screen.shows:
        job.print(b"\r7% done")
        await asyncio.sleep(0.001)
        assert asyncio.get_running_loop().time() < deadline


async def test_a_line_of_ten_megabytes_arrives_whole_in_the_log(job: Job, screen: Screen) -> None:
    screen.look()
    job.begin()
    data = b"x" * (10 * MEGABYTE) + b"\n"
    job.print_all(data)
    await job.ended()
    assert job.log == data
    shown = await asyncio.to_thread(screen.close)
    assert shown.replace(b"run| + ", b"").replace(b"\n", b"") == data[:-1]


async def test_what_is_printed_before_the_run_is_not_in_its_log(job: Job, screen: Screen) -> None:
    screen.look()
    job.print(b"importing")
    job.begin()
    job.print(b"running\n")
    job.end()
    await job.ended()
    await seen(screen, b"standby| importing\nrun| + running\n")
    assert job.log == b"running\n"


async def test_what_was_printed_before_a_run_is_kept_up_to_a_bound(job: Job) -> None:
    job.print(b"x" * output.KEPT)
    assert job.capture.printed() == b"x" * output.KEPT
    job.print(b"importing")
    assert job.capture.printed() == b"x" * (output.KEPT - 9) + b"importing"
    job.begin()
    assert job.capture.printed() == b""


async def test_what_was_printed_is_known_when_the_worker_has_gone(job: Job) -> None:
    job.print(b"importing")
    job.end()
    await job.ended()
    reader, writer = os.pipe()  # it may get the number of the pipe that was closed
    os.write(writer, b"somebody else's")
    assert job.capture.printed() == b"importing"
    assert os.read(reader, 100) == b"somebody else's"
    os.close(reader)
    os.close(writer)


async def test_a_line_of_our_own_does_not_break_into_an_unfinished_one(
    job: Job, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PARTIAL_DELAY", NEVER)
    screen.look()
    job.begin()
    job.print(b"half\nha")
    await seen(screen, b"half\n")
    job.capture.say("Done")
    await seen(screen, b"run| + half\nrun| + ha\nrun| Done\n")


async def test_a_trace_goes_to_the_log_only(job: Job, screen: Screen) -> None:
    screen.look()
    job.begin()
    job.capture.log(b"Traceback\n")
    job.end()
    await job.ended()
    assert job.log == b"Traceback\n"
    assert b"Traceback" not in await asyncio.to_thread(screen.close)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
async def test_a_full_disk_is_told_once_and_the_run_goes_on(screen: Screen, tmp_path: Path) -> None:
    screen.look()
    job = Job(screen, Path("/dev/full"))
    job.begin()
    for number in range(3):
        job.print(b"line %d\n" % number)
        await seen(screen, b"line %d\n" % number)
    job.capture.log(b"Traceback")
    job.end()
    await job.ended()
    assert len(job.problems) == 1
    assert re.search("log file cannot be written: No space left", job.problems[0])


async def test_a_log_that_cannot_be_made_is_told_once_and_the_run_goes_on(
    screen: Screen, tmp_path: Path
) -> None:
    screen.look()
    job = Job(screen, tmp_path / "no such folder" / "run.log")
    job.begin()
    job.print(b"hello\n")
    job.end()
    await job.ended()
    await seen(screen, b"run| + hello\n")
    assert len(job.problems) == 1


async def test_the_log_is_for_its_owner_only(job: Job) -> None:
    job.begin()
    assert job.log_path.stat().st_mode & 0o777 == 0o600


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
    shown = await asyncio.to_thread(screen.close)
    assert shown.replace(b"run| + ", b"") == data


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
    await seen(screen, b"run| + last words\n")


async def test_a_terminal_that_was_closed_does_not_disturb_the_run(
    job: Job, screen: Screen
) -> None:
    screen.turn_off()
    job.begin()
    data = b"hello\n" * MEGABYTE
    job.print_all(data)
    await job.ended()
    assert job.log == data


async def test_a_process_that_prints_for_ever_holds_nobody_up(
    screen: Screen, tmp_path: Path
) -> None:
    screen.look()
    job = Job(screen, tmp_path / "run.log")
    with start_yes(job.writer) as endless:
        job.end()
        await seen(screen, b"standby| y\n")
        job.begin()
        await seen(screen, b"run| + y\n")
        job.capture.finish()
        await job.ended()
        endless.wait(DEADLINE)
    assert set(job.log.split()) == {b"y"}


async def test_finishing_twice_is_harmless(job: Job) -> None:
    job.capture.finish()
    job.capture.finish()
    job.capture.release()
    job.capture.release()
    assert job.capture.ended.is_set()
    job.end()


# --- rotation -----------------------------------------------------------------------------------


class Rotating:
    """A log file with a limit, and what was said of it."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.said: list[str] = []
        self.file = LogFile(path, self.said.append, limit=limit, on_rotate=self.said.append)

    @property
    def parts(self) -> list[bytes]:
        """The oldest first."""
        paths = (rotated_log(self.path), self.path)
        return [path.read_bytes() for path in paths if path.exists()]

    @property
    def text(self) -> bytes:
        lines = b"".join(self.parts).splitlines(keepends=True)
        return b"".join(line for line in lines if not line.startswith(b"--- devbridge: rotated"))


def test_a_log_below_the_limit_is_one_file_with_the_exact_bytes(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "run.log", 8192)
    log.file.write(b"x" * 4096)
    assert log.parts == [b"x" * 4096]
    assert log.said == []
    log.file.close()


def test_a_log_keeps_the_newest_lines_within_its_limit(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "run.log", 8192)
    lines = [b"line %05d\n" % number for number in range(3000)]
    for line in lines:
        log.file.write(line)
        assert sum(map(len, log.parts)) <= 8192
    log.file.close()
    assert len(log.parts) == 2
    assert b"".join(lines).endswith(log.text)
    assert len(log.text) > 4096
    assert all(part.startswith(b"--- devbridge: rotated here; of this log") for part in log.parts)
    assert rotated_log(log.path).stat().st_mode & 0o777 == 0o600


def test_the_first_rotation_is_told_and_no_other(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "run.log", 2 * MEGABYTE)
    log.file.write(b"line\n" * MEGABYTE)
    log.file.close()
    [said] = log.said
    assert "what came before is in run.log.1" in said
    assert "the newest 2 MiB are kept" in said


@given(st.lists(st.binary(max_size=5000), max_size=12))
def test_whatever_is_printed_a_log_has_the_newest_of_it_within_its_limit(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    log = Rotating(tmp_path_factory.mktemp("log") / "run.log", 4096)
    for piece in pieces:
        log.file.write(piece)
    log.file.close()
    assert sum(map(len, log.parts)) <= 4096
    seam = log.file._seam()
    assert b"".join(pieces).endswith(b"".join(log.parts).replace(seam, b""))
    assert not [said for said in log.said if "cannot" in said]


def test_the_next_attempt_goes_on_in_the_same_log_and_with_its_limit(tmp_path: Path) -> None:
    for attempt in (b"first", b"second", b"third"):
        log = Rotating(tmp_path / "run.log", 4096)
        log.file.write(attempt + b"." * 1000 + b"\n")
        log.file.close()
    assert b"first" in log.parts[0]
    assert b"third" in log.parts[1]


def test_a_log_that_cannot_be_rotated_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "run.log.1").mkdir()
    log = Rotating(tmp_path / "run.log", 4096)
    for _ in range(3):
        log.file.write(b"x\n" * 1500)
    assert len(log.said) == 1
    assert "cannot be written" in log.said[0]
