from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devbridge.schedules import next_fire, problem

BERLIN = "Europe/Berlin"
ZONES = (
    *("UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu"),
    *("America/St_Johns", "Pacific/Apia", "America/Havana", "Africa/Casablanca"),
)
"""Among them some whose clocks change by half an hour, at midnight, or by a day."""


def fires(expression: str, timezone: str, after: str, count: int) -> list[str]:
    """The next times, as the clock shows them."""
    zone, found = ZoneInfo(timezone), []
    at = datetime.fromisoformat(after).replace(tzinfo=zone).astimezone(UTC)
    for _ in range(count):
        following = next_fire(expression, timezone, at)
        if following is None:
            break
        at = following
        assert at.tzinfo is UTC
        found.append(f"{at.astimezone(zone):%m-%d %H:%M%z}")
    return found


@pytest.mark.parametrize(
    "expression",
    [
        *("rate(1 minute)", "rate(15 minutes)", "rate(1 hour)", "rate(2 hours)", "rate(1 day)"),
        *("rate(7 days)", "cron(0 10 * * ? *)", "cron(15 12 * * ? *)", "cron(0 18 ? * MON-FRI *)"),
        *("cron(0 8 1 * ? *)", "cron(0/10 * ? * MON-FRI *)", "cron(0/5 8-17 ? * MON-FRI *)"),
        *("cron(15 10 ? * 6L 2022-2023)", "cron(0 9 ? * 2#1 *)", "cron(0 18 LW * ? *)"),
        *("at(2022-11-20T13:00:00)", "at(2030-02-28T23:59:59)"),
    ],
)
def test_the_examples_of_aws_are_taken(expression: str) -> None:
    assert problem(expression, "UTC") is None


@pytest.mark.parametrize(
    ("expression", "named", "allowed"),
    [
        ("rate(1 minutes)", "'rate(1 minutes)'", "rate(1 minute)"),
        ("rate(2 hour)", "'rate(2 hour)'", "rate(2 hours)"),
        ("rate(0 minutes)", "'rate(0 minutes)'", "from 1 on"),
        ("rate(-1 minutes)", "'rate(-1 minutes)'", "from 1 on"),
        ("rate(1.5 hours)", "'rate(1.5 hours)'", "a whole number"),
        ("rate(30 seconds)", "'rate(30 seconds)'", "a whole number"),
        ("rate(5 weeks)", "'rate(5 weeks)'", "a whole number"),
        ("rate(99999999999 days)", "99999999999", "a shorter time"),
        ("2 hours", "'2 hours'", "rate(2 hours)"),
        ("every day", "'every day'", "cron(0 10 * * ? *)"),
        ("Rate(1 day)", "'Rate(1 day)'", "at(2030"),
        ("rate(1 day) ", "'rate(1 day) '", "at(2030"),
        (60, "60", "rate(2 hours)"),
        ("0 10 * * ? *", "'0 10 * * ? *'", "cron(0 10 * * ? *)"),
        ("cron(0 10 * * *)", "'cron(0 10 * * *)': 5 fields", "six fields"),
        ("cron(0 25 * * ? *)", "hours '25'", "0-23"),
        (f"cron({','.join(['5'] * 200)} * * * ? *)", "characters", "at most 256"),
        ("at(2026-02-30T00:00:00)", "'at(2026-02-30T00:00:00)'", "yyyy-mm-ddThh:mm:ss"),
        ("at(2026-02-20)", "'at(2026-02-20)'", "yyyy-mm-ddThh:mm:ss"),
        ("at(2026-02-20T00:00:00Z)", "Z)'", "without an offset"),
    ],
)
def test_what_scheduler_would_refuse_is_named(expression: object, named: str, allowed: str) -> None:
    found = problem(expression, "UTC")
    assert found is not None
    assert named in found[0]
    assert allowed in found[1]


