"""Lengths of time as people write them: ``"30 minutes"``, ``"1.5 hours"``, ``"10s"``. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

OF_ATTEMPTS: Final = (timedelta(seconds=1), timedelta(days=14))
"""How long an attempt of a job may take: the most is what a task of Amazon ECS is kept for."""
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?) ?(?:(second|minute|hour|day)s?|(s|sec|m|min|h|d))")


def parsed(value: object, limits: tuple[timedelta, timedelta]) -> timedelta | None:
    """`value` ("1 hour", "30 minutes", "10s", a timedelta) if it is a duration within `limits`."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        unit = _UNITS[(match[2] or match[3])[0]]
        try:
            value = timedelta(**{unit: float(match[1])})
        except OverflowError:
            return None
    if not isinstance(value, timedelta) or not limits[0] <= value <= limits[1]:
        return None
    return value


def spelled(length: timedelta) -> str:
    """The same as app.py would have it, in the largest unit that needs no fraction:
    ``90 seconds``, ``2 hours``."""
    seconds = length.total_seconds()
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return _counted(seconds / size, unit)
    return _counted(seconds, "second")


def _counted(count: float, unit: str) -> str:
    return f"{count:g} {unit}{'s' * (count != 1)}"
