"""The cron expressions of EventBridge Scheduler. Pure.

The rules are those of "Schedule types in EventBridge Scheduler", Cron-based schedules (User Guide),
and of "Cron expressions reference" (EventBridge User Guide): six fields, each with wildcards of its
own. What neither page has is refused, for Scheduler may refuse it when the stack is deployed:
ranges that go down, L and W beside other values, more than one '#'.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from devbridge.sources.base import Problem

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS: Final = "minutes, hours, day-of-month, month, day-of-week, year"
_LONGEST: Final = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_WEEKS: Final = 5
_WEEKDAYS: Final = range(5)

_Days = Callable[[int, int], set[int]]
"""The days that a field names, of a year and month."""


class NotCronError(Exception):
    """An expression that Scheduler would refuse."""

    def __init__(self, what: str, allowed: str) -> None:
        super().__init__(what)
        self.problem: Problem = what, allowed


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    wildcards: str = ", - * /"

    @property
    def allowed(self) -> str:
        values = f"{self.low}-{self.high}"
        if self.names:
            values += f" or {self.names[0]}-{self.names[-1]}"
        return f"{values}, and the wildcards {self.wildcards}"

    def refused(self, text: str, why: str = "", allowed: str = "") -> NotCronError:
        return NotCronError(f"{self.name} {text!r}{why}", allowed or self.allowed)

    def number(self, text: str, whole: str) -> int:
        """A value by its number or name."""
        if text.upper() in self.names:
            return self.names.index(text.upper()) + self.low
        found = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else -1
        if not self.low <= found <= self.high:
            raise self.refused(whole)
        return found

    def set_of(self, text: str) -> frozenset[int]:
        """What a list of values, ranges and increments names."""
        return frozenset(value for part in text.split(",") for value in self._part(part, text))

    def _part(self, part: str, text: str) -> range:
        start, slash, step = part.partition("/")
        if slash and "/" not in self.wildcards:
            raise self.refused(text)
        span = self._span(start, text, open_ended=bool(slash))
        if not slash:
            return span
        if not re.fullmatch(r"[0-9]{1,4}", step) or not 1 <= int(step) <= max(self.high, 1):
            allowed = f"an increment from 1 to {self.high} behind the '/'"
            raise self.refused(text, allowed=allowed)
        return range(span.start, span.stop, int(step))

    def _span(self, text: str, whole: str, *, open_ended: bool) -> range:
        if text == "*":
            return range(self.low, self.high + 1)
        first, dash, last = text.partition("-")
        low = self.number(first, whole)
        high = self.number(last, whole) if dash else self.high if open_ended else low
        if high < low:
            allowed = "ranges that go up; write the values with ',' instead"
            raise self.refused(whole, ", a range that goes down,", allowed)
        return range(low, high + 1)


_MINUTES: Final = _Field("minutes", 0, 59)
_HOURS: Final = _Field("hours", 0, 23)
_DAY_OF_MONTH: Final = _Field("day-of-month", 1, 31, wildcards=", - * ? / L W")
_MONTH: Final = _Field("month", 1, 12, MONTHS)
_DAY_OF_WEEK: Final = _Field("day-of-week", 1, 7, DAYS, ", - * ? L #")
_YEAR: Final = _Field("year", 1970, 2199)


@dataclass(frozen=True)
class Cron:
    """A cron expression that has been read."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    _days: _Days

    def times(self, first: date) -> Iterator[datetime]:
        """The times that it names from that day on, in order: on the clock of a place, whether or
        not its clock ever shows them."""
        for year in range(max(first.year, _YEAR.low), _YEAR.high + 1):
            if year not in self.years:
                continue
            for month in sorted(self.months):
                if (year, month) < (first.year, first.month):
                    continue
                for day in sorted(self._days(year, month)):
                    if (at := datetime(year, month, day)).date() >= first:
                        yield from self._on(at)

    def _on(self, day: datetime) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                yield day + timedelta(hours=hour, minutes=minute)


