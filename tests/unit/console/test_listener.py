from __future__ import annotations

from typing import Any

import pytest

from devbridge.console.listener import REQUESTS, Heard, went_well
from devbridge.daemon.told import (
    Answered,
    AppBroken,
    Arrived,
    Began,
    Broken,
    Deployed,
    Ended,
    Gone,
    HandedOver,
    Interrupted,
    Mood,
    NeverStarted,
    Paused,
    Printed,
    Reloaded,
    Said,
    Stopping,
    Told,
    Waits,
    Who,
)
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from runner.outcome import Failure

WHO = Who("w", "a", "1")
IDLE = Who("w", "a")
FUNCTION = Who("w", "f", "r", function=True)
RECORD = RunRecord(job_id="1", job="a", state=State.FAILED)
CHANGE = Change(job_id="1", state=State.FAILED, at=1.0)
STOPPED = Paused(WHO, "paused at a.py:1", Mood.PLAIN, "a.py:1")
FAILURE = Failure("SyntaxError", "invalid syntax")


def answered(number: int = 0, failure: Failure | None = None) -> Answered:
    mood = Mood.GOOD if failure is None else Mood.BAD
    return Answered(FUNCTION, f"GET /{number}", "200", mood, 0.1, failure)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def heard(told: list[str]) -> Heard:
    made = Heard()
    made.changed = told.append
    return made


@pytest.mark.parametrize(
    ("event", "things"),
    [
        (Arrived("1"), ["run 1"]),
        (Waits("1", "a", 1, True), ["run 1"]),
        (Began(WHO, 1, 1, b"1"), ["run 1", "log 1"]),
        (Printed(WHO, b"text"), ["log 1"]),
        (Printed(IDLE, b"text"), []),
        (Printed(FUNCTION, b"text"), []),
        (Stopping(WHO, 1.0), ["run 1", "log 1"]),
        (STOPPED, ["run 1"]),
        (Paused(FUNCTION, "paused", Mood.PLAIN, ""), []),
        (Paused(IDLE, "paused", Mood.PLAIN, ""), []),
        (Ended(WHO, CHANGE, RECORD), ["run 1", "log 1"]),
        (Gone(WHO), ["run 1", "log 1"]),
        (Gone(IDLE), []),
        (NeverStarted(CHANGE, RECORD, b"1"), ["run 1", "log 1"]),
        (Interrupted(CHANGE, RECORD), ["run 1", "log 1"]),
        (HandedOver(CHANGE, RECORD), ["run 1", "log 1"]),
        (Broken("a", FAILURE, "w"), ["functions"]),
        (Reloaded("a", 0.1), ["functions"]),
        (answered(), ["functions"]),
        (Deployed(("a",)), ["functions", "stage"]),
        (AppBroken("no"), ["functions", "stage"]),
        (Said("text"), []),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_has_happened_is_a_change_of_something(
    heard: Heard, told: list[str], event: Told, things: list[str]
) -> None:
    heard.on(event)
    assert told == things
    heard.changed = None
    heard.on(event)
    assert told == things


@pytest.mark.parametrize(
    "after",
    [Paused(WHO, "goes on", Mood.PLAIN, None), Ended(WHO, CHANGE, RECORD), Gone(WHO)],
    ids=lambda each: type(each).__name__,
)
def test_where_a_run_is_stopped_is_known_until_it_goes_on_or_ends(
    heard: Heard, after: Told
) -> None:
    heard.on(STOPPED)
    assert heard.paused == {"1": "a.py:1"}
    heard.on(after)
    assert heard.paused == {}


def test_the_last_requests_of_a_function_are_remembered(heard: Heard) -> None:
    for number in range(REQUESTS + 5):
        heard.on(answered(number, FAILURE if number % 2 else None))
    kept: Any = heard.requests["f"]
    assert [event.what for _, event in kept] == [f"GET /{n}" for n in range(5, REQUESTS + 5)]
    assert [went_well(event) for _, event in kept][:2] == [False, True]
