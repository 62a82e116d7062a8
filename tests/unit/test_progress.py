from __future__ import annotations

import io
import os
import pty
import select
import sys
import termios
import threading
from collections.abc import Iterator

import pytest

from devbridge.daemon.terminal import Terminal
from devbridge.printable import Printer
from devbridge.progress import PATIENCE, ProgressLine, Task


class Screen(io.StringIO):
    """A terminal as a program sees it."""

    def isatty(self) -> bool:
        return True

    def taken(self) -> str:
        """What was written since the last time."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def line(clock: Clock, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProgressLine]:
    """One that is drawn when the test says so."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(ProgressLine, "_tick", lambda _: None)
    line = ProgressLine(clock)
    assert line.attach(screen)
    yield line
    line.detach()


# --- what it says -------------------------------------------------------------------------------


def test_what_takes_less_than_a_second_is_not_shown() -> None:
    task = Task("upload", "to b", 10, "bytes", began=5.0)
    assert task.text(5.0 + PATIENCE - 0.01) == ""
    assert task.text(5.0 + PATIENCE)


@pytest.mark.parametrize(
    ("task", "done", "text"),
    [
        (Task("plan", "stack s", 0, "", 0), 0, "  plan     stack s  7s"),
        (Task("deploy", "stack s", 16, "", 0), 12, "  deploy   12 of 16  stack s  7s"),
        (
            Task("install", "x", 22, "packages", 0),
            11,
            "  install  [##########----------]  11 of 22 packages  x  7s",
        ),
        (
            Task("upload", "to b", 3 << 20, "bytes", 0),
            2 << 20,
            "  upload   [#############-------]  2.0 of 3.0 MB  to b  7s",
        ),
        (
            Task("pack", "Job 'x'", 99, "bytes", 0),
            200,  # a file that has grown
            "  pack     [####################]  200 of 99 bytes  Job 'x'  7s",
        ),
    ],
)
def test_it_says_how_far_it_is_as_far_as_that_is_known(task: Task, done: int, text: str) -> None:
    task.add(done)
    assert task.text(7.9) == text


# --- where it shows -----------------------------------------------------------------------------


def test_it_is_rewritten_in_place_and_leaves_nothing(
    line: ProgressLine, clock: Clock, screen: Screen
) -> None:
    with line.task("plan", "stack s"):
        line.draw()
        assert screen.taken() == ""
        clock.now = 1.0
        line.draw()
        assert screen.taken() == "\r\x1b[K  plan     stack s  1s"
        line.draw()
        assert screen.taken() == "", "it is written only when it changes"
    assert screen.taken() == "\r\x1b[K"


def test_what_others_print_goes_above_it(line: ProgressLine, clock: Clock, screen: Screen) -> None:
    printer = Printer(screen, colour=True, redact=str, last=line)
    with line.task("plan", "stack s"):
        clock.now = 1.0
        line.draw()
        screen.taken()
        print("a warning", file=printer)
        assert screen.taken() == ("\r\x1b[Ka warning\n\r\x1b[K  plan     stack s  1s")


def test_nothing_is_shown_behind_a_question_until_enter_is_pressed(
    line: ProgressLine, clock: Clock, screen: Screen
) -> None:
    printer = Printer(screen, colour=True, redact=str, last=line)
    with line.task("plan", "stack s"):
        clock.now = 1.0
        printer.write("deploy this? [y/N]: ")
        line.draw()
        assert screen.taken() == "deploy this? [y/N]: "
        line.entered()
        line.draw()
        assert "plan" in screen.taken()


def test_of_several_tasks_the_one_that_began_last_is_shown(
    line: ProgressLine, clock: Clock, screen: Screen
) -> None:
    with line.task("pack", "the code"):
        with line.task("install", "x"):
            clock.now = 1.0
            line.draw()
            assert "install" in screen.taken()
        line.draw()
        assert "pack" in screen.taken()


def test_where_there_is_no_terminal_or_a_dumb_one_nothing_is_shown(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen()
    for stream, term in ((io.StringIO(), "xterm"), (screen, "dumb")):
        monkeypatch.setenv("TERM", term)
        line = ProgressLine(clock)
        assert not line.attach(stream)
        assert not line.shows
        with line.task("plan", "stack s"):
            clock.now += 9
            line.draw()
        assert stream.getvalue() == ""


# --- a real terminal ----------------------------------------------------------------------------


def test_on_a_real_terminal_it_is_as_wide_as_that_and_the_daemons_lines_go_above_it(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 40))
    line = ProgressLine(clock)
    monkeypatch.setattr("devbridge.daemon.terminal.LINE", line)
    seen = b""

    def shown(until: bytes) -> bytes:
        nonlocal seen
        while until not in seen:
            assert select.select([ours], [], [], 10)[0], seen
            seen += os.read(ours, 4096)
        text, _, seen = seen.partition(until)
        return text + until

    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        assert line.attach(stream)
        terminal = Terminal(stream.fileno(), colour=True)
        drawn = threading.Event()
        with line.task("deploy", "a" * 80):
            clock.now = 3.0
            drawn.set()
            assert shown(b"a" * 26) == b"\r\x1b[K  deploy   " + b"a" * 26, "37 of 40 columns"
            terminal.line("|  8f14e45f  Invoke x")
            assert shown(b"Invoke x\r\n").startswith(b"\r\x1b[K|  8f14e45f")
            assert b"deploy" in shown(b"a" * 26)
        assert shown(b"\x1b[K") == b"\r\x1b[K"
        terminal.close()
        line.detach()
    os.close(ours)


def test_the_process_has_one_line_and_it_shows_nothing_here() -> None:
    from devbridge.progress import LINE

    assert not LINE.shows
    assert not sys.stdout.isatty()
