"""Hot reload: which saved files concern which jobs.

`Sources` decides and is pure but for what it remembers; `Watcher` is the shell around inotify, or
around watchfiles where there is none.
What is watched is what the handlers really imported. While a handler cannot be imported at all,
every Python file of the app counts: any of them may be the one that mends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
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

Signature = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Saved:
    """What a burst of saves means."""

    jobs: frozenset[str]
    app: bool


class Sources:
    """Knows which files each job and the app itself consist of."""

    def __init__(self, root: Path, app_files: Iterable[Path], loaded: float = math.inf) -> None:
        """The app was loaded from `app_files` at `loaded` (seconds since the epoch)."""
        self._root = root
        self._app_files: frozenset[Path] = frozenset()
        self._files: dict[str, frozenset[Path]] = {}
        self._broken: set[str] = set()
        self._launched: dict[str, float] = {}
        self._seen: dict[Path, Signature | None] = {}
        self.app_loaded(app_files, loaded)

    def directories(self) -> frozenset[Path]:
        """What must be watched, not recursively."""
        directories = {file.parent for file in self._watched() if file.parent.is_dir()}
        if self._broken:
            directories |= set(_code_directories(self._root))
        return frozenset(directories)

    def app_loaded(self, files: Iterable[Path], loaded: float = math.inf) -> None:
        """app.py began to be loaded then, and read these files. One that was saved since is found
        by the next `saved`."""
        before, self._app_files = self._watched(), frozenset(files)
        for file in self._app_files - before:
            signature = sign(file)
            if signature is None or _modified(signature) <= loaded:
                self._seen[file] = signature

    def launched(self, job: str, at: float) -> None:
        """A worker begins to import the job's handler, `at` seconds since the epoch."""
        self._launched[job] = at

    def imported(self, job: str, files: frozenset[Path], started: float) -> bool:
        """A worker that was started at `started` (seconds since the epoch) has imported `files`.

        True when one of them was saved since, before anybody watched it: the worker may hold
        either version, so it must be replaced.
        """
        self._broken.discard(job)
        before = self._watched()
        fresh = files - self._files.get(job, frozenset())
        self._files[job] = files
        stale = False
        for file in fresh:
            signature = sign(file)
            if file not in before:  # else a save that `saved` has not been told of would get lost
                self._seen[file] = signature
            stale = stale or (signature is not None and _modified(signature) > started)
        return stale

    def broke(self, job: str, handler_file: Path) -> None:
        """The job's handler could not be imported."""
        self._broken.add(job)
        signature = sign(handler_file)
        if handler_file not in self._watched() and (
            signature is None or _modified(signature) <= self._launched.get(job, math.inf)
        ):
            self._seen[handler_file] = signature
        self._files[job] = self._files.get(job, frozenset()) | {handler_file}

    def forget(self, jobs: Iterable[str]) -> None:
        for job in jobs:
            self._files.pop(job, None)
            self._launched.pop(job, None)
            self._broken.discard(job)

    def saved(self, paths: Iterable[Path]) -> Saved:
        """Which jobs a burst of file events concerns.

        Events without a change are left out, and changes without an event are found: a watcher
        that starts anew, or a file system that tells nothing, must not lose a save.
        """
        changed = set()
        python_files = {path for path in paths if path.suffix == ".py"}
        for path in self._watched() | python_files:
            signature = sign(path)
            if self._seen.get(path) != signature:
                changed.add(path)
                self._seen[path] = signature
        python = any(path.suffix == ".py" for path in changed)
        jobs = {job for job, files in self._files.items() if files & changed}
        if python:
            jobs |= self._broken
        return Saved(frozenset(jobs), bool(self._app_files & changed))

    def _watched(self) -> frozenset[Path]:
        return self._app_files.union(*self._files.values())


def _code_directories(root: Path) -> Iterator[Path]:
    """The app's own folders: without hidden ones, environments and installed packages."""
    for folder, below, _ in os.walk(root):
        path = Path(folder)
        below[:] = [
            name
            for name in below
            if not name.startswith((".", "__"))
            and name not in ("node_modules", "site-packages")
            and not (path / name / "pyvenv.cfg").exists()
        ]
        yield path


def sign(file: Path) -> Signature | None:
    """What tells one version of a file from another: modification time in ns, and size."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _modified(signature: Signature) -> float:
    return signature[0] / 1e9


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
    from watchfiles import awatch  # noqa: PLC0415 - needed only here, and it takes memory

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
