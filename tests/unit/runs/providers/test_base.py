from __future__ import annotations

import datetime

import pytest

from devbridge.runs.providers.base import Asked, by_hundreds, epoch, pairs


def test_a_start_that_comes_again_is_known_by_its_token_and_a_restart_has_another() -> None:
    asked = Asked("p:u", "u", {"DEVBRIDGE_PAYLOAD": "1"})
    assert (asked.token, Asked("p:u", "u", asked.payload, 2).token) == ("u", "u-2")
    assert asked.variables == {"DEVBRIDGE_RUN_ID": "p:u", "DEVBRIDGE_PAYLOAD": "1"}
    assert pairs({"a": "b"}) == [{"name": "a", "value": "b"}]


@pytest.mark.parametrize(
    ("moment", "unit", "expected"),
    [
        (None, 1, None),
        ("", 1, None),
        (2500, 0.001, 2.5),
        (2.5, 1, 2.5),
        (datetime.datetime.fromtimestamp(2.5, tz=datetime.UTC), 1, 2.5),
        ("1970-01-01T00:00:02.500Z", 1, 2.5),
    ],
)
def test_times_come_as_numbers_moments_and_texts(
    moment: object, unit: float, expected: float | None
) -> None:
    assert epoch(moment, unit) == expected


def test_a_hundred_are_asked_about_at_once() -> None:
    assert [len(some) for some in by_hundreds(["x"] * 250)] == [100, 100, 50]
    assert list(by_hundreds([])) == []