@pytest.mark.parametrize(
    ("timezone", "meant"),
    [
        ("Europe/Berln", "'Europe/Berlin'"),
        ("europe/berlin", "'Europe/Berlin'"),
        ("Berlin", "'Europe/Berlin'"),
        ("New York", "'America/New_York'"),
        ("utc", "'UTC'"),
    ],
)
def test_a_time_zone_that_is_none_is_told_what_may_be_meant(timezone: str, meant: str) -> None:
    found = problem("rate(1 hour)", timezone)
    assert found is not None
    assert found[0] == f"timezone {timezone!r}"
    assert f"did you mean {meant}?" in found[1]


@pytest.mark.parametrize("timezone", ["", "+01:00", "localtime", "../UTC", 1, "x" * 51, None])
def test_what_is_no_name_of_a_time_zone_is_refused(timezone: object) -> None:
    found = problem("rate(1 hour)", timezone)
    assert found is not None
    assert found[0] == f"timezone {timezone!r}"


def test_a_time_that_the_clock_leaves_out_is_skipped() -> None:
    """In Berlin 02:00 of 29 March 2026 is 03:00."""
    assert fires("cron(30 2 * * ? *)", BERLIN, "2026-03-27T12:00", 3) == [
        "03-28 02:30+0100",
        "03-30 02:30+0200",
        "03-31 02:30+0200",
    ]


def test_a_time_that_the_clock_shows_twice_counts_once() -> None:
    """In Berlin 03:00 of 25 October 2026 is 02:00."""
    assert fires("cron(30 2 * * ? *)", BERLIN, "2026-10-24T12:00", 2) == [
        "10-25 02:30+0200",
        "10-26 02:30+0100",
    ]


def test_whoever_asks_between_the_two_is_told_of_the_next_day() -> None:
    after = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # 02:00 for the second time
    assert next_fire("cron(30 2 * * ? *)", BERLIN, after) == datetime(
        2026, 10, 26, 1, 30, tzinfo=UTC
    )


def test_ten_o_clock_is_ten_o_clock_in_summer_and_winter() -> None:
    assert fires("cron(0 10 * * ? *)", BERLIN, "2026-10-24T11:00", 2) == [
        "10-25 10:00+0100",
        "10-26 10:00+0100",
    ]
    assert fires("cron(0 10 * * ? *)", BERLIN, "2026-10-23T11:00", 1) == ["10-24 10:00+0200"]


def test_a_day_of_a_rate_has_24_hours() -> None:
    assert fires("rate(1 day)", BERLIN, "2026-03-28T12:00", 2) == [
        "03-29 13:00+0200",
        "03-30 13:00+0200",
    ]


def test_a_clock_that_leaves_out_midnight_leaves_out_no_day_after() -> None:
    """In Cairo 00:00 of 24 April 2026 is 01:00."""
    assert fires("cron(0 0/12 * * ? *)", "Africa/Cairo", "2026-04-23T11:00", 3) == [
        "04-23 12:00+0200",
        "04-24 12:00+0300",
        "04-25 00:00+0300",
    ]


def test_a_clock_that_goes_back_over_midnight_has_the_day_before_once() -> None:
    """In Havana 01:00 of 1 November 2026 is 00:00."""
    assert fires("cron(30 0 * * ? *)", "America/Havana", "2026-10-31T12:00", 2) == [
        "11-01 00:30-0400",
        "11-02 00:30-0500",
    ]


def test_at_is_once() -> None:
    assert fires("at(2026-07-01T08:00:00)", BERLIN, "2026-01-01T00:00", 2) == ["07-01 08:00+0200"]


def test_at_a_time_that_is_left_out_is_refused() -> None:
    expression = "at(2026-03-29T02:30:00)"
    assert problem(expression, "UTC") is None
    found = problem(expression, BERLIN)
    assert found is not None
    assert "the clock leaves that time out" in found[0]


def test_at_a_time_that_is_shown_twice_is_the_first() -> None:
    assert fires("at(2026-10-25T02:30:00)", BERLIN, "2026-10-01T00:00", 2) == ["10-25 02:30+0200"]


