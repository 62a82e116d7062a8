"""Runs of a schedule that do not overlap, where they are deployed."""

from __future__ import annotations

import pytest

from devbridge.errors import CloudError
from devbridge.runs.last_runs import LastRuns, goes_on
from devbridge.runs.model import State
from devbridge.runs.starting import DEAD
from tests.unit.codebuild import PROJECT
from tests.unit.runs.test_starting import Clock, begin
from tests.unit.runs.worlds import DeployedWorld

NIGHTLY = "nightly"
OTHER = "0b1c2d3e-0000-4000-8000-000000000002"
THIRD = "0b1c2d3e-0000-4000-8000-000000000003"


@pytest.mark.parametrize("state", State)
def test_a_run_that_has_not_ended_goes_on_however_long_it_takes(state: State) -> None:
    assert goes_on(state, 0.0) == goes_on(state, 1e9) == (not state.final)


@pytest.mark.parametrize(("age", "goes"), [(0.0, True), (DEAD - 1, True), (DEAD, False)])
def test_one_that_somebody_is_starting_is_waited_for_as_long_as_that_may_take(
    age: float, goes: bool
) -> None:
    assert goes_on(None, age) == goes


def last(world: DeployedWorld, clock: Clock) -> LastRuns:
    return LastRuns(world.runs.reader, lambda: clock.now)


def test_the_next_time_is_passed_over_until_the_run_has_ended() -> None:
    world = DeployedWorld("codebuild")
    clock = Clock(world)
    one, _, _ = begin(world)
    assert last(world, clock).take(NIGHTLY, one) is None
    assert last(world, clock).take(NIGHTLY, one) is None, "its own message comes twice"
    clock.now += 3600
    going = last(world, clock).take(NIGHTLY, OTHER)
    assert going is not None
    assert (going[0], going[1].final) == (f"{PROJECT}:{one}", False)
    assert last(world, clock).take("hourly", OTHER) is None, "another schedule"
    world.runs.get(f"{PROJECT}:{one}").cancel()
    assert last(world, clock).take(NIGHTLY, OTHER) is None
    assert world.runs.kept.last(NIGHTLY).uuid == OTHER


def test_who_has_died_before_the_run_was_there_is_passed_by() -> None:
    world = DeployedWorld("codebuild")
    clock = Clock(world)
    assert last(world, clock).take(NIGHTLY, OTHER) is None
    assert last(world, clock).take(NIGHTLY, THIRD) == (f"{PROJECT}:{OTHER}", State.QUEUED)
    clock.now += DEAD
    assert last(world, clock).take(NIGHTLY, THIRD) is None


def test_of_two_times_that_come_at_once_one_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    world = DeployedWorld("codebuild")
    clock = Clock(world)
    kept = world.runs.kept
    monkeypatch.setattr(kept, "last", lambda _: None)  # each has looked before the other was there
    assert last(world, clock).take(NIGHTLY, OTHER) is None
    with pytest.raises(CloudError, match="at once"):
        last(world, clock).take(NIGHTLY, THIRD)
