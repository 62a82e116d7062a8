from __future__ import annotations

from dataclasses import replace

import pytest

from devbridge.daemon.reconnect import (
    DAY,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    LONGEST_SETTLING,
    MAX_REASONS,
    NAP,
    SETTLED,
    WARNING_INTERVAL,
    Arrivals,
    Slumber,
    Warnings,
    is_renewal,
    pause,
    started_after,
)
from devbridge.protocol import codec
from devbridge.protocol.messages import Presence
from devbridge.transport.base import Disconnected

# --- pauses -------------------------------------------------------------------------------------


def test_pauses_double_up_to_a_limit_and_are_never_the_same_for_all() -> None:
    assert [pause(n, lambda: 1.0) for n in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert pause(0, lambda: 0.0) == FIRST_PAUSE / 2
    assert pause(10_000, lambda: 1.0) == LONGEST_PAUSE
    assert pause(10_000, lambda: 0.0) == LONGEST_PAUSE / 2


# --- the end of a connection --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "lasted", "renewal"),
    [
        (Disconnected("closed", orderly=True), 24 * 3600.0, True),
        (Disconnected("closed", orderly=True), DAY, True),
        (Disconnected("closed", orderly=True), 3600.0, False),
        (Disconnected("reset"), 24 * 3600.0, False),
        (Disconnected("taken over", taken_over=True, orderly=True), 24 * 3600.0, False),
    ],
)
def test_an_orderly_end_after_many_hours_is_the_brokers_limit(
    ended: Disconnected, lasted: float, renewal: bool
) -> None:
    assert is_renewal(ended, lasted) is renewal


# --- sleep --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wall", "monotonic", "slept"),
    [
        (2.0, 2.0, 0.0),
        (2.0 + NAP - 0.1, 2.0, 0.0),  # a busy machine
        (602.0, 2.0, 600.0),  # a laptop that slept: its monotonic clock stood still
        (602.0, 602.0, 600.0),  # a stopped process
        (-3600.0, 2.0, 0.0),  # the wall clock was set back
        (-3600.0, 62.0, 60.0),  # and the process was stopped, too
    ],
)
def test_sleep_is_noticed_by_whichever_clock_went_on(
    wall: float, monotonic: float, slept: float
) -> None:
    slumber = Slumber(1000.0, 50.0)
    assert slumber.noticed(1000.0 + wall, 50.0 + monotonic, 2.0) == slept
    assert slumber.noticed(1000.0 + wall + 2, 50.0 + monotonic + 2, 2.0) == 0.0


def test_what_passed_before_a_restart_is_not_sleep() -> None:
    slumber = Slumber(1000.0, 50.0)
    slumber.restart(2000.0, 1050.0)
    assert slumber.noticed(2002.0, 1052.0, 2.0) == 0.0


# --- what waited --------------------------------------------------------------------------------


def test_requests_that_were_sent_before_the_connection_were_waiting() -> None:
    arrivals = Arrivals(100.0)
    arrivals.arrived("a", 40.0, 100.1)
    arrivals.arrived("b", 99.9, 100.2)
    arrivals.arrived("b", 99.9, 100.2)  # it came twice
    arrivals.arrived("c", 100.1, 100.3)  # it was sent since
    assert arrivals.due() == 100.2 + SETTLED
    assert arrivals.text(100.2 + SETTLED) == "2 requests were waiting"


def test_one_request_was_and_none_is_not_worth_a_word() -> None:
    arrivals = Arrivals(100.0)
    assert arrivals.text(arrivals.due()) == ""
    arrivals.arrived("a", 40.0, 100.1)
    assert arrivals.text(arrivals.due()) == "1 request was waiting"


def test_a_burst_without_an_end_is_told_of_in_time() -> None:
    arrivals, now = Arrivals(100.0), 100.0
    while now < arrivals.due():
        arrivals.arrived(str(now), 40.0, now)
        now += 0.1
    assert arrivals.due() == 100.0 + LONGEST_SETTLING
    assert "or more requests were waiting" in arrivals.text(now)


# --- warnings -----------------------------------------------------------------------------------


def test_of_each_kind_one_line_a_minute_is_told_with_the_count() -> None:
    warnings = Warnings()
    assert warnings.add("a request of 9 days", 0.0) == (
        "a message from the bridge was dropped: a request of 9 days"
    )
    assert [warnings.add(f"a request of {days} days", 1.0) for days in range(10, 1010)] == (
        [None] * 1000
    )
    assert warnings.add("not a frame of this protocol", 2.0) is not None
    assert warnings.tick(WARNING_INTERVAL - 1) == []
    assert warnings.tick(WARNING_INTERVAL) == [
        "1,000 more messages from the bridge were dropped, the last one: a request of 1009 days"
    ]


def test_what_has_stopped_is_told_of_anew_when_it_comes_again() -> None:
    warnings = Warnings()
    first = warnings.add("nonsense", 0.0)
    assert warnings.tick(WARNING_INTERVAL) == []
    assert warnings.add("nonsense", WARNING_INTERVAL + 1) == first


def test_a_count_is_told_with_the_next_one_when_nobody_ticks() -> None:
    warnings = Warnings()
    warnings.add("nonsense", 0.0)
    line = warnings.add("nonsense", WARNING_INTERVAL)
    assert line == "1 more message from the bridge was dropped, the last one: nonsense"


def test_invented_kinds_do_not_multiply_the_lines() -> None:
    warnings = Warnings()
    names = [f"kind {'x' * number}" for number in range(1000)]
    lines = [line for name in names if (line := warnings.add(name, 0.0)) is not None]
    assert len(lines) == MAX_REASONS + 1
    assert all(len(line) < 300 for line in lines)
    assert len(warnings.tick(WARNING_INTERVAL)) == 1


# --- other daemons ------------------------------------------------------------------------------


def test_the_daemon_that_was_started_last_is_the_newer_one() -> None:
    own = Presence(
        online=True,
        daemon_id=codec.new_id(),
        host="here",
        user="ann",
        pid=1,
        since=100.0,
        session_expiry=1,
    )
    other = replace(own, daemon_id=codec.new_id(), since=101.0)
    assert started_after(own, other)
    assert not started_after(other, own)
    assert not started_after(own, replace(other, online=False)), "it has gone again"
    assert not started_after(own, replace(own, since=101.0)), "it is the same one"
