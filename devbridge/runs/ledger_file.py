"""The ledger's file: its tables, how it is opened and checked, and what is wrong with it.

One file per stage, in write-ahead mode: the daemon writes, any number of `devbridge jobs` read.
A commit survives the death of the daemon (``synchronous=NORMAL``: a power cut may take the last
commits, never the file's consistency).
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from devbridge.errors import EXIT_NOT_WRITTEN, DevbridgeError
from runner import outcome

SCHEMA_VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE runs (
    job_id          TEXT PRIMARY KEY,
    job             TEXT NOT NULL,
    state           TEXT NOT NULL,
    idempotency_key TEXT,  -- of no use: ids are made of keys; earlier versions look for it
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

_CHECKPOINTS: Final = """
CREATE TABLE IF NOT EXISTS checkpoints (
    job_id TEXT PRIMARY KEY,
    body   BLOB NOT NULL,  -- the last one, a JSON text
    begun  BLOB            -- the one that the run has begun at when its daemon had died
);
"""
"""A table that earlier versions do not know, nor miss; theirs are read as well without it."""

_DEAD_LETTERS: Final = """
CREATE TABLE IF NOT EXISTS dead_letters (
    job_id TEXT PRIMARY KEY  -- a run whose message is still to be sent to its dead-letter queue
);
"""
"""Another one."""

GIVEN: Final = 512
"""Bytes of its payload that are told with a run."""
LIVE: Final = f"state IN ({', '.join(map(repr, outcome.LIVE))})"
RETRY: Final = "state='QUEUED' AND (attempt>1 OR started_at IS NOT NULL)"
"""A run that waits for its next attempt, or to go on with its first one, as it is stored: for
everybody else it is RUNNING."""
STATE: Final = f"CASE WHEN {RETRY} THEN 'RUNNING' ELSE state END"
COLUMNS: Final = (
    f"job_id, job, {STATE}, created_at, started_at, ended_at, closed, attempt, max_attempts,"
    f" exit_code, exit_signal, result, failure, log_path, cancelled, {RETRY},"
    f" substr(payload, 1, {GIVEN})"
)

_SIZES: Final = ("page_count", "page_size")
_CHECKED: Final = 16 << 20
"""Bytes of a ledger up to which all of it is checked when it is opened; takes 3 ms for each MB."""

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


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """A connection to the ledger, which is made (mode 0600) unless it is to be read only.

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
            _prepare(db, version)
    except (sqlite3.Error, OSError) as error:
        if db is not None:
            db.close()
        raise LedgerError.of("the ledger cannot be opened", error, path) from error
    return db


def _prepare(db: sqlite3.Connection, version: int) -> None:
    """Make the tables of a new file, and check those of an old one."""
    if version == 0 and db.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise _damaged("it is a database of something else")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    if version == 0:
        db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
    db.executescript(_CHECKPOINTS + _DEAD_LETTERS)
    # The first write syncs the log's header to the disk: now, not while a stub waits.
    db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    check(db)


def check(db: sqlite3.Connection) -> None:
    """
    Raises:
        sqlite3.DatabaseError: it has other tables, or its pages do not make sense.
    """
    try:
        db.execute(f"SELECT {COLUMNS}, payload FROM runs LIMIT 0")  # noqa: S608
        db.execute("SELECT job_id, at, state, attempt, detail FROM transitions LIMIT 0")
        db.execute("SELECT job_id, body, begun FROM checkpoints LIMIT 0")
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
