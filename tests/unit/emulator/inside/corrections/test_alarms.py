from __future__ import annotations

import pytest

from devbridge.emulator.inside.corrections.alarms import SECONDS, measure, pause_of

MESSAGES = [
    {"sent_at": 10.0, "visible_at": 10.0},
    {"sent_at": 20.0, "visible_at": 200.0, "receive_count": 1},
    {"sent_at": 30.0, "visible_at": 200.0},
    {"sent_at": 1.0, "moved_at": 60.0, "visible_at": 60.0, "receive_count": 3},
]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("ApproximateAgeOfOldestMessage", 90),
        ("ApproximateNumberOfMessagesVisible", 2),
        ("ApproximateNumberOfMessagesNotVisible", 1),
        ("ApproximateNumberOfMessagesDelayed", 1),
        ("NumberOfMessagesSent", None),
    ],
)
def test_a_queue_is_measured(metric: str, value: float | None) -> None:
    assert measure([dict(each) for each in MESSAGES], metric, 100.0) == value


def test_a_dead_letter_is_as_old_as_it_is_dead_and_an_empty_queue_not_old() -> None:
    assert measure([dict(MESSAGES[3])], "ApproximateAgeOfOldestMessage", 100.0) == 40
    assert measure([], "ApproximateAgeOfOldestMessage", 100.0) == 0


def test_how_often_is_looked_is_told_to_no_function() -> None:
    environment = {SECONDS: "0.5"}
    assert pause_of(environment) == 0.5
    assert environment == {}
    assert pause_of(environment) == 5
