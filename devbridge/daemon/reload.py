"""Which saved files concern which jobs: decided, and nothing else but files' dates is looked at.

What is watched is what the handlers really read when they were imported: modules of the app and of
libraries beside it, data files, installed packages, and the folders in which a new file would
satisfy or shadow an import. While a handler cannot be imported at all, every file of the app with
code counts: any of them may be the one that mends it.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devbridge.sources.folder import folders_in
from devbridge.sources.known import INSTALLED, is_code, is_installed
from devbridge.sources.known import changed as forget_kept
from devbridge.workers.signatures import (
    Declarations,
    Entries,
    Looker,
    Signature,
    Watched,
    modified,
    sign,
)

RESTLESS: Final = 10
"""Changes of one file within `CALM` seconds after which it makes no new workers by itself, but only
when a run needs one: whoever imports it may be the one who changes it."""
RESTLESS_CODE: Final = 60
"""The same for code: editors that save by themselves do so every second."""
CALM: Final = 60.0


@dataclass(frozen=True, slots=True)
class Saved:
    """What a burst of saves means."""

    jobs: frozenset[str]
    """Their workers are out of date."""
    app: bool
    settling: frozenset[str] = frozenset()
    """So are theirs, as installed packages have changed; more is likely to follow."""
    restless: tuple[tuple[str, Path], ...] = ()
    """Jobs, and what they read and somebody changes again and again: found just now."""


class Sources:
    """Knows which files each job and the app itself consist of."""

    def __init__(self, root: Path, app_files: Iterable[Watched], loaded: float = math.inf) -> None:
        """The app was loaded from `app_files` at `loaded` (seconds since the epoch)."""
        self._root = root
        self._extra: dict[str, frozenset[Path]] = {}
        self._app_files: frozenset[Watched] = frozenset()
        self._app_broken = False
        self._code: dict[Path, Signature | None] = {}
        """The app's files with code when it was found broken."""
        self._files: dict[str, frozenset[Watched]] = {}
        self._installed: dict[str, frozenset[Path]] = {}
        self._recorded: set[str] = set()
        self._overdue: set[str] = set()
        """Jobs whose workers are out of date, and have not been replaced yet."""
        self._broken: set[str] = set()
        self._launched: dict[str, float] = {}
        self._seen: dict[Watched, Signature | None] = {}
        self._changes: dict[Watched, deque[float]] = {}
        """When the latest changes were found."""
        self._folders: dict[Watched, frozenset[Path]] = {}
        """Where events of it come from, as long as it is the same: links take long to follow."""
        self._told: tuple[tuple[object, ...], frozenset[Path]] = (), frozenset()
        """All of these folders, and of which files: hundreds, and seldom others after a save."""
        self._sign = Looker()
        self.app_loaded(app_files, loaded)

    def directories(self) -> frozenset[Path]:
        """What must be watched, not recursively. The rest is looked at now and then."""
        of = (self._app_files, *self._files.values(), *self._installed.values())
        if self._told[0] != of:
            known = self._folders
            self._folders = {
                item: known[item] if item in known else frozenset(self._folders_of(item))
                for item in self._watched() | self._packages()
            }
            self._told = of, frozenset[Path]().union(*self._folders.values())
        directories = {each for each in self._told[1] if os.path.isdir(each)}  # noqa: PTH112 - many
        if self._broken or self._app_broken:
            directories |= set(_code_directories(self._root))
        return frozenset(directories)

    def _forget_folders(self, item: Watched) -> None:
        """It may be another link now."""
        self._folders.pop(item, None)
        self._told = (), frozenset()

    def _folders_of(self, item: Watched) -> Iterator[Path]:
        if isinstance(item, Entries):
            yield item.folder
        elif isinstance(item, Declarations):
            yield from folders_in(item.folder)
        elif is_code(item) or item.is_relative_to(self._root) or is_installed(item):
            yield from (item.parent, Path(os.path.realpath(item)).parent)

    def app_loaded(self, files: Iterable[Watched], loaded: float = math.inf) -> None:
        """app.py began to be loaded then, and read these files. One that was saved since is found
        by the next `saved`."""
        self._app_broken = False
        before, self._app_files = self._watched(), frozenset(files)
        for file in self._app_files - before:
            if isinstance(file, Declarations):
                self._seen[file] = file.seen
                continue
            signature = self._sign(file)
            if signature is None or modified(signature) <= loaded:
                self._seen[file] = signature

    def app_broke(self, loaded: float = math.inf) -> bool:
        """The app, which began to be loaded then, could not be loaded, or not be deployed. Any file
        of it may be what mends it, also one that does not exist yet.

        True when one was saved meanwhile.
        """
        self._app_broken = True
        self._know_code(loaded)
        before, self._code = self._code, {file: sign(file) for file in _code_files(self._root)}
        return any(
            modified(signature) > loaded and before.get(file) != signature
            for file, signature in self._code.items()
        )

    def also(self, job: str, files: Iterable[Path]) -> None:
        """What the job reads in a way that its workers do not report."""
        self._extra[job] = frozenset(files)

    def launched(self, job: str, at: float) -> None:
        """A worker begins to import the job's handler, `at` seconds since the epoch."""
        self._launched[job] = at

    def wants_record(self, job: str) -> bool:
        """Whether the next worker must record what it reads: none has since the last change."""
        return job not in self._recorded

    def imported(
        self,
        job: str,
        files: frozenset[Watched],
        started: float,
        *,
        installed: frozenset[Path] = frozenset(),
        recorded: bool = True,
    ) -> bool:
        """A worker that was started at `started` (seconds since the epoch) has read `files`, and
        `installed` of other people's packages. If it has not `recorded` all, what the one before
        it has read is kept.

        True when one of them was saved since, before anybody watched it: the worker may hold
        either version, so it must be replaced.
        """
        self._broken.discard(job)
        files = frozenset(item for item in files if not _is_internal(item))
        files |= self._extra.get(job, frozenset())
        had, had_installed = self._files.get(job), self._installed.get(job)
        fresh = files - (had or frozenset())
        if installed != had_installed:
            fresh |= installed - (had_installed or frozenset())
        before = self._watched() | self._packages() if fresh else frozenset[Watched]()
        if recorded:
            self._recorded.add(job)
        else:
            files |= had or frozenset()
            installed |= had_installed or frozenset()
        self._files[job], self._installed[job] = files, installed
        stale = False
        for item in fresh:
            self._forget_folders(item)
            signature = self._sign(item)
            if item not in before:  # else a save that `saved` has not been told of would get lost
                self._seen[item] = signature
            if modified(signature) > started and not self._is_restless(item, started):
                self._has_changed(item, started)
                if isinstance(item, Path) and is_code(item):
                    forget_kept(item)
                stale = True
        return stale

    def broke(self, job: str, handler_file: Path) -> None:
        """The job's handler could not be imported."""
        self._broken.add(job)
        self._recorded.discard(job)
        signature = sign(handler_file)
        if handler_file not in self._watched() and (
            signature is None or modified(signature) <= self._launched.get(job, math.inf)
        ):
            self._seen[handler_file] = signature
        self._files[job] = self._files.get(job, frozenset()) | {handler_file}
        self._know_code(self._launched.get(job, math.inf))

    def _know_code(self, then: float) -> None:
        """Remember the app's files with code that nothing is known of, as far as they are not
        newer: a folder that is new is not watched when its first file comes."""
        for file in _code_files(self._root):
            if file not in self._seen and modified(signature := sign(file)) <= then:
                self._seen[file] = signature

    def forget(self, jobs: Iterable[str]) -> None:
        """These jobs are no part of the app any more."""
        for job in jobs:
            self._files.pop(job, None)
            self._installed.pop(job, None)
            self._launched.pop(job, None)
            for each in (self._broken, self._recorded, self._overdue):
                each.discard(job)

    def saved(self, paths: Iterable[Path], now: float | None = None) -> Saved:
        """Which jobs a burst of file events concerns; `now` is in seconds since the epoch.

        Events without a change are left out, and changes without an event are found: a watcher
        that starts anew, or a file system that tells nothing, must not lose a save.
        """
        told = frozenset(paths)
        looked: set[Watched] = {path for path in told if is_code(path) or self._app_broken}
        if not told and (self._broken or self._app_broken):
            looked |= set(_code_files(self._root))
        packages = self._packages()
        return self._look(
            looked | self._watched() | (packages & told if told else packages), now or time.time()
        )

    def look(self, jobs: Iterable[str], now: float | None = None) -> Saved:
        """The same for what these jobs have read, whoever else has, because they are about to
        run: here nothing is put off."""
        items = frozenset[Watched]().union(*(self._files.get(job, ()) for job in jobs))
        saved = self._look(items, now or time.time())
        return replace(saved, jobs=saved.jobs | self._overdue.intersection(jobs))

    def renewed(self, jobs: Iterable[str]) -> None:
        """Their workers are being replaced."""
        self._overdue.difference_update(jobs)
        self._recorded.difference_update(jobs)

    def _look(self, items: Iterable[Watched], now: float) -> Saved:
        changed: set[Watched] = set()
        for item in items:
            signature = self._sign(item)
            if self._seen.get(item) != signature:
                changed.add(item)
                self._forget_folders(item)
                self._seen[item] = signature
                if isinstance(item, Path) and is_code(item):
                    forget_kept(item)
        if not changed:
            return Saved(frozenset(), False)
        restless = {item for item in changed if self._is_restless(item, now)}
        found = {item for item in changed - restless if self._has_changed(item, now)}
        jobs = self._concerned(self._files, changed - restless - found)
        settling = self._concerned(self._installed, changed) - jobs
        if any(isinstance(item, Path) and is_code(item) for item in changed):
            jobs |= self._broken
        self._overdue |= (self._concerned(self._files, changed) | settling) - jobs
        return Saved(
            frozenset(jobs),
            bool(self._app_files & changed) or (self._app_broken and _has_file(changed)),
            frozenset(settling),
            tuple(
                (job, item if isinstance(item, Path) else item.folder)
                for item in found
                for job in sorted(self._concerned(self._files, {item}))
            ),
        )

    def _has_changed(self, item: Watched, now: float) -> bool:
        """Remember it; whether that makes it restless."""
        code = isinstance(item, Path) and is_code(item)
        limit = RESTLESS_CODE if code else RESTLESS
        self._changes.setdefault(item, deque(maxlen=limit)).append(now)
        return self._is_restless(item, now)

    def _is_restless(self, item: Watched, now: float) -> bool:
        times = self._changes.get(item)
        return times is not None and len(times) == times.maxlen and times[0] > now - CALM

    def _concerned(
        self, files: Mapping[str, AbstractSet[Watched]], changed: AbstractSet[Watched]
    ) -> set[str]:
        return {job for job, read in files.items() if not changed.isdisjoint(read)}

    def _watched(self) -> frozenset[Watched]:
        return frozenset[Watched](self._app_files).union(*self._files.values())

    def _packages(self) -> frozenset[Path]:
        return frozenset[Path]().union(*self._installed.values())


def _has_file(changed: Iterable[Watched]) -> bool:
    return any(isinstance(item, Path) for item in changed)


def _is_internal(item: Watched) -> bool:
    return ".devbridge" in (item if isinstance(item, Path) else item.folder).parts


def _code_files(root: Path) -> Iterator[Path]:
    for folder in _code_directories(root):
        with contextlib.suppress(OSError):
            yield from filter(is_code, folder.iterdir())


def _code_directories(root: Path) -> Iterator[Path]:
    """The app's own folders, linked ones too: without hidden ones, environments and installed
    packages."""
    known = set()
    for folder, below, _ in os.walk(root, followlinks=True):
        path = Path(folder)
        real = os.path.realpath(path)
        below[:] = [
            name
            for name in below
            if real not in known
            and not name.startswith((".", "__"))
            and name not in INSTALLED
            and not (path / name / "pyvenv.cfg").exists()
        ]
        known.add(real)
        yield path
