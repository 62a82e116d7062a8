"""No call that has waited is believed, whatever the process, the line and the clocks do."""

from __future__ import annotations

import heapq
import itertools
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.daemon.freshness import TICK, Freshness
from devbridge.transport.patience import FAR

STALE, TOO_OLD = FAR.stale, FAR.taken
"""`TOO_OLD`: seconds after which a stub has given up."""


class World:
    """A broker, a line that keeps the order, and a process that looks at the clocks. What is late
    is measured by the true time, which nobody in it knows."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asleep = self.set_by = 0.0
        self.delay = 0.02
        """Seconds of the line, each way."""
        self.free = 0.0
        """When the line has handed over the last thing."""
        self.stopped_until = 0.0
        self.order = itertools.count()
        self.line: list[tuple[float, int, str, float]] = []
        """What comes when: a pong, or a call and when it was sent."""
        self.waiting: deque[tuple[str, float]] = deque()
        """What has come, and nobody has read it."""
        self.next_look = self.now + TICK
        self.believed: list[float] = []
        self.refused: list[float] = []
        self.pings = 0
        self.freshness = Freshness(self.clocks, STALE)

    @property
    def clocks(self) -> tuple[float, float]:
        return self.now - self.asleep, self.now + self.set_by

    def call(self, cost: float = 0.0) -> None:
        """`cost`: seconds for which the line is busy with it."""
        self._send("call", self.now, cost)

    def ping(self) -> None:
        self.pings += 1
        self.freshness.pinged(self.clocks)
        self._send("pong", self.now + self.delay)

    def _send(self, what: str, at: float, cost: float = 0.0) -> None:
        self.free = max(self.free, at + self.delay) + cost
        heapq.heappush(self.line, (self.free, next(self.order), what, self.now))

    def stop(self, seconds: float) -> None:
        """As SIGSTOP does it."""
        self.stopped_until = max(self.stopped_until, self.now + seconds)
        self.run(seconds)

    def sleep(self, seconds: float) -> None:
        """The machine: its monotonic clock stands still."""
        self.asleep += seconds
        self.stop(seconds)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            coming = self.line[0][0] if self.line else until
            turn = max(self.next_look, self.stopped_until)
            at = min(coming, turn)
            if at >= until:
                break
            self.now = max(self.now, at)
            while self.line and self.line[0][0] <= self.now:
                _, _, what, sent = heapq.heappop(self.line)
                self.waiting.append((what, sent))
            if self.now >= self.stopped_until:
                self.wake()
        self.now = max(self.now, until)

    def wake(self) -> None:
        """One turn of the event loop: what has come, then timers."""
        while self.waiting:
            what, sent = self.waiting.popleft()
            if what == "pong":
                self.freshness.ponged()
            elif self.freshness.is_fresh(self.clocks):
                self.believed.append(self.now - sent)
            else:
                self.refused.append(self.now - sent)
                self.look()
        if self.now >= self.next_look:
            self.next_look = self.now + TICK
            self.look()

    def look(self) -> None:
        if self.freshness.look(self.clocks):
            self.ping()


@pytest.fixture
def world() -> World:
    return World()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.floats(0.01, 3.0)),
        st.tuples(st.just("call"), st.just(0.0)),
        st.tuples(st.just("call"), st.just(0.0)),
        st.tuples(st.just("stop"), st.floats(0.01, 30.0)),
        st.tuples(st.just("stop after calls"), st.floats(0.01, 6.0)),
        st.tuples(st.just("sleep"), st.floats(0.01, 7200.0)),
        st.tuples(st.just("backlog"), st.floats(0.01, 0.3)),
        st.tuples(st.just("set"), st.floats(-3600.0, 3600.0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_no_call_is_ever_believed_that_its_stub_has_given_up(
    steps: list[tuple[str, float]],
) -> None:
    world = World()
    for step, value in steps:
        match step:
            case "run":
                world.run(value)
            case "call":
                world.call()
            case "stop":
                world.stop(value)
            case "stop after calls":
                world.call()
                world.stop(value)
                world.call()
            case "sleep":
                world.call()
                world.sleep(value)
            case "backlog":  # more comes than the line can take
                for _ in range(30):
                    world.call(value)
                    world.run(value / 3)
            case "set":
                # Not in the moment in which the machine goes to sleep: that would hide the sleep.
                world.run(2 * TICK)
                world.set_by += value
                world.run(2 * TICK)
    world.run(20.0)
    assert max(world.believed, default=0.0) < TOO_OLD


@given(
    st.floats(0.001, 0.45),
    st.lists(st.floats(0.0, 2.0), max_size=40),
)
def test_every_call_is_believed_that_comes_without_a_pause(delay: float, gaps: list[float]) -> None:
    world = World()
    world.delay = delay
    for gap in gaps:
        world.run(gap)
        world.call()
    world.run(5.0)
    assert (len(world.believed), world.refused) == (len(gaps), [])


def test_what_has_waited_for_a_stopped_process_is_refused(world: World) -> None:
    world.call()
    world.run(0.01)
    world.stop(5.0)
    world.run(0.01)
    assert (world.believed, len(world.refused)) == ([], 1)


def test_a_moment_after_a_pause_calls_are_believed_again(world: World) -> None:
    world.stop(5.0)
    world.run(0.1)
    assert world.pings == 1
    world.call()
    world.run(0.1)
    assert (len(world.believed), world.refused) == (1, [])


def test_sleep_in_which_the_monotonic_clock_stands_still_is_noticed(world: World) -> None:
    world.call()
    world.sleep(3600.0)
    world.run(0.1)
    assert world.believed == []


def test_a_clock_that_is_set_back_hides_no_pause(world: World) -> None:
    world.set_by = -3600.0
    world.call()
    world.stop(5.0)
    world.run(0.1)
    assert world.believed == []


def test_a_clock_that_is_set_forward_costs_one_round_trip(world: World) -> None:
    world.set_by = 3600.0
    world.call()
    world.run(0.1)
    world.call()
    world.run(0.1)
    assert (len(world.believed), len(world.refused)) == (1, 1)


def test_many_calls_that_come_late_at_once_ask_for_one_ping(world: World) -> None:
    for _ in range(100):
        world.call()
    world.stop(5.0)
    world.run(0.02)
    assert (len(world.refused), world.pings) == (100, 1)


def test_nobody_is_asked_on_an_idle_line(world: World) -> None:
    world.run(600.0)
    assert world.pings == 0
    world.call()
    world.run(600.0)
    assert (world.pings, len(world.believed)) == (1, 1)


def test_a_line_with_a_long_round_trip_is_asked_while_calls_come_and_no_longer(
    world: World,
) -> None:
    world.delay = 0.9
    world.call()
    world.run(600.0)
    assert world.pings == 1


def test_the_first_call_over_a_connection_was_sent_since_it_was_made() -> None:
    assert Freshness((100.0, 5000.0), STALE).is_fresh((100.0 + STALE - 0.1, 5000.0))
    assert not Freshness((100.0, 5000.0), STALE).is_fresh((100.0 + STALE, 5000.0))
    assert not Freshness((100.0, 5000.0), STALE).is_fresh((100.0, 5000.0 + STALE))


def test_an_answer_that_nobody_has_asked_for_proves_nothing() -> None:
    freshness = Freshness((100.0, 100.0), STALE)
    freshness.ponged()
    assert not freshness.is_fresh((105.0, 105.0))
