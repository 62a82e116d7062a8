"""The ledger: every job that was ever asked for, and each change of its state, in SQLite.

One file per stage, in write-ahead mode: the daemon writes, any number of `devbridge jobs` read.
A commit survives the death of the daemon (``synchronous=NORMAL``: a power cut may take the last
commits, never the file's consistency). Nothing is acknowledged to a caller before it is here.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from devbridge.errors import EXIT_NOT_WRITTEN, DevbridgeError
from devbridge.runs.base import RunRecord
from devbridge.runs.model import Exit, State
from runner.outcome import Failure

SCHEMA_VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE runs (
    job_id          TEXT PRIMARY KEY,
    job             TEXT NOT NULL,
    state           TEXT NOT NULL,
    idempotency_key TEXT,
    attempt         INTEGER NOT NULL DEFAULT 1,
    max_attempts    INTEGER NOT NULL DEFAULT 1,
    created_at      REAL NOT NULL,
    started_at      REAL,
    ended_at        REAL,
    closed          INTEGER NOT NULL DEFAULT 0,
    cancelled       INTEGER NOT NULL DEFAULT 0,
    exit_code       INTEGER,
    exit_signal     INTEGER,
    result          BLOB,
    failure         TEXT,
    log_path        TEXT NOT NULL,
    payload         BLOB NOT NULL
);
CREATE INDEX runs_by_time ON runs (created_at);
CREATE INDEX runs_by_state ON runs (state);
CREATE TABLE transitions (
    job_id  TEXT NOT NULL,
    at      REAL NOT NULL,
    state   TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    detail  TEXT
);
CREATE INDEX transitions_by_run ON transitions (job_id);
"""

_RETRY: Final = "state='QUEUED' AND attempt>1"
"""A run that waits for its next attempt, as it is stored: for everybody else it is RUNNING."""
_STATE: Final = f"CASE WHEN {_RETRY} THEN 'RUNNING' ELSE state END"
_COLUMNS: Final = (
    f"job_id, job, {_STATE}, created_at, started_at, ended_at, closed, attempt, max_attempts,"
    f" exit_code, exit_signal, result, failure, log_path, cancelled, {_RETRY}"
)


_SIZES: Final = ("page_count", "page_size")
_CHECKED: Final = 16 << 20
"""Bytes of a ledger up to which all of it is checked when it is opened; takes 3 ms for each MB."""

_Values = tuple[object, ...] | dict[str, object]


_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""SQLite's primary result codes that say that the file is no ledger; SQLITE_ERROR: no such table or
column."""
_NO_ROOM: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


class LedgerError(DevbridgeError):
    """The ledger's file cannot be read or written: see the cause; nothing was acknowledged."""

    exit_code = EXIT_NOT_WRITTEN
    damaged = False
    """The file is no ledger, or is none any more: it is of no use to try again."""

    @classmethod
    def of(
        cls, what: str, error: sqlite3.Error | OSError, where: Path | None = None
    ) -> LedgerError:
        """The error for one of SQLite's or the system's."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        made = cls(f"{what}: {error}", where=str(where) if where else None)
        made.damaged = code in _DAMAGED or isinstance(error, IsADirectoryError)
        if made.damaged:
            made.remedy = "`devbridge dev` sets it aside when it starts; or move it away"
        elif code in _NO_ROOM:
            made.remedy = "make room on its disk"
        else:
            made.remedy = "check the file's permissions, and that its disk can be written"
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A job that was asked for and is not in the ledger yet."""

    job_id: str
    job: str
    payload: bytes
    created_at: float
    log_path: str
    idempotency_key: str | None = None
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


