"""The clock."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from devbridge import schedules
from devbridge.constructs.code import Code
from devbridge.constructs.triggers.done import InQueue
from devbridge.errors import DevbridgeError
from devbridge.payload.encode import dump
from devbridge.sources.base import Problem

MAX_PAYLOAD: Final = 250_000
"""Bytes of a schedule's payload: EventBridge Scheduler takes 256 KB (API, Target, Input) with what
devbridge adds to it."""
_WORDS: Final = {"*": "x", "?": "q", ",": "-", "/": "-by-", "#": "-of-"}
"""What a label has for a cron expression's signs."""


@dataclass(frozen=True)
class Schedule(InQueue):
    """Runs the job again and again, or once, by the clock: through EventBridge Scheduler, and the
    job's own queue. A function is called with `payload`; without one, with Scheduler's own event.

    Args:
        expression: ``rate(2 hours)``, ``cron(0 10 * * ? *)`` or ``at(2030-01-31T08:00:00)``, as
            `devbridge.schedules` has them. A rate acts for the first time at `start`, or at once
            when it is deployed.
        timezone: whose clock `expression` means: ``Europe/Berlin``.
        payload: of each run; any JSON value.
        enabled: False: nothing is started, until it is deployed with True.
        overlap: True: a run is started though that of an earlier time of this schedule goes on;
            by default it is not, and the time is passed over. A function is called whenever the
            time has come: False is not to be had of one.
        start, end: with a time zone; nothing is started before `start`, nor at or after `end`. Not
            of ``at(...)``, for which Scheduler ignores them.
        name, done: as `Trigger` and `InQueue` say; the name by default that of the expression,
            ``rate-2-hours``.
    """

    kind: ClassVar[str] = "schedule"
    queued: ClassVar[bool] = True

    expression: str
    _: KW_ONLY
    timezone: str = "UTC"
    payload: Any = None
    enabled: bool = True
    start: datetime | None = None
    end: datetime | None = None
    overlap: bool | None = None

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        if self.name:
            return self.name
        words = "".join(_WORDS.get(sign, sign) for sign in self.expression)
        return re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-")[:40].rstrip("-")

    def problem(self, owner: Code) -> Problem | None:
        """See `Trigger.problem`."""
        if not isinstance(self.enabled, bool):
            return f"enabled {self.enabled!r}", "True or False"
        if self.overlap not in (None, True, False):
            return f"overlap {self.overlap!r}", "True, False or None"
        if self.overlap is False and owner.raw_events:
            allowed = (
                "None of a Function; with reserved_concurrency=1, one call waits for the other"
            )
            return "overlap False", allowed
        if self.overlap is False and self.held:
            allowed = "with done='started' only; Lambda(reserved_concurrency=1) lets runs wait"
            return "overlap False with done='succeeded'", allowed
        return (
            schedules.problem(self.expression, self.timezone)
            or self._payload_problem()
            or self._time_problem()
        )

    def payload_text(self) -> str:
        """The payload as JSON, and so that Scheduler replaces nothing in it: it takes
        ``<aws.scheduler.execution-id>`` and others for the time and the names that they stand for.

        Raises:
            PayloadNotJson: it is none.
        """
        return dump(self.payload).replace("<aws.scheduler.", "\\u003caws.scheduler.")

    def _payload_problem(self) -> Problem | None:
        try:
            text = self.payload_text()
        except DevbridgeError as error:
            return f"payload ({error.what})", str(error.remedy)
        size = len(text.encode("utf-8", "backslashreplace"))
        if size > MAX_PAYLOAD:
            return f"payload of {size:,} bytes", f"at most {MAX_PAYLOAD:,}; put more of it in S3"
        return None

    def _time_problem(self) -> Problem | None:
        for what, value in (("start", self.start), ("end", self.end)):
            if value is None:
                continue
            if not isinstance(value, datetime) or value.utcoffset() is None:
                allowed = "a datetime with its time zone: datetime(2030, 1, 31, tzinfo=UTC)"
                return f"{what} {value!r}", allowed
            if self.expression.startswith("at("):
                return f"{what} with {self.expression!r}", "neither: that is one time already"
        if self.start and self.end and self.start >= self.end:
            return f"end {self.end.isoformat()}", f"a time after start, {self.start.isoformat()}"
        return None
