"""What the ledger tells: the runs, and each change of their states."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from devbridge.runs.base import RunRecord, Step, Wanted
from devbridge.runs.ledger_file import COLUMNS, LIVE, STATE, LedgerError, connect
from devbridge.runs.ledger_search import condition
from devbridge.runs.model import Exit, State
from runner import documents
from runner.outcome import Failure
from runner.triggered import beginning_of

_Values = tuple[object, ...] | dict[str, object]


class LedgerReader:
    """Use `LedgerReader.open`. One object belongs to one thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a ledger that is there, for reading.

        Raises:
            LedgerError: the file is not a ledger, is from a newer devbridge, or is not there.
        """
        return cls(connect(path, readonly=True), path)

    def close(self) -> None:
        """Close the file; nothing can be asked any more."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def get(self, job_id: str) -> RunRecord | None:
        """The run with this whole id.

        Raises:
            LedgerError: the ledger cannot be read; so do all that read it.
        """
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
            f"WHERE (:job IS NULL OR job=:job) AND (:state IS NULL OR {STATE}=:state)"
            " ORDER BY created_at DESC, rowid DESC LIMIT :limit",
            {"job": job, "state": state.value if state else None, "limit": limit},
        )

    def search(self, wanted: Wanted, *, limit: int, after: str | None = None) -> list[RunRecord]:
        """The newest runs that are wanted, those older than the run `after`, if it is given."""
        where, values = condition(wanted)
        if after is not None:
            place = "SELECT created_at, rowid FROM runs WHERE job_id=:after"
            where = f"{where} AND (created_at, rowid) < ({place})"
        return self._select(
            f"WHERE {where} ORDER BY created_at DESC, rowid DESC LIMIT :limit",
            {**values, "after": after, "limit": limit},
        )

    def count(self, wanted: Wanted) -> int:
        """How many runs are wanted."""
        where, values = condition(wanted)
        counted = self._read(f"SELECT count(*) FROM runs WHERE {where}", values)  # noqa: S608
        return int(counted[0][0])

    def live(self) -> list[RunRecord]:
        """The runs that have not ended, oldest first."""
        return self._select(f"WHERE {LIVE} ORDER BY created_at, rowid", ())

    def going(self, job: str, schedule: str) -> RunRecord | None:
        """A run of a schedule of that job that has not ended; None: there is none."""
        beginning = beginning_of("schedule", schedule)
        found = self._select(
            f"WHERE job=:job AND {LIVE} AND substr(payload, 1, :size)=:beginning LIMIT 1",
            {"job": job, "size": len(beginning), "beginning": beginning},
        )
        return found[0] if found else None

    def ended_before(self, at: float, *, limit: int = -1) -> list[tuple[str, str]]:
        """The id and the log's path of the runs that ended before then, the oldest first; without
        those whose message is still to be sent to its dead-letter queue."""
        return self._read(
            f"SELECT job_id, log_path FROM runs WHERE ended_at < ? AND NOT {LIVE}"  # noqa: S608
            " AND job_id NOT IN (SELECT job_id FROM dead_letters) ORDER BY ended_at LIMIT ?",
            (at, limit),
        )

    def free(self) -> tuple[int, int]:
        """The bytes of the file that hold nothing, and all its bytes."""
        (page,), (unused,), (count,) = (
            self._read(f"PRAGMA {name}", ())[0]
            for name in ("page_size", "freelist_count", "page_count")
        )
        return page * unused, page * count

    def payload(self, job_id: str) -> bytes:
        """What a run was given, byte for byte as it came; empty if there is no such run."""
        rows = self._read("SELECT payload FROM runs WHERE job_id=?", (job_id,))
        return bytes(rows[0][0]) if rows else b""

    def checkpoint(self, job_id: str) -> bytes | None:
        """What a run has yielded last, a JSON text; a run that has succeeded has none."""
        return self._of_checkpoint("body", job_id)

    def live_checkpoints(self) -> dict[str, bytes]:
        """The same of all runs that have not ended, by their ids."""
        if not self._has_checkpoints():
            return {}
        rows = self._read(
            "SELECT job_id, body FROM checkpoints JOIN runs USING (job_id)"  # noqa: S608
            f" WHERE {LIVE}",
            (),
        )
        return {job_id: bytes(body) for job_id, body in rows}

    def owed_letters(self) -> list[str]:
        """The ids of the runs whose message is still to be sent to its dead-letter queue."""
        return [job_id for (job_id,) in self._read("SELECT job_id FROM dead_letters", ())]

    def begun_at(self, job_id: str) -> bytes | None:
        """The checkpoint that a run went on at when its daemon had died, the last time."""
        return self._of_checkpoint("begun", job_id)

    def _of_checkpoint(self, column: str, job_id: str) -> bytes | None:
        if not self._has_checkpoints():
            return None
        query = f"SELECT {column} FROM checkpoints WHERE job_id=?"  # noqa: S608
        rows = self._read(query, (job_id,))
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None

    def _has_checkpoints(self) -> bool:
        """Not where an earlier version has written it."""
        return bool(self._read("SELECT 1 FROM sqlite_master WHERE name='checkpoints'", ()))

    def history(self, job_id: str) -> Sequence[Step]:
        """Each change of a run's state, the first one first."""
        rows = self._read(
            "SELECT at, CASE WHEN state='QUEUED' AND attempt>1 THEN 'RUNNING' ELSE state END,"
            " attempt, detail FROM transitions WHERE job_id=? ORDER BY rowid",
            (job_id,),
        )
        return [Step(at, State(state), attempt, detail) for at, state, attempt, detail in rows]

    def _select(self, where: str, values: _Values) -> list[RunRecord]:
        rows = self._read(f"SELECT {COLUMNS} FROM runs {where}", values)  # noqa: S608
        return [_entry(row) for row in rows]

    def _read(self, query: str, values: _Values) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerError.of("the ledger cannot be read", error, self.path) from error


def _entry(row: tuple[Any, ...]) -> RunRecord:
    (job_id, job, state, created, started, ended, closed, attempt, most, code, signal, *rest) = row
    result, failure, log_path, cancelled, waits_for_attempt, given = rest
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
        given=given,
    )


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    stored = json.loads(text)
    return documents.read(stored, stored["trace"])
