from __future__ import annotations

import dataclasses
import typing

import pytest

from devbridge.daemon.events import (
    CancelRequested,
    Effect,
    Event,
    Exited,
    Halted,
    JobsChanged,
    Lingers,
    NotStarted,
    Raised,
    Record,
    Requested,
    Responded,
    Shutdown,
    SourcesChanged,
    StandbyFailed,
    StandbyReady,
    Tick,
    Unentered,
    Withdrawn,
)
from devbridge.daemon.jobs import Jobs
from devbridge.daemon.told import Short
from devbridge.runs.model import Exit, State
from runner.outcome import Failure
from tests.unit.daemon.desk import Desk, only, spec

FAILURE = Failure("SyntaxError", "invalid syntax")
OF_STRANGERS: tuple[Event, ...] = (
    StandbyReady("w9"),
    StandbyFailed("w9", FAILURE),
    Responded("w9", "r9", b"1"),
    Raised("w9", "r9", FAILURE),
    Lingers("w9", ("its thread",)),
    Exited("w9", Exit(code=0)),
    Halted("w9", True),
    Halted("w9", False),
    CancelRequested("r9"),
    SourcesChanged(frozenset({"gone"})),
    JobsChanged(Jobs([spec("a")])),
    Tick(),
    Withdrawn(frozenset({"r9"})),
    Unentered(frozenset({"r9"})),
)


@pytest.mark.parametrize("event", OF_STRANGERS, ids=lambda event: type(event).__name__)
def test_what_is_told_of_nobody_changes_nothing(event: Event) -> None:
    """Events may be late: who they are about may have gone meanwhile."""
    desk = Desk()
    desk.standby()
    assert desk(event) == []


def test_the_others_are_about_the_daemon_or_about_somebody_new() -> None:
    others = {Requested, NotStarted, Shutdown}
    assert {*map(type, OF_STRANGERS), *others} == set(typing.get_args(Event))
    assert only(Desk()(Requested("r9", "gone")), Record)[0].change.state is State.FAILED
    assert only(Desk()(NotStarted("w9", "no room")), Short) == [Short("no room")]


@pytest.mark.parametrize("kind", [*typing.get_args(Event), *typing.get_args(Effect)])
def test_events_and_effects_are_values(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
