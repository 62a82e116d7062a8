"""One worker's pipe: what it prints is told as it comes, and no faster than it can be shown."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Final

CHUNK: Final = 64 * 1024
"""Bytes that are read at once: a pipe holds as many by default, and a larger buffer costs more page
faults than it spares reads."""
LEFT_OVER: Final = 1024 * 1024
"""Bytes that a pipe may hold at most (Linux's pipe-max-size)."""


class Capture:
    """Reads until the pipe's end or `finish`. Lives in the event loop's thread.

    Args:
        fd: the pipe; it is closed in the end.
        told: takes what was printed.
        when_drained: as `devbridge.daemon.narrator.Narrator.when_drained`; while it says that there
            is no room nothing is read, so that whoever prints waits.
    """

    def __init__(
        self,
        fd: int,
        told: Callable[[bytes], None],
        when_drained: Callable[[Callable[[], None]], bool],
    ) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._told = told
        self._when_drained = when_drained
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self.ended = asyncio.Event()
        """Set when everything that was printed was told."""
        self._loop.add_reader(fd, self._readable)

    def drain(self) -> None:
        """Take what the pipe holds now, and no more: somebody may print for ever."""
        left = 0 if self._closed else LEFT_OVER
        with contextlib.suppress(OSError):
            while left > 0 and (data := os.read(self._fd, min(CHUNK, left))):
                left -= len(data)
                self._told(data)

    def finish(self) -> None:
        """Take what is there and stop reading, though somebody may still hold the pipe."""
        if not self._closed:
            self.drain()
            self._close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        self._told(data)
        if self._when_drained(self._resume_soon):
            self._loop.remove_reader(self._fd)

    def _resume_soon(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._resume)

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._fd, self._readable)

    def _close(self) -> None:
        self._closed = True
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self.ended.set()