def parsed(text: str) -> Cron:
    """What is in the parentheses of ``cron(...)``.

    Raises:
        NotCronError: Scheduler would refuse it.
    """
    fields = text.split()
    if len(fields) != 6:
        what = f"{len(fields)} field{'s' * (len(fields) != 1)}"
        raise NotCronError(what, f"six fields: {FIELDS}")
    minute, hour, of_month, month, of_week, year = fields
    if (of_month == "?") == (of_week == "?"):
        both = f"day-of-month {of_month!r} and day-of-week {of_week!r}"
        raise NotCronError(both, "'?' in one of the two, and in the other what is meant, or '*'")
    minutes, hours = _MINUTES.set_of(minute), _HOURS.set_of(hour)
    months, years = _MONTH.set_of(month), _YEAR.set_of(year)
    if of_week == "?":
        days = _of_month(of_month)
        _check_fires(of_month, month, months)
    else:
        days = _of_week(of_week)
    return Cron(tuple(sorted(minutes)), tuple(sorted(hours)), months, years, days)


def _of_month(text: str) -> _Days:
    upper = text.upper()
    if upper == "L":
        return lambda year, month: {monthrange(year, month)[1]}
    if upper == "LW":
        return lambda year, month: {_nearest(year, month, 31)}
    if re.fullmatch(r"[0-9]+W", upper):
        day = _DAY_OF_MONTH.number(upper[:-1], text)
        return lambda year, month: (
            {_nearest(year, month, day)} if day <= monthrange(year, month)[1] else set()
        )
    if "L" in upper or "W" in upper:
        allowed = "L (the last day), 3W (the weekday nearest the 3rd) or LW, each alone"
        raise _DAY_OF_MONTH.refused(text, allowed=allowed)
    days = _DAY_OF_MONTH.set_of(text)
    return lambda year, month: {day for day in days if day <= monthrange(year, month)[1]}


def _nearest(year: int, month: int, day: int) -> int:
    """The day from Monday to Friday that is nearest, within the month."""
    last = monthrange(year, month)[1]
    at = min(day, last)
    weekday = date(year, month, at).weekday()
    if weekday in _WEEKDAYS:
        return at
    if weekday == 5:
        return at - 1 if at > 1 else at + 2
    return at + 1 if at < last else at - 2


def _of_week(text: str) -> _Days:
    upper = text.upper()
    if "#" in upper:
        name, _, which = upper.partition("#")
        if not re.fullmatch(f"[1-{_WEEKS}]", which):
            allowed = f"one day and its number from 1 to {_WEEKS}, such as 6#3 or FRI#3, alone"
            raise _DAY_OF_WEEK.refused(text, allowed=allowed)
        wanted, week = _DAY_OF_WEEK.number(name, text), int(which)
        return lambda year, month: set(_those(year, month, {wanted})[week - 1 : week])
    if upper == "L":  # the last day of the week: Saturday
        return lambda year, month: set(_those(year, month, {7}))
    if upper.endswith("L") and "," not in upper and "-" not in upper:
        wanted = _DAY_OF_WEEK.number(upper[:-1], text)
        return lambda year, month: set(_those(year, month, {wanted})[-1:])
    days = _DAY_OF_WEEK.set_of(upper)
    return lambda year, month: set(_those(year, month, days))


def _those(year: int, month: int, wanted: set[int] | frozenset[int]) -> list[int]:
    """The days of a month that are such days of the week; 1 is Sunday."""
    first, last = monthrange(year, month)
    return [day for day in range(1, last + 1) if (first + day) % 7 + 1 in wanted]


def _check_fires(text: str, month: str, months: frozenset[int]) -> None:
    """
    Raises:
        NotCronError: no such month has such a day.
    """
    longest = max(_LONGEST.get(each, 31) for each in months)
    upper = text.upper()
    if upper.startswith("L"):
        return
    least = min(_DAY_OF_MONTH.set_of(upper.removesuffix("W")))
    if least > longest:
        what = f"day-of-month {text!r} of month {month!r}"
        raise NotCronError(what, f"a day that there is: {longest} at most")
