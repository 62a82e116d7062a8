from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.daemon.terminal import HIGH_WATER, LOW_WATER, MUCH, Terminal
from tests.unit.daemon.screens import DEADLINE, Screen


def test_lines_appear_in_the_order_in_which_they_were_written() -> None:
    screen = Screen()
    screen.look()
    for number in range(1000):
        screen.terminal.line(str(number))
    assert screen.close().split() == [str(n).encode() for n in range(1000)]


def test_lines_of_several_threads_are_never_mixed() -> None:
    screen = Screen()
    screen.look()

    def write(letter: str) -> None:
        for _ in range(200):
            screen.terminal.line(letter * 100)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = screen.close().split()
    assert len(lines) == 800
    assert all(len(set(line)) == 1 for line in lines)


def test_lines_that_wait_are_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    begun, goes_on = threading.Event(), threading.Event()

    def write(_: Terminal, data: bytes) -> None:
        written.append(data)
        begun.set()
        assert goes_on.wait(DEADLINE)

    monkeypatch.setattr(Terminal, "_write", write)
    few, much = [b"a\n", b"b\n"], b"x" * MUCH + b"\n"
    with Path(os.devnull).open("wb") as nothing:
        terminal = Terminal(nothing.fileno(), colour=False)
        terminal.line("first")
        assert begun.wait(DEADLINE)
        for data in (*few, much, *few):
            terminal.write(data)
        goes_on.set()
        terminal.close()
    assert written == [b"first\n", b"".join(few) + much, b"".join(few)]


def test_text_that_cannot_be_encoded_is_escaped() -> None:
    screen = Screen()
    screen.look()
    screen.terminal.line("half \ud800, whole \U0001f600")
    assert screen.close().decode() == "half \\ud800, whole \U0001f600\n"


def test_a_terminal_that_nobody_reads_blocks_no_writer_and_says_when_there_is_room() -> None:
    screen = Screen()
    assert not screen.terminal.when_drained(lambda: None)
    data = b"x" * 99 + b"\n"
    for _ in range(2 * HIGH_WATER // len(data)):
        screen.terminal.write(data)
    drained = threading.Event()
    waiting: list[int] = []

    def now() -> None:
        waiting.append(screen.terminal._waiting)
        drained.set()

    assert screen.terminal.when_drained(now)
    assert not drained.is_set()
    screen.look()
    assert drained.wait(DEADLINE)
    assert waiting[0] < LOW_WATER
    assert len(screen.close()) == 2 * HIGH_WATER // len(data) * len(data)
    assert len(waiting) == 1


def test_a_terminal_that_was_closed_costs_only_its_output() -> None:
    screen = Screen()
    screen.turn_off()
    drained = threading.Event()
    for _ in range(3):
        screen.terminal.write(b"x" * HIGH_WATER + b"\n")
    if screen.terminal.when_drained(drained.set):
        assert drained.wait(DEADLINE)
    screen.close()


def test_a_terminal_that_somebody_made_non_blocking_loses_nothing() -> None:
    screen = Screen()
    os.set_blocking(screen.fd, False)
    data = b"y" * 99 + b"\n"
    for _ in range(5000):
        screen.terminal.write(data)
    screen.look()
    assert screen.close() == data * 5000


def test_closing_writes_what_waits() -> None:
    reader, writer = os.pipe()
    terminal = Terminal(writer, colour=False)
    terminal.line("last words")
    terminal.close()
    os.close(writer)
    assert os.read(reader, 100) == b"last words\n"
    os.close(reader)


def test_a_line_of_our_own_is_one_whatever_it_quotes() -> None:
    screen = Screen()
    screen.look()
    screen.terminal.line("connection lost: \x1b[2Jgone\n|  deadbeef  Done    took 1ms")
    screen.wait_for(b"1ms\n")
    assert screen.shows == b"connection lost: \\x1b[2Jgone\n  |  deadbeef  Done    took 1ms\n"
    screen.close()


def test_what_is_held_comes_before_what_is_written_later() -> None:
    screen = Screen()
    screen.terminal.hold(["one", "two"])
    screen.terminal.hold(["three"])
    screen.terminal.line("four")
    screen.terminal.line("five")
    assert screen.close() == b"one\ntwo\nthree\nfour\nfive\n"


def test_what_is_taken_back_is_not_written() -> None:
    screen = Screen()
    number = screen.terminal.hold(["one"])
    assert screen.terminal.take_back(number)
    assert not screen.terminal.take_back(number)
    assert screen.close() == b""


def test_what_was_written_cannot_be_taken_back() -> None:
    screen = Screen()
    number = screen.terminal.hold(["one"])
    screen.terminal.release()
    assert not screen.terminal.take_back(number)
    assert screen.close() == b"one\n"


def test_a_line_may_pass_what_is_held() -> None:
    screen = Screen()
    screen.terminal.hold(["one"])
    screen.terminal.pass_by("two")
    assert screen.close() == b"two\none\n"


def test_a_pipe_has_no_width_and_nothing_is_wrapped_in_it() -> None:
    screen = Screen()
    assert screen.terminal.width == 0
    screen.terminal.line("word " * 100, hang=4)
    assert screen.close() == b"word " * 100 + b"\n"


@pytest.fixture
def tty() -> Iterator[tuple[int, int]]:
    """The two ends of a terminal."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def _resize(end: int, width: int) -> None:
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))


def test_a_terminal_is_as_wide_as_it_is_now(tty: tuple[int, int]) -> None:
    mine, its = tty
    terminal = Terminal(its, colour=False)
    _resize(mine, 30)
    terminal.line("one two three four five six seven", hang=4)
    terminal.line("one two three four five six seven")
    _resize(mine, 40)
    terminal.line("one two three four five six seven", hang=4)
    terminal.close()
    shown = b""
    while shown.count(b"\n") < 4:
        shown += os.read(mine, 1000)
    assert shown.decode().split("\r\n") == [
        "one two three four five six",
        "    seven",
        "one two three four five six seven",
        "one two three four five six seven",
        "",
    ]
