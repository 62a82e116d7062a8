"""Runs that were asked for a later time: one-off schedules of EventBridge Scheduler, which is all
that is known of them until they start.

Scheduler could delete a schedule that has fired; but it does before Lambda has called anybody, and
nobody would know of the run meanwhile. So who starts the run deletes the schedule, and who finds
none starts nothing: the run was cancelled, or started.

The standard library only: it is part of the invokers' zips, and botocore's client is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

MAX_EVENT: Final = 250_000
"""Bytes of the event that starts a run; Scheduler takes 256 KB (API, Target, Input)."""
_AT: Final = "at(%Y-%m-%dT%H:%M:%S)"
_PLACEHOLDER: Final = "<aws.scheduler."
"""What Scheduler replaces begins so (User Guide, Context attributes)."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is called when the time has come."""

    arn: str
    """Of the job's invoker."""
    role: str
    """The ARN of the role that may call it."""
    dead_letters: str
    """The ARN of the queue for what could not be delivered."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that waits for its time."""

    start: datetime
    event: str
    """What its job's invoker is called with then, a JSON text."""


class Schedules:
    """The schedules of one stage, each called as the uuid of its run."""

    def __init__(self, client: Callable[[], Any], group: str) -> None:
        """
        Args:
            client: gives botocore's client for EventBridge Scheduler.
            group: the schedule group of the stage.
        """
        self._client = client
        self._group = group

    def put(self, uuid: str, start: datetime, event: str, target: Target) -> bool:
        """Have an invoker called with an event; False: that run is scheduled already.

        Args:
            start: with its time zone, in the future.
            event: a JSON text.

        Raises:
            ClientError, BotoCoreError: Scheduler has refused.
        """
        client = self._client()
        try:
            client.create_schedule(
                Name=uuid,
                GroupName=self._group,
                ClientToken=uuid,
                ScheduleExpression=start.astimezone(UTC).strftime(_AT),
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={
                    "Arn": target.arn,
                    "RoleArn": target.role,
                    "Input": event.replace(_PLACEHOLDER, f"\\u003c{_PLACEHOLDER[1:]}"),
                    "DeadLetterConfig": {"Arn": target.dead_letters},
                },
            )
        except client.exceptions.ConflictException:
            return False
        return True

    def start_of(self, uuid: str) -> datetime | None:
        """When a run is to start; None: as `get`.

        Raises:
            ClientError, BotoCoreError: Scheduler has refused.
        """
        found = self.get(uuid)
        return None if found is None else found.start

    def get(self, uuid: str) -> Waiting | None:
        """A run; None: it is not scheduled, or has started.

        Raises:
            ClientError, BotoCoreError: Scheduler has refused.
        """
        client = self._client()
        try:
            found = client.get_schedule(Name=uuid, GroupName=self._group)
        except client.exceptions.ResourceNotFoundException:
            return None
        start = datetime.strptime(found["ScheduleExpression"], _AT).replace(tzinfo=UTC)
        return Waiting(start, found["Target"]["Input"])

    def remove(self, uuid: str) -> bool:
        """Have a run not start; False: it is not scheduled, or has been started.

        Raises:
            ClientError, BotoCoreError: Scheduler has refused.
        """
        client = self._client()
        try:
            client.delete_schedule(Name=uuid, GroupName=self._group)
        except client.exceptions.ResourceNotFoundException:
            return False
        return True
