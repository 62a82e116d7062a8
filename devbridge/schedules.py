"""The expressions of EventBridge Scheduler: whether it would take them, and when it acts. Pure.

The rules are those of "Schedule types in EventBridge Scheduler" (User Guide) and of the API's
CreateSchedule. By both, and by AWS re:Post ("How can I adjust my Amazon EventBridge schedule for
daylight saving?"):

- ``rate`` counts time as it passes: a day is 24 hours, whatever the clocks do.
- ``cron`` goes by the clock of its time zone. A time that the clock leaves out in spring is
  skipped; one that it shows twice in autumn counts once. AWS does not say which of the two: here
  it is the first.
- ``at`` is one time, in its time zone. One that the clock leaves out is refused here, for AWS does
  not say what becomes of it.

Scheduler acts within the minute that follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from devbridge.cron import Cron, NotCronError
from devbridge.cron import parsed as parsed_cron
from devbridge.errors import did_you_mean
from devbridge.sources.base import Problem

FORMS: Final = "rate(2 hours), cron(0 10 * * ? *) or at(2030-01-31T08:00:00)"
MAX_EXPRESSION: Final = 256
"""Characters of an expression (API, CreateSchedule)."""
MAX_ZONE: Final = 50
"""Characters of a time zone's name (API, CreateSchedule)."""

_FORM: Final = re.compile(r"(rate|cron|at)\((.*)\)", re.ASCII)
_RATE: Final = re.compile(r"([0-9]+) +(minute|hour|day)(s?)")
_RATE_ALLOWED: Final = "a whole number from 1 on and its unit: rate(1 hour), rate(15 minutes)"
_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_AT_ALLOWED: Final = "a time as at(yyyy-mm-ddThh:mm:ss), without an offset: the time zone has it"
_NO_ZONES: Final = frozenset({"localtime", "Factory", "posixrules"})


@dataclass(frozen=True)
class Rate:
    """Again and again, so long after one another."""

    every: timedelta


@dataclass(frozen=True)
class At:
    """Once, when the clock shows this."""

    time: datetime


Parsed = Rate | Cron | At


class _NotAllowedError(Exception):
    def __init__(self, what: str, allowed: str) -> None:
        super().__init__(what)
        self.problem: Problem = what, allowed


def problem(expression: object, timezone: object = "UTC") -> Problem | None:
    """What of a schedule EventBridge Scheduler would refuse, and what it takes."""
    try:
        found = _parsed(expression)
    except _NotAllowedError as error:
        return error.problem
    if refused := _zone_problem(timezone):
        return refused
    if isinstance(found, At) and _instant(found.time, ZoneInfo(str(timezone))) is None:
        what = f"{expression!r} in {timezone}, where the clock leaves that time out,"
        return what, "a time that there is"
    return None


def next_fire(expression: str, timezone: str, after: datetime) -> datetime | None:
    """When Scheduler acts next; None if never again.

    Args:
        after: a time with its zone; for ``rate`` that of the last time, or of the start.

    Returns:
        A time in UTC.

    Raises:
        ValueError: the expression or the zone is none, or `after` has no zone.
    """
    if after.tzinfo is None:
        raise ValueError("`after` has no time zone")
    if refused := problem(expression, timezone):
        raise ValueError(f"{refused[0]} is not allowed; allowed: {refused[1]}")
    found, zone, after = _parsed(expression), ZoneInfo(timezone), after.astimezone(UTC)
    if isinstance(found, Rate):
        return _later(after, found.every)
    if isinstance(found, At):
        at = _instant(found.time, zone)
        return at if at is not None and at > after else None
    # One that is left out or repeated may have the clock go back to the day before.
    today = after.astimezone(zone).date()
    for local in found.times(today - timedelta(days=1) if today.toordinal() > 1 else today):
        at = _instant(local, zone)
        if at is not None and at > after:
            return at
    return None


def _parsed(expression: object) -> Parsed:
    if not isinstance(expression, str):
        raise _NotAllowedError(repr(expression), FORMS)
    match = _FORM.fullmatch(expression)
    if match is None:
        raise _NotAllowedError(repr(expression), FORMS)
    if len(expression) > MAX_EXPRESSION:
        what = f"an expression of {len(expression)} characters"
        raise _NotAllowedError(what, f"at most {MAX_EXPRESSION}")
    form, inside = match.groups()
    if form == "rate":
        return _rate(expression, inside)
    if form == "at":
        return _at(expression, inside)
    try:
        return parsed_cron(inside)
    except NotCronError as error:
        what, allowed = error.problem
        raise _NotAllowedError(f"{expression!r}: {what}", allowed) from None


def _rate(expression: str, inside: str) -> Rate:
    match = _RATE.fullmatch(inside)
    if match is None or not int(match[1]):
        raise _NotAllowedError(repr(expression), _RATE_ALLOWED)
    count, unit = int(match[1]), match[2]
    if (count == 1) == bool(match[3]):
        right = f"rate({count} {unit}{'s' * (count != 1)})"
        raise _NotAllowedError(repr(expression), right)
    try:
        return Rate(timedelta(**{f"{unit}s": count}))
    except OverflowError:
        raise _NotAllowedError(repr(expression), "a shorter time") from None


def _at(expression: str, inside: str) -> At:
    try:
        if _AT.fullmatch(inside):
            return At(datetime.fromisoformat(inside))
    except ValueError as error:
        raise _NotAllowedError(f"{expression!r} ({error})", _AT_ALLOWED) from None
    raise _NotAllowedError(repr(expression), _AT_ALLOWED)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_ZONES


def _zone_problem(timezone: object) -> Problem | None:
    allowed = "the name of a time zone, such as 'UTC' or 'Europe/Berlin'"
    if not isinstance(timezone, str) or len(timezone) > MAX_ZONE:
        return f"timezone {timezone!r}", allowed
    if timezone in _zones():
        return None
    by_city = {name.rpartition("/")[2].lower(): name for name in sorted(_zones())}
    by_name = by_city | {name.lower(): name for name in _zones()}
    meant = by_name.get(timezone.lower().replace(" ", "_"))
    hint = f"; did you mean {meant!r}?" if meant else did_you_mean(timezone, sorted(_zones()))
    return f"timezone {timezone!r}", allowed + hint


def _instant(local: datetime, zone: ZoneInfo) -> datetime | None:
    """When the clock of a zone first shows a time; None if it never does."""
    try:
        at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        shown = at.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        return None
    return at if shown == local else None


def _later(after: datetime, every: timedelta) -> datetime | None:
    try:
        return after + every
    except OverflowError:
        return None
