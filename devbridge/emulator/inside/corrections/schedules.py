"""When a schedule of EventBridge Scheduler invokes its target. Pure.

"Schedule types in EventBridge Scheduler", its user guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Cron = Callable[[str, datetime], datetime | None]
"""The next minute of a cron expression after a time, both on the wall's clock; None: there is none.

Raises:
    ValueError: it is no cron expression.
"""

ATTEMPTS: Final = 185
AGE: Final = 86400
"""Retries of a target that fails, and the seconds within which they must be, by default."""
_AT: Final = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True)
class Plan:
    """What a schedule says of its times; all in seconds since the epoch."""

    expression: str
    zone: str = "UTC"
    since: float = 0.0
    """When it was made or changed last."""
    start: float | None = None
    end: float | None = None

    @property
    def is_once(self) -> bool:
        """Whether it is a schedule of one time only."""
        return self.expression.startswith("at(")

    def done_at_first(self) -> float:
        """Up to when all its times are done with, before any was: a single one may be past."""
        return 0.0 if self.is_once else self.since

    def next(self, after: float, cron: Cron) -> float | None:
        """Its first time after that one; None: it has completed.

        Raises:
            ValueError: its expression or its time zone is none.
        """
        if self.is_once:  # StartDate and EndDate are ignored
            moment = self._once()
            return moment if moment > after else None
        found: float | None
        if match := _RATE.fullmatch(self.expression):
            found = self._rate(int(match[1]) * _SECONDS[match[2]], after)
        else:
            found = self._cron(after, cron)
        return None if found is None or (self.end is not None and found > self.end) else found

    def _once(self) -> float:
        match = _AT.fullmatch(self.expression)
        if match is None:
            raise ValueError(f"Invalid Schedule Expression {self.expression}.")
        return datetime.fromisoformat(match[1]).replace(tzinfo=_zone(self.zone)).timestamp()

    def _rate(self, interval: int, after: float) -> float:
        """A day has 24 hours on the clock, whatever the time zone does."""
        if not interval:
            raise ValueError(f"Invalid Schedule Expression {self.expression}.")
        first = self.since + interval if self.start is None else self.start
        if after < first:
            return first
        return first + ((after - first) // interval + 1) * interval

    def _cron(self, after: float, cron: Cron) -> float | None:
        """A time that the clock leaves out is left out, one that it has twice comes once."""
        zone = _zone(self.zone)
        if self.start is not None:
            after = max(after, self.start - 1)
        wall = datetime.fromtimestamp(after, zone).replace(tzinfo=None)
        while (found := cron(self.expression, wall)) is not None:
            moment = found.replace(tzinfo=zone).astimezone(UTC)
            is_there = moment.astimezone(zone).replace(tzinfo=None) == found
            if is_there and moment.timestamp() > after:
                return moment.timestamp()
            wall = found
        return None


def problem_of(body: Mapping[str, Any], cron: Cron, now: float) -> str | None:
    """What AWS says of a schedule that nobody can keep."""
    try:
        plan = plan_of(body, now)
        _zone(plan.zone)
        plan.next(now, cron)
    except ValueError as error:
        return str(error)
    return None


def plan_of(schedule: Mapping[str, Any], since: float) -> Plan:
    """
    Raises:
        ValueError: a date is none.
    """
    return Plan(
        expression=str(schedule.get("ScheduleExpression") or ""),
        zone=str(schedule.get("ScheduleExpressionTimezone") or "UTC"),
        since=since,
        start=seconds_of(schedule.get("StartDate")),
        end=seconds_of(schedule.get("EndDate")),
    )


def seconds_of(date: Any) -> float | None:
    """A date as the API has it, in seconds, or as CloudFormation has it, in ISO 8601.

    Raises:
        ValueError: it is none.
    """
    if date is None or isinstance(date, int | float):
        return date
    moment = datetime.fromisoformat(str(date))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def pause_after(attempt: int) -> float:
    """Seconds until a target that has failed so often is tried again."""
    return float(min(2 ** (attempt - 1), 60))


def rendered(text: str, values: Mapping[str, str]) -> str:
    """A target's input with what the scheduler puts into it ("Adding context attributes in
    EventBridge Scheduler")."""
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def iso(seconds: float) -> str:
    """A time as the scheduler writes it: ``2026-11-26T10:00:00Z``."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"Invalid Schedule Expression Timezone {name}.") from None
