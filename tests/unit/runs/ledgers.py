"""How tests write a ledger."""

from __future__ import annotations

from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.ledger_reader import LedgerReader


def a_run(job_id: str = "r1", job: str = "factorial", at: float = 100.0) -> NewRun:
    return NewRun(
        job_id=job_id, job=job, payload=b'{"num": 5}', created_at=at, log_path=f"/logs/{job_id}"
    )


def add(ledger: Ledger, *runs: NewRun) -> list[bool]:
    with ledger.transaction():
        return [ledger.add(run) for run in runs]


def record(ledger: Ledger, *changes: Change) -> None:
    with ledger.transaction():
        for change in changes:
            ledger.record(change)


def ids(ledger: LedgerReader) -> list[str]:
    return [entry.job_id for entry in ledger.recent()]
