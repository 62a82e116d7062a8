"""Runs for a later time, as invokers take, tell of and cancel them: see `devbridge.runs.scheduled`.

At that time Scheduler calls the invoker with the run's own event, and the key that the run's id is
made from: who is called twice starts one run.
"""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from typing import Any, Final

from devbridge.protocol.ids import is_id
from devbridge.protocol.messages import REJECT_TOO_LARGE
from devbridge.runs.scheduled import MAX_EVENT, Schedules, Target
from stub_lambda.calls import calls
from stub_lambda.environment import required
from stub_lambda.events import TIME, Context, Question, Refused, Start

_SCHEDULED: Final = "SCHEDULED"


class Later:
    """The runs of one job that wait for their time."""

    def __init__(self, schedules: Schedules, job: str, role: str, dead_letters: str) -> None:
        """
        Args:
            role: the ARN of the role that Scheduler calls the invoker with.
            dead_letters: the ARN of the queue for what could not be delivered.
        """
        self._schedules = schedules
        self._job = job
        self._role, self._dead_letters = role, dead_letters

    @staticmethod
    def from_environment() -> Later:
        """What this function's environment variables say.

        Raises:
            DevbridgeError: a variable is missing.
        """
        return Later(
            Schedules(_client, required("DEVBRIDGE_SCHEDULES")),
            required("DEVBRIDGE_JOB"),
            required("DEVBRIDGE_SCHEDULER_ROLE"),
            required("DEVBRIDGE_UNDELIVERED"),
        )

    def start(self, run_id: str, start: Start, at: datetime, context: Context) -> dict[str, Any]:
        """Have a run start at its time; the answer with its id.

        Raises:
            Refused: it is too large.
            CloudError: Scheduler has refused.
        """
        key = start.key or context.aws_request_id
        text = start.payload.decode("utf-8", "surrogatepass")
        text = text.encode("utf-8", "backslashreplace").decode()
        event = json.dumps(
            {
                "devbridge": 2,
                "action": "run",
                "scheduled": True,
                "jobId": run_id,
                "idempotencyKey": key,
                "payloadText": text,
            },
            ensure_ascii=False,
        )
        size = len(event.encode())
        if size > MAX_EVENT:
            what = f"a run for a later time has {size:,} bytes, more than {MAX_EVENT:,}"
            raise Refused(REJECT_TOO_LARGE, f"{what}: put the payload in S3 and send the key")
        target = Target(context.invoked_function_arn, self._role, self._dead_letters)
        with calls("the run could not be scheduled"):
            new = self._schedules.put(_uuid(run_id), at, event, target)
            first = at if new else self._schedules.start_of(_uuid(run_id)) or at
        return {
            "jobId": run_id,
            "state": _SCHEDULED,
            "duplicate": not new,
            "startAt": first.astimezone(UTC).strftime(TIME),
        }

    def waits(self, run_id: str) -> bool:
        """Whether a run waits for its time, or that has come just now.

        Raises:
            CloudError: Scheduler has refused.
        """
        return self._start_of(run_id) is not None

    def remove(self, run_id: str) -> bool:
        """Have a run not wait any more; False: it does not.

        Raises:
            CloudError: Scheduler has refused.
        """
        uuid = _uuid(run_id)
        with calls("the run could not be taken from the schedules"):
            return is_id(uuid) and self._schedules.remove(uuid)

    def cancelled(self, question: Question) -> dict[str, Any]:
        """The answer for a run that waited, and does not any more."""
        return {"jobId": question.job_id, "was": _SCHEDULED, "state": "CANCELLED"}

    def told(self, question: Question) -> dict[str, Any] | None:
        """The answer, if it is a run that waits for its time.

        Raises:
            CloudError: Scheduler has refused.
        """
        at = self._start_of(question.job_id)
        if at is None:
            return None
        return {
            "jobId": question.job_id,
            "job": self._job,
            "state": _SCHEDULED,
            "attempt": 1,
            "maxAttempts": 1,
            "startAt": at.astimezone(UTC).strftime(TIME),
        }

    def _start_of(self, run_id: str) -> datetime | None:
        uuid = _uuid(run_id)
        with calls("the run could not be asked about"):
            return self._schedules.start_of(uuid) if is_id(uuid) else None


def _uuid(run_id: str) -> str:
    """The part of a deployed run's id behind its project, and all of others."""
    return run_id.rpartition(":")[2]


@functools.cache
def _client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client("scheduler", config=Config(connect_timeout=2, read_timeout=4))
