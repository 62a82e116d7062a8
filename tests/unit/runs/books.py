"""Runs in a ledger, as the daemon would have written them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from devbridge.config import Config
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.model import Exit, State
from runner.outcome import Failure


@dataclass
class Book:
    """Writes a stage's ledger and logs."""

    config: Config
    began: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.ledger = Ledger.open(self.config.ledger)

    def queue(
        self, job_id: str, job: str = "factorial", *, age: float = 0.0, max_attempts: int = 1
    ) -> None:
        run = NewRun(
            job_id=job_id,
            job=job,
            payload=b"{}",
            created_at=self.began - age,
            log_path=str(self.config.logs_dir / f"{job_id}.log"),
            max_attempts=max_attempts,
        )
        with self.ledger.transaction():
            self.ledger.add(run)

    def start(self, job_id: str, *, after: float = 0.5, attempt: int = 1) -> None:
        self._record(Change(job_id=job_id, state=State.RUNNING, at=after, attempt=attempt))

    def again(self, job_id: str, *, after: float, detail: str) -> None:
        """It waits for its second attempt."""
        change = Change(job_id=job_id, state=State.QUEUED, at=after, attempt=2, detail=detail)
        self._record(change)

    def end(
        self,
        job_id: str,
        state: State = State.SUCCEEDED,
        *,
        after: float = 2.0,
        attempt: int = 1,
        result: bytes | None = None,
        failure: Failure | None = None,
        closed: bool = True,
    ) -> None:
        self._record(
            Change(
                job_id=job_id,
                state=state,
                at=after,
                attempt=attempt,
                exit=Exit(code=0),
                result=result,
                failure=failure,
            )
        )
        if closed:
            self.close_log(job_id)

    def close_log(self, job_id: str) -> None:
        with self.ledger.transaction():
            self.ledger.closed(job_id)

    def log(self, job_id: str, data: bytes) -> None:
        with (self.config.logs_dir / f"{job_id}.log").open("ab") as file:
            file.write(data)

    def _record(self, change: Change) -> None:
        """`change.at` counts from the time at which the run was asked for."""
        entry = self.ledger.get(change.job_id)
        assert entry is not None
        assert entry.created_at is not None
        with self.ledger.transaction():
            self.ledger.record(replace(change, at=entry.created_at + change.at))
