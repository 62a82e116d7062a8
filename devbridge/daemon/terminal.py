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
from collections.abc import Callable
from typing import Final

from devbridge.printable import continued
from devbridge.progress import LINE
from devbridge.redaction import redacted

HIGH_WATER: Final = 1024 * 1024
LOW_WATER: Final = 256 * 1024
CLOSE_TIMEOUT: Final = 2.0
"""Seconds that `close` waits for a terminal that takes nothing."""


class Terminal:
    """Writes to a file descriptor. `write` may be called from any thread and never blocks."""

    def __init__(self, fd: int, *, colour: bool) -> None:
        self.colour = colour
        self._fd = fd
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._resume: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    def line(self, text: str = "") -> None:
        """One line of devbridge's own. What it quotes may have more: they are indented."""
        self.write(continued(redacted(text)).encode("utf-8", "backslashreplace") + b"\n")

    def write(self, data: bytes) -> None:
        """Bytes that end with a newline, as they may be shown."""
        with self._lock:
            self._waiting += len(data)
        self._queue.put(data)

    def when_drained(self, callback: Callable[[], None]) -> bool:
        """False when there is room. Else `callback` is called once, by the printer's thread."""
        with self._lock:
            if self._waiting < HIGH_WATER:
                return False
            self._resume.append(callback)
            return True

    def close(self) -> None:
        """Write what waits, then end the thread."""
        self._queue.put(None)
        self._thread.join(CLOSE_TIMEOUT)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            self._write(data)
            with self._lock:
                self._waiting -= len(data)
                calls = self._resume if self._waiting < LOW_WATER else []
                if calls:
                    self._resume = []
            for call in calls:
                call()

    def _write(self, data: bytes) -> None:
        # The reader of our output may have gone away: run on silently.
        with LINE.above(whole=True), contextlib.suppress(OSError):
            view = memoryview(data)
            while view:
                try:
                    view = view[os.write(self._fd, view) :]
                except BlockingIOError:  # whoever shares the terminal made it non-blocking
                    select.select((), (self._fd,), ())
