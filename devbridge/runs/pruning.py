"""Forgets the live runs that ended long ago: their entries in the ledger, and their logs."""

from __future__ import annotations

import contextlib
import glob
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from devbridge.config import Config
from devbridge.errors import AlreadyRunning
from devbridge.folders import FUNCTIONS
from devbridge.runs.ledger import Ledger
from devbridge.runs.lock import only_one
from devbridge.runs.queued import Queued

KEPT: Final = timedelta(days=14)
"""For this long a run, and with it its idempotency key, is remembered at least."""

WORTH_COMPACTING: Final = 1 << 20
"""Unused bytes of the ledger for which it is written anew, if they are also a quarter of it."""


class Logs:
    """Deletes logs, with what their rotation has left, and counts."""

    def __init__(self, folder: Path, *, dry_run: bool = False) -> None:
        self._folder = folder
        self._dry_run = dry_run
        self.count = 0
        self.bytes = 0

    def delete(self, path: Path) -> None:
        """Delete the log that was once written as `path`: the app's folder may have moved."""
        for file in self._folder.glob(glob.escape(path.name) + "*"):
            with contextlib.suppress(FileNotFoundError):
                self._delete(file, file.stat().st_size)

    def delete_of_functions(self, before: float) -> None:
        """Delete the logs of functions that nothing was written to since."""
        for file in (self._folder / FUNCTIONS).glob("*.log*"):
            with contextlib.suppress(FileNotFoundError):
                found = file.stat()
                if found.st_mtime < before:
                    self._delete(file, found.st_size)

    def _delete(self, file: Path, count: int) -> None:
        if not self._dry_run:
            file.unlink()
        self.count += 1
        self.bytes += count


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was forgotten, or would be."""

    before: float
    """Of the runs that ended before then, in seconds since the epoch."""
    runs: int
    logs: int
    """Files."""
    log_bytes: int
    ledger_bytes: int
    """What the ledger has afterwards."""


def prune(config: Config, older_than: timedelta, *, dry_run: bool) -> Pruned:
    """Forget the runs that ended that long ago, and delete their logs.

    Raises:
        LedgerError: the ledger cannot be opened or written.
    """
    before = time.time() - older_than.total_seconds()
    logs = Logs(config.logs_dir, dry_run=dry_run)
    runs = left = 0
    if config.ledger.exists():
        with Ledger.open(config.ledger) as book:
            if dry_run:
                old = book.ended_before(before)
                for _, log in old:
                    logs.delete(Path(log))
                runs = len(old)
            else:
                runs = book.prune(before, delete_log=logs.delete)
                _compact(config, book)
            left = book.free()[1]
    logs.delete_of_functions(before)
    runs += _forget_queued(config, before, dry_run=dry_run)
    return Pruned(before, runs, logs.count, logs.bytes, left)


def forget_old_runs(config: Config, book: Ledger) -> None:
    """What `devbridge dev` does by itself when it starts: keep what must be kept, and no more."""
    logs = Logs(config.logs_dir)
    before = time.time() - KEPT.total_seconds()
    book.prune(before, delete_log=logs.delete)
    logs.delete_of_functions(before)
    _forget_queued(config, before)


def _forget_queued(config: Config, before: float, *, dry_run: bool = False) -> int:
    """Forget those that ended before then and never came to a daemon; returns how many."""
    queued = Queued(config.stage_dir)
    old = queued.ended_before(before)
    for job_id in () if dry_run else old:
        queued.forget(job_id)
    return len(old)


def _compact(config: Config, book: Ledger) -> None:
    """Make the file smaller when that pays, and no daemon could be kept from writing by it."""
    unused, all_ = book.free()
    if unused < WORTH_COMPACTING or unused * 4 < all_:
        return
    with (
        contextlib.suppress(AlreadyRunning),
        only_one(config.lock, config.stage, "prune"),
    ):
        book.compact()
