"""Linux's own way to hear of saved files: nothing to poll, and a save is heard of at once.

watchfiles looks every few milliseconds whether something has come, which costs both the time until
the next look and, while nothing happens, some 200 wakeups a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import struct
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

_CLOSE_WRITE: Final = 0x8
_MOVED_FROM: Final = 0x40
_MOVED_TO: Final = 0x80
_CREATE: Final = 0x100
_DELETE: Final = 0x200
_DELETE_SELF: Final = 0x400
_MOVE_SELF: Final = 0x800
_ONLYDIR: Final = 0x0100_0000
# Not IN_MODIFY: a file that is still being written is not saved yet.
_MASK: Final = (
    _CLOSE_WRITE
    | _MOVED_FROM
    | _MOVED_TO
    | _CREATE
    | _DELETE
    | _DELETE_SELF
    | _MOVE_SELF
    | _ONLYDIR
)
_EVENT: Final = struct.Struct("iIII")
_BUFFER: Final = 64 * 1024


class Inotify:
    """Watches directories, not what is below them. Close it.

    Raises:
        FileNotFoundError: one of the directories does not exist.
        OSError: the system's limit of watches or instances is reached.
    """

    def __init__(self, directories: Iterable[Path]) -> None:
        self.fd: Final = _call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._directories: dict[int, Path] = {}
        try:
            for directory in directories:
                path = os.fsencode(directory)
                self._directories[_call("inotify_add_watch", self.fd, path, _MASK)] = directory
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        os.close(self.fd)

    def read(self) -> frozenset[Path]:
        """The paths of all that has happened until now; a directory stands for itself."""
        paths = set()
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.fd, _BUFFER):
                position = 0
                while position < len(data):
                    watch, _, _, size = _EVENT.unpack_from(data, position)
                    position += _EVENT.size
                    name = data[position : position + size].rstrip(b"\0")
                    position += size
                    if watch in self._directories:  # else: too much has happened at once
                        paths.add(self._directories[watch] / os.fsdecode(name))
        return frozenset(paths)


async def changes(
    directories: Iterable[Path],
    stop: asyncio.Event,
    *,
    quiet: float,
    longest: float,
    timeout: float,  # noqa: ASYNC109 - not of the whole, but between two bursts
) -> AsyncIterator[frozenset[Path]]:
    """Bursts of changed paths until `stop` is set, and an empty one after `timeout` seconds
    without any. A burst ends after `quiet` seconds of silence, or when it is `longest` seconds old.

    Raises:
        FileNotFoundError: one of the directories does not exist.
        OSError: the system's limit of watches or instances is reached.
    """
    loop = asyncio.get_running_loop()
    inotify = Inotify(directories)
    heard = asyncio.Event()
    loop.add_reader(inotify.fd, _hear, loop, inotify.fd, heard)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        while not stop.is_set():
            hearing = asyncio.ensure_future(heard.wait())
            await asyncio.wait([stopping, hearing], timeout=timeout, return_when="FIRST_COMPLETED")
            hearing.cancel()
            if stop.is_set():
                return
            paths: frozenset[Path] = frozenset()
            until = loop.time() + longest
            while heard.is_set():
                heard.clear()
                paths |= inotify.read()
                loop.add_reader(inotify.fd, _hear, loop, inotify.fd, heard)
                if loop.time() < until:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(heard.wait(), quiet)
            yield paths
    finally:
        stopping.cancel()
        loop.remove_reader(inotify.fd)
        inotify.close()


def _hear(loop: asyncio.AbstractEventLoop, fd: int, heard: asyncio.Event) -> None:
    loop.remove_reader(fd)  # it stays readable until it is read
    heard.set()


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int | bytes) -> int:
    result: int = getattr(_libc(), name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
