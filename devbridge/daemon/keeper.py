"""The daemon's ledger, which goes on when its file does not.

What is written in a transaction is written when that ends. If it cannot be (no room, a disk that
fails, one that became read-only), new runs are *refused*, and all else is *owed*: kept in memory,
where this object answers from, and written with the next transaction that succeeds. A file that is
damaged is set aside, and what runs and waits is entered in a fresh one; one that was deleted, moved
or replaced is made again from the file that is still open here, with its whole history.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devbridge.daemon.disk import Identity, fill, hold, is_database, set_aside, try_room
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change, Ledger, NewRun, Written
from devbridge.runs.ledger_file import LedgerError, check
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.model import State
from devbridge.words import many
from runner.invocation import is_none

RESERVE: Final = 256 * 1024
"""Bytes beside the ledger that are given up for the last ends when the daemon stops on a full
disk."""

Say = Callable[[str, bool], None]
"""Takes a line for the terminal, and whether it is good news."""


@dataclass(frozen=True, slots=True)
class _Write:
    job_id: str
    perform: Callable[[Ledger], object]
    entered: NewRun | None = None


def _silent(_line: str, _good: bool) -> None:
    """Nobody listens yet."""


class Keeper(Ledger):
    """Use `keep`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self.say: Say = _silent
        self.trouble: LedgerError | None = None
        """Why nothing can be written now."""
        self._since = 0.0
        self._owed: list[_Write] = []
        self._pending: list[_Write] | None = None
        self._runs: dict[str, RunRecord] = {entry.job_id: entry for entry in super().live()}
        """The runs whose log is not complete, and those whose end is owed, as they are."""
        self._undo: dict[str, RunRecord | None] = {}
        self._reached = super().live_checkpoints()
        """The last checkpoint of those runs, whether it could be written or not."""
        self._held, self._file = hold(path), Identity.of(path)
        self._reserve = path.with_name(f"{path.name}.reserve")
        with contextlib.suppress(OSError):
            fill(self._reserve, RESERVE)

    @property
    def owed(self) -> int:
        """How many changes are kept in memory only."""
        return len(self._owed)

    # --- writing ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Written]:
        """All that is written inside becomes durable together, when it ends.

        Raises:
            LedgerError: what the block itself has read could not be; nothing was written.
        """
        written, ops = Written(), list[_Write]()
        self._pending, self._undo = ops, {}
        try:
            yield written
        except BaseException:
            for job_id, entry in self._undo.items():
                self._set(job_id, entry)
            raise
        finally:
            self._pending = None
        written.refused = self._write(ops)

    def flush(self) -> bool:
        """Try to write what is owed; whether nothing is any more."""
        if self._owed or self.trouble:
            self._write([])
        return self.trouble is None

    def add(self, run: NewRun) -> bool:
        """Enter a run, QUEUED; False when it is there already."""
        if self.get(run.job_id) is not None:
            return False
        entry = RunRecord(
            job_id=run.job_id,
            job=run.job,
            state=State.QUEUED,
            created_at=run.created_at,
            max_attempts=run.max_attempts,
            log=run.log_path,
        )
        self._do(run.job_id, entry, lambda book: Ledger.add(book, run), run)
        return True

    def record(self, change: Change) -> None:
        """Write a change of state."""
        entry = self._known(change.job_id)
        after = entry and changed(entry, change)
        self._do(change.job_id, after, lambda book: Ledger.record(book, change))

    def note_checkpoint(self, job_id: str, checkpoint: bytes) -> None:
        """The run has come there, which is written at once."""
        with self.transaction():
            self.reached(job_id, checkpoint)

    def reached(self, job_id: str, checkpoint: bytes) -> None:
        """The run has come to a checkpoint. While nothing can be written, the next one that can be
        is as good."""
        if is_none(checkpoint):
            self._reached.pop(job_id, None)
        else:
            self._reached[job_id] = checkpoint
        if self.trouble is None:
            self._do(job_id, None, lambda book: Ledger.reached(book, job_id, checkpoint))

    def goes_on(self, job_id: str) -> None:
        """The run goes on at its checkpoint."""
        self._do(job_id, None, lambda book: Ledger.goes_on(book, job_id))

    def closed(self, job_id: str) -> None:
        """The run's worker is gone, and its log complete."""
        entry = self._known(job_id)
        after = entry and replace(entry, closed=True)
        self._do(job_id, after, lambda book: Ledger.closed(book, job_id))

    def cancelled(self, job_id: str) -> None:
        """The run's end was asked for."""
        entry = self._known(job_id)
        after = entry and replace(entry, cancelled=True)
        self._do(job_id, after, lambda book: Ledger.cancelled(book, job_id))

    def close_ended(self) -> None:
        """No worker is left of any run that has ended."""
        self._do("", None, Ledger.close_ended)

    def get(self, job_id: str) -> RunRecord | None:
        """The run as it is now, whether that could be written or not."""
        return self._runs.get(job_id) or super().get(job_id)

    def checkpoint(self, job_id: str) -> bytes | None:
        """The last one of a run that has not ended, whether it could be written or not."""
        return self._reached.get(job_id)

    def close(self) -> None:
        """Close it. What is still owed is written first, if need be in the room of the reserve."""
        if not self.flush():
            self._reserve.unlink(missing_ok=True)
            if not self.flush():
                lost = many(self.owed, "change of a run is", "changes of runs are")
                self.say(f"{lost} lost: the ledger could not be written", False)
        super().close()
        self._held.close()

    def _known(self, job_id: str) -> RunRecord | None:
        with contextlib.suppress(LedgerError):
            return self.get(job_id)
        return None

    def _do(
        self,
        job_id: str,
        after: RunRecord | None,
        perform: Callable[[Ledger], object],
        entered: NewRun | None = None,
    ) -> None:
        write = _Write(job_id, perform, entered)
        if self._pending is None:
            raise AssertionError("a ledger is written in a transaction")
        self._pending.append(write)
        if after is not None:
            self._undo.setdefault(job_id, self._runs.get(job_id))
            self._runs[job_id] = after

    def _set(self, job_id: str, entry: RunRecord | None) -> None:
        if entry is None:
            self._runs.pop(job_id, None)
        else:
            self._runs[job_id] = entry

    def _write(self, ops: list[_Write]) -> frozenset[str]:
        """Returns the new runs that could not be entered."""
        writes = [*self._owed, *ops]
        if not writes and self.trouble is None:
            return frozenset()
        try:
            self._perform(writes)
        except LedgerError as error:
            refused = frozenset(each.job_id for each in ops if each.entered)
            if error.damaged and self.renew(error.what, without=refused):
                with contextlib.suppress(LedgerError):
                    self._perform([*self._owed, *ops])
                    self._written(writes)
                    return frozenset()
            for job_id in refused:
                self._runs.pop(job_id, None)
            self._owed += [each for each in ops if each.job_id not in refused]
            self._in_trouble(error)
            return refused
        self._written(writes)
        return frozenset()

    def _perform(self, writes: list[_Write]) -> None:
        if self.trouble is not None:
            try_room(self.path)
        with self._committed():
            for write in writes:
                write.perform(self)

    def _written(self, writes: list[_Write]) -> None:
        self._owed.clear()
        for write in writes:
            entry = self._runs.get(write.job_id)
            if entry is not None and entry.closed and entry.state.final:
                del self._runs[write.job_id]
                self._reached.pop(write.job_id, None)
        if self.trouble is not None:
            self.trouble = None
            with contextlib.suppress(OSError):
                fill(self._reserve, RESERVE)
            lasted = time.monotonic() - self._since
            self.say(f"the ledger can be written again, after {lasted:.0f} s", True)

    def _in_trouble(self, error: LedgerError) -> None:
        if self.trouble is None:
            self._since = time.monotonic()
            self.say(
                f"{error.what}: new runs are refused until it can; what runs goes on, and how it"
                f" ended is kept in memory ({error.where}: {error.remedy})",
                False,
            )
        self.trouble = error

    # --- the file ---------------------------------------------------------------------------

    def look(self) -> None:
        """Notice that the file was deleted, moved, replaced or damaged, and go on with another."""
        now = Identity.of(self.path)
        if now.numbers == self._file.numbers:
            suspect = self.trouble is not None or now.size < self._file.size
            if not is_database(self._held) or (suspect and self._is_damaged()):
                self.renew("the ledger was damaged")
            else:
                self._file = now
            return
        gone = now.numbers[0] is None
        self.renew("the ledger was deleted or moved" if gone else "the ledger was replaced")

    def renew(self, why: str, *, without: frozenset[str] = frozenset()) -> bool:
        """Go on with a fresh file; whether that could be made.

        Args:
            without: runs that are about to be entered.
        """
        aside = set_aside(self.path)
        try:
            fresh, lost = self._made_again(without)
            held = hold(self.path)
        except LedgerError as error:
            self._in_trouble(error)
            return False
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        self._held.close()
        self._db, self._held, self._file = fresh._db, held, Identity.of(self.path)
        history = "with all that was in it" if lost is None else f"without its history{lost}"
        where = f"; what was there is now {aside}" if aside else ""
        self.say(f"{why}: a fresh one is used, {history}{where}", lost is None)
        return True

    def _made_again(self, without: frozenset[str]) -> tuple[Ledger, str | None]:
        """A fresh file, and what is lost; None: nothing is, for the old one could be copied."""
        fresh = Ledger.open(self.path)
        try:
            self._db.backup(fresh._db)
            check(fresh._db)
        except sqlite3.Error:
            fresh.close()
            for end in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            fresh = Ledger.open(self.path)
            return fresh, self._enter_again(fresh, without)
        return fresh, None

    def _enter_again(self, fresh: Ledger, without: frozenset[str]) -> str:
        """Enter what runs and waits; returns what is lost."""
        lost = 0
        with fresh.transaction():
            for entry in self._runs.values():
                if entry.job_id in without:
                    continue
                payload = b""
                try:
                    payload = self.payload(entry.job_id)
                except LedgerError:
                    lost += entry.state is State.QUEUED
                fresh.enter_again(entry, payload)
                if checkpoint := self.checkpoint(entry.job_id):
                    Ledger.reached(fresh, entry.job_id, checkpoint)
        self._owed.clear()
        waiting = many(lost, "run that waits", "runs that wait")
        return f", and without the payloads of {waiting}" if lost else ""

    def _is_damaged(self) -> bool:
        try:
            check(self._db)
        except sqlite3.Error as error:
            return LedgerError.of("", error).damaged
        return False


