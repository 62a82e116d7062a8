"""Until a run has ended, and the exit code that tells how."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from devbridge import errors
from devbridge.errors import JobNotFinished
from devbridge.runs.base import Run, RunRecord
from devbridge.runs.model import State
from runner.outcome import duration

EXIT_CODES: Final[Mapping[State, int]] = {
    State.SUCCEEDED: errors.EXIT_OK,
    State.FAILED: errors.EXIT_JOB_FAILED,
    State.CANCELLED: errors.EXIT_JOB_CANCELLED,
    State.TIMED_OUT: errors.EXIT_JOB_TIMED_OUT,
    State.CRASHED: errors.EXIT_JOB_CRASHED,
}


class Clock:
    """Waits between two looks, and no longer than it may."""

    def __init__(
        self,
        timeout: timedelta | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """
        Args:
            timeout: how long it may wait; None: for ever.
            now: the time in seconds.
            sleep: takes seconds.
        """
        self.timeout = timeout or timedelta()
        self._until = None if timeout is None else now() + timeout.total_seconds()
        self._now, self._sleep = now, sleep

    def pause(self, seconds: float) -> bool:
        """Wait that long, or as long as it may; False, at once, when the time is over."""
        if self._until is not None:
            left = self._until - self._now()
            if left <= 0:
                return False
            seconds = min(seconds, left)
        self._sleep(seconds)
        return True


def result_of(record: RunRecord) -> bytes:
    """The JSON text that a run returned.

    Raises:
        JobNotFinished: it has not ended.
        JobFailed: it has ended without a result.
    """
    from devbridge.job import JobStatus, raise_unless_succeeded  # slow to import

    failure = record.failure
    raise_unless_succeeded(
        JobStatus(
            record.job_id,
            record.job,
            record.state,
            error_type=failure.type if failure else None,
            error_message=failure.message if failure else None,
        )
    )
    return record.result or b"null"


def until_ended(run: Run, clock: Clock) -> RunRecord:
    """Wait until a run has ended; returns what is known of it then, with its result.

    Raises:
        JobNotFinished: the time is over.
        UnknownRun, InvokeError, CloudError: as `Run.refresh`.
    """
    record = run.record
    while not record.state.final:
        if not clock.pause(run.poll):
            raise JobNotFinished(
                f"the run is {record.state} after {duration(clock.timeout.total_seconds())}",
                where=f"job {record.job!r}, run {record.job_id}",
                remedy="wait longer, or stop it: devbridge cancel",
            )
        record = run.refresh()
    return run.refresh(result=True)
