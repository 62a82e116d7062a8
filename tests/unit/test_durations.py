from __future__ import annotations

from datetime import timedelta

import pytest

from devbridge.durations import OF_ATTEMPTS, parsed, spelled


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5 minutes", 300),
        ("1 hour", 3600),
        ("1.5 hours", 5400),
        ("36 hours", 129_600),
        ("14 days", 1_209_600),
        ("1 day", 86_400),
        ("300 seconds", 300),
        (" 10s ", 10),
        ("1 sec", 1),
        ("2m", 120),
        ("2 min", 120),
        ("1.5h", 5400),
        ("1d", 86_400),
        (timedelta(hours=2), 7200),
    ],
)
def test_durations_are_read(text: object, seconds: float) -> None:
    assert parsed(text, OF_ATTEMPTS) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        *("0 seconds", "0.5s", "337 hours", "15 days", "1 fortnight", "hour", "", "-1 hours"),
        *("10 ms", "1 ss", "10S", "10", 3600, None, True),
        "9" * 400 + " days",
    ],
)
def test_durations_out_of_range_or_of_no_sense_are_refused(value: object) -> None:
    assert parsed(value, OF_ATTEMPTS) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (0.5, "0.5 seconds"),
        (0, "0 seconds"),
        (300, "5 minutes"),
        (3600, "1 hour"),
        (129_600, "36 hours"),
        (86_400 * 14, "14 days"),
    ],
)
def test_they_are_spelled_as_they_are_read(seconds: float, text: str) -> None:
    assert spelled(timedelta(seconds=seconds)) == text
    assert parsed(text, (timedelta(), timedelta.max)) == timedelta(seconds=seconds)
