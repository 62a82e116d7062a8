"""What everybody asks of a run, wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass

from devbridge.runs.model import Exit, State
from runner.outcome import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is known of a run. Times are seconds since the epoch; None: not there, or not known."""

    job_id: str
    job: str
    state: State
    created_at: float
    """When it was asked for."""
    started_at: float | None = None
    ended_at: float | None = None
    attempt: int = 1
    """The number of the last attempt, from 1; 0 when nobody has told which was the last."""
    max_attempts: int = 1
    exit: Exit | None = None
    """How its process ended, where that is known."""
    result: bytes | None = None
    """A JSON text, when the run has SUCCEEDED."""
    failure: Failure | None = None
    log: str = ""
    """Where its output is: a file, or ``GROUP/STREAM`` of CloudWatch Logs."""
    closed: bool = False
    """Its worker is gone, and its output is complete."""
    cancelled: bool = False
    """Its end was asked for, whether that has come or not."""
    waits_for_attempt: bool = False
    """It is RUNNING, and `attempt`, its next one, has not started."""
