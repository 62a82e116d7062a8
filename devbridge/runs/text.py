"""A run as text for people and programs. Pure."""

from __future__ import annotations

import datetime
import json
from typing import Any

from devbridge.runs.base import RunRecord
from runner import documents


def iso(at: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, with milliseconds."""
    moment = datetime.datetime.fromtimestamp(at, tz=datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_time(record: RunRecord, now: float) -> float | None:
    """The seconds that a run has taken, or has been running for; None when it never started."""
    if record.started_at is None:
        return None
    return max(0.0, (record.ended_at or now) - record.started_at)


def as_json(record: RunRecord) -> dict[str, Any]:
    """A run as ``--json`` prints it: times in ISO 8601 (UTC), `duration` in seconds."""
    failure, started, ended = record.failure, record.started_at, record.ended_at
    return {
        "id": record.job_id,
        "job": record.job,
        "state": record.state.value,
        "createdAt": _iso(record.created_at),
        "startAt": _iso(record.starts_at),
        "startedAt": _iso(started),
        "endedAt": _iso(ended),
        "duration": None if started is None or ended is None else round(ended - started, 3),
        "attempt": record.attempt or None,
        "maxAttempts": record.max_attempts,
        "exitCode": record.exit.code if record.exit else None,
        "signal": record.exit.signal if record.exit else None,
        "result": None if record.result is None else json.loads(record.result),
        "error": None if failure is None else documents.document(failure),
        "log": record.log or None,
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)
