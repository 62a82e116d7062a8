from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.errors import TimeNotAllowed
from devbridge.later import LONGEST, moment, written

NOW = datetime(2026, 10, 25, 0, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "delay", "expected"),
    [
        (datetime(2026, 10, 26, 8, tzinfo=UTC), None, "2026-10-26T08:00:00Z"),
        (datetime(2026, 10, 26, 8, tzinfo=ZoneInfo("Europe/Berlin")), None, "2026-10-26T07:00:00Z"),
        (
            datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
            None,
            "2026-10-25T01:30:00Z",
        ),
        (None, "2 hours", "2026-10-25T02:00:01Z"),
        (None, timedelta(minutes=15), "2026-10-25T00:15:01Z"),
        (None, "0.5s", "2026-10-25T00:00:01Z"),
    ],
)
def test_a_run_starts_at_the_time_that_was_meant(at: Any, delay: Any, expected: str) -> None:
    found = moment(at, delay, NOW)
    assert found is not None
    assert written(found) == expected


@pytest.mark.parametrize(
    ("at", "delay"),
    [
        (None, None),
        (NOW, None),
        (datetime(1999, 1, 1, tzinfo=UTC), None),
        (None, "0s"),
        (None, timedelta()),
    ],
)
def test_what_is_over_is_now(at: Any, delay: Any) -> None:
    assert moment(at, delay, NOW) is None


@pytest.mark.parametrize(
    ("at", "delay", "named"),
    [
        (datetime(2026, 10, 26, 8), None, "at=datetime.datetime(2026, 10, 26, 8, 0) is not"),
        ("2026-10-26", None, "at='2026-10-26' is not"),
        (None, "soon", "delay='soon' is not"),
        (None, 60, "delay=60 is not"),
        (None, timedelta(seconds=-1), "delay="),
        (None, "367 days", "367 days ahead"),
        (datetime(2028, 1, 1, tzinfo=UTC), None, "432 days ahead"),
        (NOW, "2 hours", "both at and delay"),
    ],
)
def test_what_is_no_time_is_refused(at: Any, delay: Any, named: str) -> None:
    with pytest.raises(TimeNotAllowed) as caught:
        moment(at, delay, NOW)
    assert named in caught.value.what
    assert caught.value.remedy


@given(st.timedeltas(timedelta(microseconds=1), LONGEST), st.integers(-14 * 60, 14 * 60))
def test_it_is_never_too_early_nor_a_second_late(ahead: timedelta, offset: int) -> None:
    at = (NOW + ahead).astimezone(timezone(timedelta(minutes=offset)))
    for found in (moment(at, None, NOW), moment(None, ahead, NOW)):
        assert found is not None
        assert timedelta() <= found - at < timedelta(seconds=1)
        assert datetime.fromisoformat(written(found)) == found
