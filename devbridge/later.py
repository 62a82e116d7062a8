"""When a run is to start that is asked for now: ``run(at=...)``, ``run(delay="2 hours")``. Pure,
and the standard library only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from devbridge.durations import parsed
from devbridge.errors import TimeNotAllowed

LONGEST: Final = timedelta(days=366)
"""How far ahead a run may be asked for. EventBridge Scheduler takes any time; but the code that is
deployed then is the one that runs."""
_WHERE: Final = "run(at=..., delay=...)"


def moment(at: object, delay: object, now: datetime) -> datetime | None:
    """When a run is to start: in UTC, at a whole second, which is what Scheduler knows.

    Args:
        at: a datetime with its time zone, or None.
        delay: a time from now, ``"2 hours"`` or a timedelta; or None.
        now: with a time zone.

    Returns:
        None if that is now, or over.

    Raises:
        TimeNotAllowed: it is no such time, or too far ahead.
    """
    if at is not None and delay is not None:
        raise TimeNotAllowed("both at and delay are given", where=_WHERE, remedy="give one of them")
    if at is not None:
        if not isinstance(at, datetime) or at.utcoffset() is None:
            remedy = "a datetime with its time zone: datetime(2030, 1, 31, 8, tzinfo=UTC)"
            raise TimeNotAllowed(f"at={at!r} is not allowed", where=_WHERE, remedy=remedy)
        ahead = at.astimezone(UTC) - now
    else:
        found = timedelta() if delay is None else parsed(delay, (timedelta(), timedelta.max))
        if found is None:
            remedy = 'a time such as "90 seconds" or "2 hours", or a timedelta; not a negative one'
            raise TimeNotAllowed(f"delay={delay!r} is not allowed", where=_WHERE, remedy=remedy)
        ahead = found
    if ahead > LONGEST:
        raise TimeNotAllowed(
            f"a run is asked for {ahead.days} days ahead",
            where=_WHERE,
            remedy=f"at most {LONGEST.days} days; for what comes later keep the time in a table,"
            " and have a Schedule look there",
        )
    if ahead <= timedelta():
        return None
    start = (now + ahead).astimezone(UTC)
    whole = start.replace(microsecond=0)
    return whole if whole == start else whole + timedelta(seconds=1)


def written(start: datetime) -> str:
    """A time as events and answers have it: ``2030-01-31T08:00:00Z``."""
    return f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
