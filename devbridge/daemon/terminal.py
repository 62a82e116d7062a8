"""The one printer: whole lines, in order, from a thread of its own.

A terminal may block (Ctrl-S, a slow pipe) and must never block the event loop; when too much waits,
the workers' pipes are no longer read, so their `print` waits, as it would on a terminal.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final

from devbridge.daemon.wrapping import wrapped
from devbridge.printable import continued
from devbridge.progress import LINE
from devbridge.redaction import redacted

HIGH_WATER: Final = 1024 * 1024
LOW_WATER: Final = 256 * 1024
BREATH: Final = 0.003
"""Seconds between two writes of a few lines: many lines in a row wake the printer's thread, for
which the event loop has to stand back, a few hundred times a second and not for each line."""
MUCH: Final = 16 * 1024
"""Bytes of one write to which no more lines are added, and after which there is no pause."""
CLOSE_TIMEOUT: Final = 2.0
"""Seconds that `close` waits for a terminal that takes nothing."""


class Terminal:
    """Writes to a file descriptor. `write` may be called from any thread and never blocks.

    What is held comes before whatever is written later, unless it was taken back by then.
    """

    def __init__(self, fd: int, *, colour: bool) -> None:
        self.colour = colour
        self._fd = fd
        self._is_terminal = os.isatty(fd)
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting = 0
        self._held: dict[int, bytes] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._resume: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    @property
    def width(self) -> int:
        """Columns, as they are now; 0 where nothing is to be wrapped: it is no terminal."""
        if not self._is_terminal:
            return 0
        try:
            return os.get_terminal_size(self._fd).columns
        except OSError:  # it was closed
            return 0

    def line(self, text: str = "", *, hang: int = 0) -> None:
        """One line of devbridge's own. What it quotes may have more: they are indented.

        Args:
            hang: columns by which what is too wide for the terminal is indented; 0: it is left to
                the terminal, so that it can be copied.
        """
        self.write(self._line(text, hang))

    def write(self, data: bytes) -> None:
        """Bytes that end with a newline, as they may be shown. What is held comes first."""
        with self._lock:
            if self._held:
                data = b"".join(self._held.values()) + data
                self._held.clear()
            self._put(data)

    def hold(self, texts: Sequence[str], *, hang: int = 0) -> int:
        """Lines that may be taken back until something is written, by the number returned."""
        data = b"".join(self._line(text, hang) for text in texts)
        with self._lock:
            self._held[number := next(self._numbers)] = data
        return number

    def take_back(self, number: int) -> bool:
        """Whether they had not been written; now they will not be."""
        with self._lock:
            return self._held.pop(number, None) is not None

    def pass_by(self, text: str) -> None:
        """A line that what is held need not come before: it tells of something else."""
        with self._lock:
            self._put(self._line(text, 0))

    def release(self) -> None:
        """Write what is held."""
        if self._held:
            self.write(b"")

    def when_drained(self, callback: Callable[[], None]) -> bool:
        """False when there is room. Else `callback` is called once, by the printer's thread."""
        with self._lock:
            if self._waiting < HIGH_WATER:
                return False
            self._resume.append(callback)
            return True

    def close(self) -> None:
        """Write what is held and what waits, then end the thread."""
        self.release()
        self._queue.put(None)
        self._thread.join(CLOSE_TIMEOUT)

    def _line(self, text: str, hang: int) -> bytes:
        text = continued(redacted(text))
        if hang and (width := self.width):
            text = wrapped(text, width, hang)
        return text.encode("utf-8", "backslashreplace") + b"\n"

    def _put(self, data: bytes) -> None:
        self._waiting += len(data)
        self._queue.put(data)

    def _next(self) -> tuple[bytes, bool]:
        """What is to be written at once, and whether that is all."""
        parts, size = [self._queue.get()], 0
        with contextlib.suppress(queue.Empty):
            while (last := parts[-1]) is not None and (size := size + len(last)) < MUCH:
                parts.append(self._queue.get_nowait())
        return b"".join(part for part in parts if part is not None), parts[-1] is None

    def _run(self) -> None:
        ends = False
        while not ends:
            data, ends = self._next()
            self._write(data)
            with self._lock:
                self._waiting -= len(data)
                calls = self._resume if self._waiting < LOW_WATER else []
                if calls:
                    self._resume = []
            for call in calls:
                call()
            if len(data) < MUCH and not ends:
                time.sleep(BREATH)

    def _write(self, data: bytes) -> None:
        # The reader of our output may have gone away: run on silently.
        with LINE.above(whole=True), contextlib.suppress(OSError):
            view = memoryview(data)
            while view:
                try:
                    view = view[os.write(self._fd, view) :]
                except BlockingIOError:  # whoever shares the terminal made it non-blocking
                    select.select((), (self._fd,), ())