def keep(path: Path) -> tuple[Keeper, str]:
    """The ledger at `path`, and what is to be said of it: one that is damaged is set aside.

    Raises:
        LedgerError: it is from a newer devbridge, or cannot be written.
    """
    try:
        return Keeper.open(path), ""
    except LedgerError as error:
        if not error.damaged:
            raise
        saved = _what_waits(path)
        aside = set_aside(path)
        keeper = Keeper.open(path)
        with keeper._committed():
            for entry, payload, checkpoint in saved:
                keeper.enter_again(entry, payload)
                if checkpoint is not None:
                    Ledger.reached(keeper, entry.job_id, checkpoint)
                    keeper._reached[entry.job_id] = checkpoint
                keeper._runs[entry.job_id] = entry
        found = many(len(saved), "run that had not ended was", "runs that had not ended were")
        kept = f" {found} found in it;" if saved else ""
        return keeper, f"{error.what}:{kept} it is set aside as {aside}, and a fresh one is used"


def _what_waits(path: Path) -> list[tuple[RunRecord, bytes, bytes | None]]:
    """What can still be read of the runs that had not ended."""
    with contextlib.suppress(LedgerError), LedgerReader.open(path) as old:
        return [(e, old.payload(e.job_id), old.checkpoint(e.job_id)) for e in old.live()]
    return []


def changed(entry: RunRecord, change: Change) -> RunRecord:
    """An entry as the ledger has it after a change. Pure."""
    begun = change.attempt > 1 or entry.started_at is not None
    waits = change.state is State.QUEUED and begun
    running = change.state is State.RUNNING
    return replace(
        entry,
        state=State.RUNNING if waits else change.state,
        attempt=change.attempt,
        started_at=entry.started_at or (change.at if running else None),
        ended_at=change.at if change.state.final else None,
        closed=entry.closed and change.state.final,
        exit=change.exit,
        result=change.result,
        failure=entry.failure if running else change.failure,
        waits_for_attempt=waits,
    )
