"""The runs that were asked for from this folder and that no `devbridge dev` has taken yet.

Their requests wait in the broker, which nobody can look into. Each is a file, with no payload,
until the ledger has the run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from devbridge.folders import private_dir, write_private
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State
from runner.outcome import Failure

WAITS: Final = 7 * 24 * 3600
"""Seconds that a broker keeps a request for a daemon that is away: the most that AWS IoT allows
(MQTT 5 session expiry interval)."""
EXPIRED: Final = Failure(
    "Expired", "no `devbridge dev` took it within 7 days, for which the broker keeps a request"
)


class Queued:
    """What is known of them."""

    def __init__(self, stage_dir: Path) -> None:
        """`stage_dir` is what this folder keeps of the stage."""
        self._folder = stage_dir / "queued"

    def add(self, job_id: str, job: str) -> None:
        """Note that a run was asked for now."""
        self._write(job_id, {"job": job, "at": time.time()})

    def get(self, job_id: str) -> RunRecord | None:
        """The run with this whole id."""
        return next((r for r in self.find(job_id) if r.job_id == job_id), None)

    def find(self, prefix: str = "") -> Sequence[RunRecord]:
        """The runs whose id begins so, the newest first."""
        names = (path.stem for path in self._folder.glob("*.json"))
        found = [(name, self._read(name)) for name in names if name.startswith(prefix)]
        records = [record(name, noted, time.time()) for name, noted in found if noted]
        return sorted(records, key=lambda each: each.created_at or 0.0, reverse=True)

    def cancel(self, job_id: str) -> None:
        """Note that a run must not start; the next daemon of this folder looks."""
        if noted := self._read(job_id):
            self._write(job_id, {**noted, "cancelledAt": time.time()})

    def is_cancelled(self, job_id: str) -> bool:
        """Whether a run must not start."""
        return "cancelledAt" in self._read(job_id)

    def forget(self, job_id: str) -> None:
        """The ledger has it, or nobody has."""
        (self._folder / f"{job_id}.json").unlink(missing_ok=True)

    def ended_before(self, at: float) -> Sequence[str]:
        """The ids of the runs that ended before then, in seconds since the epoch."""
        return [each.job_id for each in self.find() if (each.ended_at or at) < at]

    def _write(self, job_id: str, noted: dict[str, Any]) -> None:
        write_private(private_dir(self._folder) / f"{job_id}.json", json.dumps(noted))

    def _read(self, job_id: str) -> dict[str, Any]:
        try:
            noted: dict[str, Any] = json.loads((self._folder / f"{job_id}.json").read_bytes())
        except (FileNotFoundError, ValueError):  # taken meanwhile, or the disk was full
            return {}
        return noted


def record(job_id: str, noted: dict[str, Any], now: float) -> RunRecord:
    """What a note says of its run, at `now` (seconds since the epoch). Pure."""
    at: float = noted["at"]
    waits = RunRecord(job_id=job_id, job=noted["job"], state=State.QUEUED, created_at=at)
    if "cancelledAt" in noted:
        ended: float = noted["cancelledAt"]
        return replace(waits, state=State.CANCELLED, ended_at=ended, cancelled=True, closed=True)
    if now > at + WAITS:
        return replace(waits, state=State.FAILED, ended_at=at + WAITS, failure=EXPIRED, closed=True)
    return waits
