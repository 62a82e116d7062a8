"""The ledger: every run that was ever asked for, and each change of its state, in SQLite.

Nothing is acknowledged to a caller before it is here.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from devbridge.runs.base import RunRecord
from devbridge.runs.ledger_file import LIVE, LedgerError, connect
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.model import Exit, State
from runner.dead_letters import gives_up
from runner.invocation import is_none
from runner.outcome import Failure
from runner.triggered import HELD, MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A job that was asked for and is not in the ledger yet."""

    job_id: str
    job: str
    payload: bytes
    created_at: float
    log_path: str
    max_attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a run's state, and what is known of the attempt that it ends. QUEUED with a
    further attempt: the run waits for that."""

    job_id: str
    state: State
    at: float
    attempt: int = 1
    exit: Exit | None = None
    result: bytes | None = None
    failure: Failure | None = None
    detail: str | None = None


@dataclass(slots=True)
class Written:
    """What became of a transaction."""

    refused: frozenset[str] = frozenset()
    """New runs that could not be entered: as if they had never been asked for. Only a `Keeper`
    refuses; a plain ledger raises."""


class Ledger(LedgerReader):
    """Use `Ledger.open`. One object belongs to one thread."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the ledger for writing, or create it (mode 0600).

        Raises:
            LedgerError: the file is not a ledger, is from a newer devbridge, or cannot be written.
        """
        return cls(connect(path), path)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Written]:
        """All that is written inside becomes durable together, or not at all.

        Raises:
            LedgerError: it could not be committed.
        """
        with self._committed():
            yield Written()

    @contextlib.contextmanager
    def _committed(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise LedgerError.of("the ledger cannot be written", error, self.path) from error

    def add(self, run: NewRun) -> bool:
        """Enter a run as QUEUED; False when the ledger has its id already. In a transaction."""
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO runs (job_id, job, state, payload, max_attempts, created_at,"
            " log_path) VALUES (?,?,?,?,?,?,?)",
            (
                run.job_id,
                run.job,
                State.QUEUED.value,
                run.payload,
                run.max_attempts,
                run.created_at,
                run.log_path,
            ),
        ).rowcount
        if inserted:
            self._note(run.job_id, run.created_at, State.QUEUED, 1, None)
        return bool(inserted)

    def enter_again(self, entry: RunRecord, payload: bytes) -> None:
        """Enter a run as it is, in a ledger that does not know it. In a transaction."""
        state = State.QUEUED if entry.waits_for_attempt else entry.state
        outcome = entry.exit or Exit()
        self._db.execute(
            "INSERT OR IGNORE INTO runs (job_id, job, state, attempt, max_attempts, created_at,"
            " started_at, ended_at, closed, cancelled, exit_code, exit_signal, result, failure,"
            " log_path, payload) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                entry.job_id,
                entry.job,
                state.value,
                entry.attempt,
                entry.max_attempts,
                entry.created_at,
                entry.started_at,
                entry.ended_at,
                entry.closed,
                entry.cancelled,
                outcome.code,
                outcome.signal,
                entry.result,
                entry.failure and json.dumps(asdict(entry.failure)),
                entry.log,
                payload,
            ),
        )
        if state.final:
            self._owe(entry.job_id, _owes(state, entry.failure))
        self._note(entry.job_id, time.time(), state, entry.attempt, "entered in a fresh ledger")

    def record(self, change: Change) -> None:
        """Enter one change of state. In a transaction."""
        failure = None if change.failure is None else json.dumps(asdict(change.failure))
        outcome = change.exit or Exit()
        self._db.execute(
            "UPDATE runs SET state=:state, attempt=:attempt,"
            " started_at=CASE WHEN :state='RUNNING' THEN COALESCE(started_at, :at)"
            " ELSE started_at END,"
            " ended_at=CASE WHEN :final THEN :at ELSE NULL END,"
            " closed=CASE WHEN :final THEN closed ELSE 0 END,"
            " exit_code=:code, exit_signal=:signal, result=:result,"
            " failure=CASE WHEN :state='RUNNING' THEN failure ELSE :failure END"
            " WHERE job_id=:job_id",
            {
                "state": change.state.value,
                "attempt": change.attempt,
                "at": change.at,
                "final": change.state.final,
                "code": outcome.code,
                "signal": outcome.signal,
                "result": change.result,
                "failure": failure,
                "job_id": change.job_id,
            },
        )
        if change.state is State.SUCCEEDED:
            self._db.execute("DELETE FROM checkpoints WHERE job_id=?", (change.job_id,))
        if change.state.final:
            self._owe(change.job_id, _owes(change.state, change.failure))
        self._note(change.job_id, change.at, change.state, change.attempt, change.detail)

    def _owe(self, job_id: str, begins: bytes) -> None:
        """The queue of the run's message is to hear of its end, if its payload begins so. In a
        transaction."""
        self._db.execute(
            "INSERT OR IGNORE INTO dead_letters (job_id)"
            " SELECT job_id FROM runs WHERE job_id=? AND substr(payload, 1, ?)=?",
            (job_id, len(begins), begins),
        )

    def letter_sent(self, job_id: str) -> None:
        """The run's message is in its dead-letter queue.

        Raises:
            LedgerError: that cannot be written.
        """
        with self._committed():
            self._db.execute("DELETE FROM dead_letters WHERE job_id=?", (job_id,))

    def reached(self, job_id: str, checkpoint: bytes) -> None:
        """The run is to go on there, should its attempt end too early; null: at its beginning. In
        a transaction."""
        if is_none(checkpoint):
            self._db.execute("DELETE FROM checkpoints WHERE job_id=?", (job_id,))
            return
        self._db.execute(
            "INSERT INTO checkpoints (job_id, body) VALUES (?,?)"
            " ON CONFLICT (job_id) DO UPDATE SET body=excluded.body",
            (job_id, checkpoint),
        )

    def passed_over(self, entry: RunRecord, at: float) -> None:
        """A time of the run's schedule was not run, for the run goes on. In a transaction."""
        self._note(entry.job_id, at, entry.state, entry.attempt, "a time of its schedule passes")

    def goes_on(self, job_id: str) -> None:
        """The run's daemon has died, and it goes on at its checkpoint. In a transaction."""
        self._db.execute("UPDATE checkpoints SET begun=body WHERE job_id=?", (job_id,))

    def closed(self, job_id: str) -> None:
        """The worker is gone and the log is complete."""
        self._db.execute("UPDATE runs SET closed=1 WHERE job_id=?", (job_id,))

    def cancelled(self, job_id: str) -> None:
        """Remember that somebody wants this run to end: it must not run again after a recovery.
        In a transaction."""
        self._db.execute("UPDATE runs SET cancelled=1 WHERE job_id=?", (job_id,))

    def close_ended(self) -> None:
        """No worker is left, so every run that has ended is closed. In a transaction."""
        self._db.execute(
            f"UPDATE runs SET closed=1 WHERE closed=0 AND NOT {LIVE}"  # noqa: S608
        )

    def prune(
        self, before: float, *, delete_log: Callable[[Path], object], batch: int = 200
    ) -> int:
        """Forget the runs that ended before then, and delete their logs; returns how many.

        A request with the idempotency key of a forgotten run starts a new one. Runs that have not
        ended are never touched. It works in short transactions, so that a daemon need not wait;
        what an interruption leaves, the next call finds.

        Args:
            delete_log: is given the path of each log, before its run is forgotten.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        pruned = 0
        while old := self.ended_before(before, limit=batch):
            for _, log in old:
                delete_log(Path(log))
            ids = [(job_id,) for job_id, _ in old]
            with self._committed():
                for table in ("transitions", "checkpoints", "dead_letters", "runs"):
                    self._db.executemany(f"DELETE FROM {table} WHERE job_id=?", ids)  # noqa: S608
            pruned += len(old)
        return pruned

    def compact(self) -> None:
        """Give the space of what was forgotten back to the disk. Nobody else may be writing.

        Raises:
            LedgerError: somebody is, or the disk has no room for the copy that this makes.
        """
        try:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise LedgerError.of("the ledger cannot be made smaller", error, self.path) from error

    def _note(self, job_id: str, at: float, state: State, attempt: int, detail: str | None) -> None:
        self._db.execute(
            "INSERT INTO transitions (job_id, at, state, attempt, detail) VALUES (?,?,?,?,?)",
            (job_id, at, state.value, attempt, detail),
        )


def _owes(state: State, failure: Failure | None) -> bytes:
    """What payloads begin with of which something is owed after such an end: a queue that holds a
    message hears of every one."""
    return MARK if gives_up(state.value, failure) else HELD
