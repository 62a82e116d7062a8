from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.emulator.inside.corrections.schedules import (
    Plan,
    iso,
    pause_after,
    problem_of,
    rendered,
    seconds_of,
)

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def daily(expression: str, after: datetime) -> datetime | None:
    """A cron of one time a day, or of each minute: ``cron(30 2)``, ``cron(*)``."""
    if expression == "cron(never)":
        return None
    if not expression.startswith("cron("):
        raise ValueError(f"Invalid Schedule Expression {expression}.")
    following = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    if expression == "cron(*)":
        return following
    minute, hour = map(int, expression[5:-1].split())
    found = following.replace(hour=hour, minute=minute)
    return found if found >= following else found + timedelta(days=1)


def test_a_single_time_is_on_the_clock_of_its_zone_and_comes_once() -> None:
    plan = Plan("at(2026-07-01T10:00:00)", "Europe/Berlin", since=at("2026-07-02T00:00:00Z"))
    assert plan.next(plan.done_at_first(), daily) == at("2026-07-01T08:00:00Z")
    assert plan.next(at("2026-07-01T08:00:00Z"), daily) is None
    dated = Plan("at(2026-07-01T10:00:00)", start=at("2027-01-01T00:00:00Z"), end=0.0)
    assert dated.next(0.0, daily) == at("2026-07-01T10:00:00Z")


def test_a_rate_comes_first_after_an_interval_or_at_its_start() -> None:
    plan = Plan("rate(5 minutes)", since=1000.0)
    assert plan.next(plan.done_at_first(), daily) == 1300.0
    assert plan.next(1300.0, daily) == 1600.0
    assert plan.next(1599.5, daily) == 1600.0
    assert Plan("rate(1 day)", since=0.0, start=500.0).next(0.0, daily) == 500.0
    assert Plan("rate(1 hour)", since=0.0, end=3599.0).next(0.0, daily) is None


def test_a_time_that_the_clock_leaves_out_is_left_out() -> None:
    plan = Plan("cron(30 2)", "Europe/Berlin")
    before = at("2026-03-28T12:00:00Z")  # the clock goes forward in the night that follows
    assert plan.next(before, daily) == at("2026-03-30T00:30:00Z")


def test_a_time_that_the_clock_has_twice_comes_once() -> None:
    plan = Plan("cron(30 2)", "Europe/Berlin")
    first = plan.next(at("2026-10-24T12:00:00Z"), daily)
    assert first == at("2026-10-25T00:30:00Z")
    assert plan.next(first, daily) == at("2026-10-26T01:30:00Z")
    between = at("2026-10-25T01:10:00Z")  # 2:10 for the second time
    assert plan.next(between, daily) == at("2026-10-26T01:30:00Z")
    each = Plan("cron(*)", "Europe/Berlin")
    assert each.next(at("2026-10-25T00:59:00Z"), daily) == at("2026-10-25T02:00:00Z")


def test_cron_keeps_its_dates() -> None:
    start, end = at("2026-05-02T10:00:00Z"), at("2026-05-03T09:00:00Z")
    plan = Plan("cron(0 10)", since=0.0, start=start, end=end)
    assert plan.next(at("2026-05-01T00:00:00Z"), daily) == start
    assert plan.next(start, daily) is None
    assert Plan("cron(never)").next(0.0, daily) is None


@given(
    zone=st.sampled_from(ZONES),
    after=st.integers(at_seconds := 1735689600, at_seconds + 3 * 366 * 86400),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
)
def test_each_time_is_on_the_wall_and_none_between_is_passed_over(
    zone: str, after: int, hour: int, minute: int
) -> None:
    found = Plan(f"cron({minute} {hour})", zone).next(after, daily)
    assert found is not None
    assert after < found <= after + 2 * 86400 + 7200
    wall = datetime.fromtimestamp(found, ZoneInfo(zone))
    assert (wall.hour, wall.minute, wall.fold) == (hour, minute, 0)
    for moment in range((after // 60 + 1) * 60, int(found), 60):
        passed = datetime.fromtimestamp(moment, ZoneInfo(zone))
        assert (passed.hour, passed.minute) != (hour, minute) or passed.fold


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"ScheduleExpression": "cron(0 1)"}, None),
        ({"ScheduleExpression": "at(2020-01-01T00:00:00)"}, None),
        ({"ScheduleExpression": "rate(1 minutes)"}, None),
        ({"ScheduleExpression": "rate(0 minutes)"}, "Invalid Schedule Expression rate(0 minutes)."),
        ({"ScheduleExpression": "at(2020-01-01)"}, "Invalid Schedule Expression at(2020-01-01)."),
        ({"ScheduleExpression": "hourly"}, "Invalid Schedule Expression hourly."),
        (
            {"ScheduleExpression": "cron(0 1)", "ScheduleExpressionTimezone": "Mars/Olympus"},
            "Invalid Schedule Expression Timezone Mars/Olympus.",
        ),
        (
            {"ScheduleExpression": "rate(1 hour)", "ScheduleExpressionTimezone": "../etc/passwd"},
            "Invalid Schedule Expression Timezone ../etc/passwd.",
        ),
    ],
)
def test_what_nobody_can_keep_is_said(body: dict[str, str], problem: str | None) -> None:
    assert problem_of(body, daily, 0.0) == problem


def test_dates_are_seconds_or_iso() -> None:
    assert seconds_of(None) is None
    assert seconds_of(5) == 5
    assert seconds_of("2026-01-01T00:00:00Z") == seconds_of("2026-01-01T00:00:00")
    assert iso(at("2026-11-26T10:00:00Z")) == "2026-11-26T10:00:00Z"
    with pytest.raises(ValueError, match="tomorrow"):
        seconds_of("tomorrow")


def test_inputs_get_what_they_ask_for() -> None:
    text = '{"a":"<aws.scheduler.x>/<aws.scheduler.y>","b":"<other>"}'
    assert rendered(text, {"x": "1", "y": "2"}) == '{"a":"1/2","b":"<other>"}'


def test_pauses_grow_to_a_minute() -> None:
    assert [pause_after(attempt) for attempt in (1, 2, 3, 6, 7, 200)] == [1, 2, 4, 32, 60, 60]
