"""Tells of saves below directories: the shell around inotify, or around watchfiles where there is
none."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from devbridge.daemon import inotify

QUIET: Final = 0.002
"""Seconds of silence that end a burst of file events."""
POLL: Final = 0.005
"""The same where watchfiles polls for them: its default of 0.05 adds 77 ms to a save."""
LONGEST: Final = 0.1
"""Seconds that a burst is collected for at most."""
LOOK: Final = 5.0
"""Seconds between looks for saves that no event told of."""
LOOK_AGAIN: Final = 1.0
"""Seconds between looks for a directory when none exists."""


class Watcher:
    """Yields bursts of saved paths below directories that may change on the way."""

    def __init__(self) -> None:
        self._directories: frozenset[Path] = frozenset()
        self._restart = asyncio.Event()

    def watch(self, directories: frozenset[Path]) -> None:
        """From now on watch these. Cheap when nothing changes."""
        if directories != self._directories:
            self._directories = directories
            self._restart.set()

    async def bursts(self) -> AsyncIterator[frozenset[Path]]:
        """The paths of each burst; now and then an empty one, to look for what was missed."""
        while True:
            self._restart.clear()
            there = _identities(self._directories)
            if not there:
                await self._wait_for_directories()
                continue
            try:
                async for paths in _changes(sorted(there), self._restart):
                    yield paths
                    if _identities(self._directories) != there:  # removed, or made anew
                        self._restart.set()
            except FileNotFoundError:  # gone just now: look anew
                pass
            except OSError:  # the system has no watch left: look now and then
                await self._wait_for_directories()
            yield frozenset()

    async def _wait_for_directories(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._restart.wait(), LOOK_AGAIN)


async def _changes(directories: list[Path], stop: asyncio.Event) -> AsyncIterator[frozenset[Path]]:
    if sys.platform == "linux":
        async for paths in inotify.changes(
            directories, stop, quiet=QUIET, longest=LONGEST, timeout=LOOK
        ):
            yield paths
        return
    from watchfiles import awatch  # needed only here, and it takes memory

    async for changes in awatch(
        *directories,
        watch_filter=None,
        step=int(POLL * 1000),
        debounce=int(LONGEST * 1000),
        rust_timeout=int(LOOK * 1000),
        stop_event=stop,
        recursive=False,
        yield_on_timeout=True,
    ):
        yield frozenset(Path(path) for _, path in changes)


def _identities(directories: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """The directories that exist: one that is made anew under its old name is another one."""
    found = {}
    for directory in directories:
        with contextlib.suppress(OSError):
            stat = directory.stat()
            found[directory] = (stat.st_dev, stat.st_ino)
    return found