def test_years_that_are_over_never_come() -> None:
    assert next_fire("cron(0 0 * * ? 2020)", "UTC", datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_a_rate_beyond_all_calendars_never_comes() -> None:
    assert next_fire("rate(9999999 days)", "UTC", datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_the_first_and_the_last_days_of_calendars_are_days() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    found = next_fire("cron(0 0 * * ? *)", "UTC", first)
    assert found == datetime(1970, 1, 1, tzinfo=UTC)
    assert next_fire("cron(0 0 * * ? *)", "UTC", last) is None


def test_times_without_a_zone_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        next_fire("rate(1 hour)", "UTC", datetime(2026, 1, 1))


def test_no_expression_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="'never' is not allowed"):
        next_fire("never", "UTC", datetime(2026, 1, 1, tzinfo=UTC))


# --- against a clock that is looked at every minute ---------------------------------------------

SPANS = timedelta(days=3)


def looked_up(fields: tuple[set[int], set[int], set[int], set[int]], zone: str, after: datetime):  # type: ignore[no-untyped-def]
    """The first minute after `after` whose clock shows what is wanted, for the first time."""
    minutes, hours, days, weekdays = fields
    at = after.replace(second=0, microsecond=0)
    while at - after <= SPANS:
        shown = at.astimezone(ZoneInfo(zone))
        if (
            at > after
            and shown.minute in minutes
            and shown.hour in hours
            and shown.day in days
            and shown.isoweekday() % 7 + 1 in weekdays
            and not shown.fold
        ):
            return at
        at += timedelta(minutes=1)
    return None


def changes(zone: str, year: int) -> list[datetime]:
    """When the clock of a zone is changed in a year."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=n) for n in range(366 * 24)]
    offsets = [at.astimezone(ZoneInfo(zone)).utcoffset() for at in hours]
    return [
        at for at, one, two in zip(hours[1:], offsets, offsets[1:], strict=False) if one != two
    ] or [start]


CHANGES = {zone: changes(zone, 2026) for zone in ZONES} | {
    "Pacific/Apia": changes("Pacific/Apia", 2011)
}
some = st.sets(st.integers(0, 59), min_size=1, max_size=3)


@settings(deadline=None)
@given(
    data=st.data(),
    zone=st.sampled_from(ZONES),
    minutes=some,
    hours=st.sets(st.integers(0, 23), min_size=1),
)
def test_cron_fires_when_the_clock_shows_it(data, zone, minutes, hours) -> None:  # type: ignore[no-untyped-def]
    change = data.draw(st.sampled_from(CHANGES[zone]))
    after = change + timedelta(seconds=data.draw(st.integers(-2 * 86400, 86400)))
    by_week = data.draw(st.booleans())
    days = data.draw(st.sets(st.integers(1, 7 if by_week else 31), min_size=1))
    everyday = set(range(1, 32))
    fields = (
        (minutes, hours, everyday, days) if by_week else (minutes, hours, days, set(range(1, 8)))
    )
    text = [",".join(map(str, sorted(values))) for values in (minutes, hours, days)]
    if by_week:
        expression = f"cron({text[0]} {text[1]} ? * {text[2]} *)"
    else:
        expression = f"cron({text[0]} {text[1]} {text[2]} * ? *)"
    found = next_fire(expression, zone, after)
    expected = looked_up(fields, zone, after)
    if expected is None:
        assert found is None or found - after > SPANS
    else:
        assert found == expected


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(1971, 1, 1), datetime(2190, 1, 1)),
    st.integers(0, 59),
)
def test_each_time_of_a_cron_is_shown_by_the_clock_once(
    zone: str, start: datetime, minute: int
) -> None:
    at, seen = start.replace(tzinfo=UTC), set()
    for _ in range(60):
        following = next_fire(f"cron({minute} * * * ? *)", zone, at)
        assert following is not None
        assert following > at
        at = following
        shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert shown.minute == minute
        assert shown not in seen
        seen.add(shown)


@given(st.dates(date(1970, 1, 1), date(2199, 12, 31)), st.sampled_from(ZONES))
def test_at_fires_when_the_clock_shows_it_if_it_does(day: date, zone: str) -> None:
    expression = f"at({day}T00:30:00)"
    if problem(expression, zone):
        return
    at = next_fire(expression, zone, datetime(1969, 1, 1, tzinfo=UTC))
    assert at is not None
    assert f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M:%S}" == f"{day}T00:30:00"
