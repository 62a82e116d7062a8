"""Linux's own way to hear of saved files: nothing to poll, and a save is heard of at once.

watchfiles looks every few milliseconds whether something has come, which costs both the time until
the next look and, while nothing happens, some 200 wakeups a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from asyncinotify import Inotify, Mask

# Not MODIFY: a file that is still being written is not saved yet.
_MASK: Final = (
    Mask.CLOSE_WRITE
    | Mask.MOVED_FROM
    | Mask.MOVED_TO
    | Mask.CREATE
    | Mask.DELETE
    | Mask.DELETE_SELF
    | Mask.MOVE_SELF
    | Mask.ONLYDIR
)


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
    with Inotify() as inotify:
        for directory in directories:
            inotify.add_watch(directory, _MASK)
        stopping = asyncio.ensure_future(stop.wait())
        getting = asyncio.ensure_future(inotify.get())  # cancelled, it could lose an event
        try:
            while not stop.is_set():
                paths: set[Path] = set()
                wait, until = timeout, loop.time() + timeout
                while loop.time() < until:
                    await asyncio.wait(
                        [stopping, getting], timeout=wait, return_when=asyncio.FIRST_COMPLETED
                    )
                    if stop.is_set() or not getting.done():
                        break
                    if not paths:
                        until = loop.time() + longest
                    wait = quiet
                    if (path := getting.result().path) is not None:
                        paths.add(path)
                    getting = asyncio.ensure_future(inotify.get())
                if not stop.is_set():
                    yield frozenset(paths)
        finally:
            stopping.cancel()
            getting.cancel()
            await asyncio.wait([stopping, getting])