class Ledger:
    """Use `Ledger.open`. One object belongs to one thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self.path = path

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False) -> Self:
        """Open the ledger, or create it (mode 0600).

        Raises:
            LedgerError: the file is not a ledger, is from a newer devbridge, or cannot be written.
        """
        db = None
        try:
            if readonly:
                db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
            else:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                db = sqlite3.connect(path, timeout=5)
            db.isolation_level = None
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise LedgerError(
                    f"the ledger is of version {version}, this devbridge knows {SCHEMA_VERSION}",
                    where=str(path),
                    remedy="upgrade devbridge",
                )
            if not readonly:
                if version == 0 and db.execute("SELECT 1 FROM sqlite_master").fetchone():
                    raise _damaged("it is a database of something else")
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=NORMAL")
                if version == 0:
                    db.executescript(
                        f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
                    )
                # The first write syncs the log's header to the disk: now, not while a stub waits.
                db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
                check(db)
        except (sqlite3.Error, OSError) as error:
            if db is not None:
                db.close()
            raise LedgerError.of("the ledger cannot be opened", error, path) from error
        return cls(db, path)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

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
            "INSERT OR IGNORE INTO runs (job_id, job, state, idempotency_key, payload,"
            " max_attempts, created_at, log_path) VALUES (?,?,?,?,?,?,?,?)",
            (
                run.job_id,
                run.job,
                State.QUEUED.value,
                _storable(run.idempotency_key),
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
        self._note(entry.job_id, time.time(), state, entry.attempt, "entered in a fresh ledger")

    def record(self, change: Change) -> None:
        """Enter one change of state. In a transaction."""
        failure = None if change.failure is None else json.dumps(asdict(change.failure))
        outcome = change.exit or Exit()
        self._db.execute(
            "UPDATE runs SET state=:state, attempt=:attempt,"
            " started_at=CASE WHEN :state='RUNNING' THEN :at ELSE started_at END,"
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
        self._note(change.job_id, change.at, change.state, change.attempt, change.detail)

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
            "UPDATE runs SET closed=1 WHERE closed=0"
            " AND state NOT IN ('QUEUED','STARTING','RUNNING')"
        )

    def get(self, job_id: str) -> RunRecord | None:
        rows = self._select("WHERE job_id=?", (job_id,))
        return rows[0] if rows else None

    def find(self, prefix: str) -> list[RunRecord]:
        """The runs whose id begins with `prefix`, newest first, at most 20."""
        return self._select(
            "WHERE job_id >= ? AND job_id < ? ORDER BY created_at DESC LIMIT 20",
            (prefix, prefix + "\U0010ffff"),
        )

    def recent(
        self, *, limit: int = 50, job: str | None = None, state: State | None = None
    ) -> list[RunRecord]:
        """The newest runs first."""
        return self._select(
            f"WHERE (:job IS NULL OR job=:job) AND (:state IS NULL OR {_STATE}=:state)"
            " ORDER BY created_at DESC, rowid DESC LIMIT :limit",
            {"job": job, "state": state.value if state else None, "limit": limit},
        )

    def live(self) -> list[RunRecord]:
        """The runs that have not ended, oldest first."""
        return self._select(
            "WHERE state IN ('QUEUED','STARTING','RUNNING') ORDER BY created_at, rowid", ()
        )

    def ended_before(self, at: float, *, limit: int = -1) -> list[tuple[str, str]]:
        """The id and the log's path of the runs that ended before then, the oldest first."""
        return self._read(
            "SELECT job_id, log_path FROM runs WHERE ended_at < ?"
            " AND state NOT IN ('QUEUED','STARTING','RUNNING') ORDER BY ended_at LIMIT ?",
            (at, limit),
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
                self._db.executemany("DELETE FROM transitions WHERE job_id=?", ids)
                self._db.executemany("DELETE FROM runs WHERE job_id=?", ids)
            pruned += len(old)
        return pruned

    def free(self) -> tuple[int, int]:
        """The bytes of the file that hold nothing, and all its bytes."""
        (page,), (unused,), (count,) = (
            self._read(f"PRAGMA {name}", ())[0]
            for name in ("page_size", "freelist_count", "page_count")
        )
        return page * unused, page * count

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

    def payload(self, job_id: str) -> bytes:
        rows = self._read("SELECT payload FROM runs WHERE job_id=?", (job_id,))
        return bytes(rows[0][0]) if rows else b""

    def history(self, job_id: str) -> Sequence[tuple[float, State, int, str | None]]:
        """Each change of a run: time, state, attempt, detail."""
        rows = self._read(
            f"SELECT at, {_STATE}, attempt, detail FROM transitions"  # noqa: S608
            " WHERE job_id=? ORDER BY rowid",
            (job_id,),
        )
        return [(at, State(state), attempt, detail) for at, state, attempt, detail in rows]

    def _note(self, job_id: str, at: float, state: State, attempt: int, detail: str | None) -> None:
        self._db.execute(
            "INSERT INTO transitions (job_id, at, state, attempt, detail) VALUES (?,?,?,?,?)",
            (job_id, at, state.value, attempt, detail),
        )

    def _select(self, where: str, values: _Values) -> list[RunRecord]:
        rows = self._read(f"SELECT {_COLUMNS} FROM runs {where}", values)  # noqa: S608
        return [_entry(row) for row in rows]

    def _read(self, query: str, values: _Values) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerError.of("the ledger cannot be read", error, self.path) from error


def check(db: sqlite3.Connection) -> None:
    """
    Raises:
        sqlite3.DatabaseError: it has other tables, or its pages do not make sense.
    """
    try:
        db.execute(f"SELECT {_COLUMNS}, payload, idempotency_key FROM runs LIMIT 0")  # noqa: S608
        db.execute("SELECT job_id, at, state, attempt, detail FROM transitions LIMIT 0")
    except sqlite3.OperationalError as error:
        raise _damaged(f"it has not the tables of a ledger ({error})") from error
    (pages,), (size,) = (db.execute(f"PRAGMA {name}").fetchone() for name in _SIZES)
    if pages * size <= _CHECKED and (found := db.execute("PRAGMA quick_check(1)").fetchone()) != (
        "ok",
    ):
        raise _damaged(found[0])


def _damaged(what: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _storable(text: str | None) -> str | None:
    """SQLite takes no lone surrogates, which JSON allows in a caller's key."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def _entry(row: tuple[Any, ...]) -> RunRecord:
    (job_id, job, state, created, started, ended, closed, attempt, most, code, signal, *rest) = row
    result, failure, log_path, cancelled, waits_for_attempt = rest
    ended_how = None
    if code is not None or signal is not None:
        ended_how = Exit(code=code, signal=signal)
    return RunRecord(
        job_id=job_id,
        job=job,
        state=State(state),
        created_at=created,
        started_at=started,
        ended_at=ended,
        closed=bool(closed),
        attempt=attempt,
        max_attempts=most,
        exit=ended_how,
        result=result,
        failure=_failure(failure),
        log=log_path,
        cancelled=bool(cancelled),
        waits_for_attempt=bool(waits_for_attempt),
    )


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    stored = json.loads(text)
    return Failure(
        type=stored["type"],
        message=stored["message"],
        frames=tuple(stored["frames"]),
        trace=tuple(stored["trace"]),
    )
