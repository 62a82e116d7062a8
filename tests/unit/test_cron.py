from __future__ import annotations

from datetime import date
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.cron import NotCronError, parsed


def days(of_month: str, of_week: str, year: int, month: int) -> list[int]:
    cron = parsed(f"0 0 {of_month} {month} {of_week} {year}")
    return [at.day for at in cron.times(date(year, 1, 1))]


@pytest.mark.parametrize(
    ("of_month", "of_week", "expected"),
    [
        ("1,15", "?", [1, 15]),
        ("28-31", "?", [28, 29, 30, 31]),
        ("10/7", "?", [10, 17, 24, 31]),
        ("1-9/4", "?", [1, 5, 9]),
        ("*/15", "?", [1, 16, 31]),
        ("L", "?", [31]),
        ("LW", "?", [31]),
        ("?", "SUN", [2, 9, 16, 23, 30]),
        ("?", "1", [2, 9, 16, 23, 30]),
        (
            "?",
            "6-7",
            [1, 7, 8, 14, 15, 21, 22, 28, 29],
        ),
        ("?", "mon,WED", [3, 5, 10, 12, 17, 19, 24, 26, 31]),
        ("?", "L", [1, 8, 15, 22, 29]),
        ("?", "5L", [27]),
        ("?", "FRIL", [28]),
        ("?", "6#3", [21]),
        ("?", "FRI#3", [21]),
        ("?", "7#5", [29]),
        ("?", "6#5", []),
    ],
)
def test_days_are_named_as_aws_says(of_month: str, of_week: str, expected: list[int]) -> None:
    """August 2026 begins on a Saturday."""
    assert days(of_month, of_week, 2026, 8) == expected


@pytest.mark.parametrize(
    ("of_month", "month", "expected"),
    [
        ("3W", 8, 3),  # a Monday
        ("8W", 8, 7),  # a Saturday: the Friday before
        ("9W", 8, 10),  # a Sunday: the Monday after
        ("1W", 8, 3),  # a Saturday, but the Friday is in July
        ("31W", 5, 29),  # a Sunday, but the Monday is in June
        ("LW", 2, 27),  # a Saturday
        ("LW", 5, 29),  # a Sunday
    ],
)
def test_w_is_the_nearest_weekday_of_the_same_month(
    of_month: str, month: int, expected: int
) -> None:
    assert days(of_month, "?", 2026, month) == [expected]


def test_w_of_a_day_that_a_month_lacks_is_no_day() -> None:
    cron = parsed("0 0 31W 4,5 ? 2026")
    assert [at.date() for at in cron.times(date(2026, 1, 1))] == [date(2026, 5, 29)]


def test_a_leap_day_is_a_day() -> None:
    found = parsed("0 0 29 2 ? *").times(date(2026, 1, 1))
    assert [at.year for at in islice(found, 3)] == [2028, 2032, 2036]


def test_times_are_told_in_order() -> None:
    found = list(parsed("30,0 12/6 1 JAN-MAR/2 ? 2027-2028").times(date(2027, 2, 1)))
    assert [f"{at:%y-%m-%d %H:%M}" for at in found[:5]] == [
        "27-03-01 12:00",
        "27-03-01 12:30",
        "27-03-01 18:00",
        "27-03-01 18:30",
        "28-01-01 12:00",
    ]
    assert len(found) == 12
    assert found == sorted(found)


def test_years_end_with_2199() -> None:
    assert list(parsed("0 0 1 1 ? *").times(date(2199, 1, 2))) == []


@given(st.dates(date(1970, 1, 1), date(2199, 12, 31)))
def test_w_is_near_and_no_weekend(day: date) -> None:
    (near,) = days(f"{day.day}W", "?", day.year, day.month)
    assert day.replace(day=near).weekday() < 5
    assert abs(near - day.day) <= (0 if day.weekday() < 5 else 2)


@given(st.dates(date(1970, 1, 1), date(2199, 12, 31)), st.integers(1, 7))
def test_the_weeks_of_a_month_are_its_days(first: date, day: int) -> None:
    year, month = first.year, first.month
    weeks = [days("?", f"{day}#{n}", year, month) for n in range(1, 6)]
    assert [found for week in weeks for found in week] == days("?", str(day), year, month)
    assert days("?", f"{day}L", year, month) == next(week for week in reversed(weeks) if week)


@pytest.mark.parametrize(
    ("text", "named", "allowed"),
    [
        ("0 10 * * ?", "5 fields", "minutes, hours, day-of-month"),
        ("", "0 fields", "six fields"),
        ("0 10 * * * *", "day-of-month '*' and day-of-week '*'", "'?' in one of the two"),
        ("0 10 ? * ? *", "day-of-month '?' and day-of-week '?'", "'?' in one of the two"),
        ("60 10 * * ? *", "minutes '60'", "0-59, and the wildcards , - * /"),
        ("0 24 * * ? *", "hours '24'", "0-23"),
        ("? 24 * * ? *", "minutes '?'", "0-59"),
        ("0 0 0 * ? *", "day-of-month '0'", "1-31, and the wildcards , - * ? / L W"),
        ("0 0 32 * ? *", "day-of-month '32'", "1-31"),
        ("0 0 32W * ? *", "day-of-month '32W'", "1-31"),
        ("0 0 L-3 * ? *", "day-of-month 'L-3'", "each alone"),
        ("0 0 1,LW * ? *", "day-of-month '1,LW'", "each alone"),
        ("0 0 * 13 ? *", "month '13'", "1-12 or JAN-DEC"),
        ("0 0 * JANUARY ? *", "month 'JANUARY'", "1-12 or JAN-DEC"),
        ("0 0 ? * 0 *", "day-of-week '0'", "1-7 or SUN-SAT"),
        ("0 0 ? * 8L *", "day-of-week '8L'", "1-7 or SUN-SAT"),
        ("0 0 ? * MON/2 *", "day-of-week 'MON/2'", ", - * ? L #"),
        ("0 0 ? * FRI-MON *", "a range that goes down", "ranges that go up"),
        ("0 0 ? * 6#6 *", "day-of-week '6#6'", "from 1 to 5"),
        ("0 0 ? * 3#1,6#3 *", "day-of-week '3#1,6#3'", "one day and its number"),
        ("0 0 * * ? 1969", "year '1969'", "1970-2199"),
        ("0 0 * * ? 2200", "year '2200'", "1970-2199"),
        ("*/0 * * * ? *", "minutes '*/0'", "an increment from 1 to 59"),
        ("0/60 * * * ? *", "minutes '0/60'", "an increment from 1 to 59"),
        ("/5 * * * ? *", "minutes '/5'", "0-59"),
        ("5/ * * * ? *", "minutes '5/'", "an increment"),
        ("1, * * * ? *", "minutes '1,'", "0-59"),
        ("1-2-3 * * * ? *", "minutes '1-2-3'", "0-59"),
        ("٣ * * * ? *", "minutes '٣'", "0-59"),
        ("0 0 31 2 ? *", "day-of-month '31' of month '2'", "29 at most"),
        ("0 0 31W APR,JUN ? *", "day-of-month '31W' of month 'APR,JUN'", "30 at most"),
    ],
)
def test_what_scheduler_refuses_is_named_with_its_field(
    text: str, named: str, allowed: str
) -> None:
    with pytest.raises(NotCronError) as caught:
        parsed(text)
    what, right = caught.value.problem
    assert named in what
    assert allowed in right
