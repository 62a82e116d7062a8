"""What the terminal shows of one worker: its lines behind a bar, and devbridge's own among them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from devbridge.daemon import lines
from devbridge.daemon.output import Lines
from devbridge.daemon.wrapping import columns, wrapped

PARTIAL_DELAY: Final = 0.25
"""Seconds of silence after which a line that has not ended is shown."""
LONGEST_PARTIAL: Final = 2.0
"""Seconds after which it is shown though it still grows, as a progress bar does."""
LEAST_SHOWN: Final = 20
"""Characters of a payload or result that are shown however narrow the terminal is."""
ONE_LINE: Final = 120
"""Columns of the longest line that tells of a whole run, where there is no terminal."""


class Screen(Protocol):
    """What of `devbridge.daemon.terminal.Terminal` a worker's lines need."""

    @property
    def width(self) -> int:
        """Columns; 0 where nothing is to be wrapped."""

    def line(self, text: str = "", *, hang: int = 0) -> None:
        """One line of devbridge's own."""

    def write(self, data: bytes) -> None:
        """Bytes that end with a newline, as they may be shown."""

    def take_back(self, number: int) -> bool:
        """Whether lines that were held had not been written; now they will not be."""

    def pass_by(self, text: str) -> None:
        """A line that what is held need not come before."""


class WorkerOutput:
    """What the terminal shows of one worker.

    Args:
        clock: `time.monotonic`, or of what is shown later than it happened.
    """

    def __init__(
        self, terminal: Screen, bar: str, clock: Callable[[], float] | None = None
    ) -> None:
        self._terminal = terminal
        self._clock = clock or time.monotonic
        self._loop = asyncio.get_running_loop()
        self._lines = Lines()
        self._bar = bar
        self._width = columns(bar)
        self._began: float | None = None
        self._held = 0
        """The terminal's number of the line that the run begins with, and that line."""
        self._invoked = ""
        self._timer: asyncio.TimerHandle | None = None
        self._show_by: float | None = None

    def begin(self, bar: str) -> None:
        """From now on it belongs to a run."""
        self.flush()
        self._bar, self._width, self._began = bar, columns(bar), self._clock()

    def printed(self, data: bytes) -> None:
        """Show the lines that are whole now; the rest when nothing more comes for a moment."""
        tag = self._tag()
        shown = self._lines.feed(data, tag)
        self._show(shown, tag)
        self._wait_no_more()
        if shown or not self._lines.pending:
            self._show_by = None
        if self._lines.pending:
            now = self._loop.time()
            self._show_by = self._show_by or now + LONGEST_PARTIAL
            self._timer = self._loop.call_at(min(now + PARTIAL_DELAY, self._show_by), self.flush)

    def fitted(self, line: Callable[[int], str]) -> str:
        """A line that the terminal has room for: what it quotes is cut, not left to run on.

        Args:
            line: makes it, quoting at most so many characters.
        """
        room = lines.PAYLOAD_SHOWN
        if width := self._terminal.width:
            left = width - self._width - columns(line(0))
            room = max(LEAST_SHOWN, min(room, left))
        return line(room)

    def say(self, text: str) -> None:
        """A line of devbridge's own among the output, behind the same bar."""
        tag = self._tag()
        self._show(self._lines.flush(tag), tag)
        self._terminal.line(self._bar + text, hang=self._width + lines.WORD)

    def say_soon(self, text: str, hold: Callable[[Sequence[str], int], int]) -> None:
        """The line that the run begins with: it may be held."""
        self._invoked = text
        self._held = hold([self._bar + text], self._width + lines.WORD)

    def say_at_once(self, whole: Callable[[str], str]) -> bool:
        """All of the run in one line, if its first one is still held, and it fits.

        Args:
            whole: makes that line of the first one.
        """
        text = self._bar + whole(self._invoked)
        if columns(text) > (self._terminal.width or ONE_LINE):
            return False
        if self._terminal.take_back(self._held):
            self._terminal.pass_by(text)
            return True
        return False

    def flush(self) -> None:
        """Show the line that has not ended."""
        self._wait_no_more()
        self._show_by = None
        tag = self._tag()
        self._show(self._lines.flush(tag), tag)

    def end(self) -> None:
        """Nothing more will come."""
        self.flush()
        tag = self._tag()
        self._show(self._lines.end(tag), tag)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tag(self) -> bytes:
        passed = "" if self._began is None else lines.elapsed(self._clock() - self._began)
        return (self._bar + passed).encode("utf-8", "backslashreplace")

    def _show(self, shown: bytes, tag: bytes) -> None:
        """Lines of output, each behind the tag."""
        if shown:
            if width := self._terminal.width:
                shown = wrapped(shown.decode(), width, columns(tag.decode())).encode()
            self._terminal.write(shown)
