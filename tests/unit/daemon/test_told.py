"""What holds for everything that is told."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from devbridge.daemon import told
from devbridge.daemon.told import Began, NeverStarted, Printed, Told, Who
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State

KINDS = typing.get_args(Told)
SECRET = b"hunter2"


def test_all_that_can_be_told_is_known_to_listeners() -> None:
    """A listener matches on `Told`, and mypy sees whether it has left something out."""
    classes = {each for each in vars(told).values() if isinstance(each, type)}
    events = {each for each in classes if each.__module__ == told.__name__}
    assert events == {*KINDS, Who, told.Mood}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_listener_can_change_what_the_next_one_is_told(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__dict__" not in dir(kind)


def test_what_is_private_to_a_run_is_in_no_log_of_our_own() -> None:
    who = Who("w1", "job", "r1")
    change = Change(job_id="r1", state=State.FAILED, at=1.0)
    run = RunRecord(job_id="r1", job="job", state=State.FAILED, created_at=1.0)
    for event in (
        Printed(who, SECRET),
        Began(who, 1, 1, SECRET),
        NeverStarted(change, run, SECRET),
    ):
        assert SECRET.decode() not in repr(event)
