"""One worker's pipe: what it prints is told as it comes, and no faster than it can be shown."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
from collections.abc import Callable
from typing import Final

CHUNK: Final = 64 * 1024
"""Bytes that a pipe holds, unless it was made wider: they are read at once."""
WIDE: Final = 256 * 1024
"""Bytes that the pipe of a worker holds that has filled it."""
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
        self._chunk = CHUNK
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
            while left > 0 and (data := os.read(self._fd, min(self._chunk, left))):
                left -= len(data)
                self._told(data)

    def finish(self) -> None:
        """Take what is there and stop reading, though somebody may still hold the pipe."""
        if not self._closed:
            self.drain()
            self._close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, self._chunk)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        if CHUNK == self._chunk == len(data):
            self._widen()
        self._told(data)
        if self._when_drained(self._resume_soon):
            self._loop.remove_reader(self._fd)

    def _widen(self) -> None:
        """The more a pipe holds, the less often whoever prints and whoever shows wait for each
        other; few print that much, and what pipes may hold together is limited."""
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # it is the limit of this user
                self._chunk = fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, WIDE)
                # The C library maps what is that large anew each time, and the kernel page by
                # page, unless something larger was freed before.
                bytearray(4 * WIDE)

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
