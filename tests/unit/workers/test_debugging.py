from __future__ import annotations

from collections.abc import Sequence

import pytest

from devbridge.workers import debugging
from devbridge.workers.debugging import Debuggee
from tests.waiting import soon


class Listener:
    """A `DebugListener` that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def worker_mutes(self, worker_id: str, beginnings: Sequence[str]) -> None: ...

    def worker_debugs(self, worker_id: str, url: str) -> None: ...

    def worker_halted(self, worker_id: str, halted: bool) -> None:
        self.told.append((worker_id, halted))

    def worker_paused(self, worker_id: str, where: str | None) -> None:
        self.told.append(where)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def debuggee(listener: Listener) -> Debuggee:
    return Debuggee("w", listener)


def test_it_is_halted_as_long_as_there_is_a_reason(debuggee: Debuggee, listener: Listener) -> None:
    debuggee.halt("first", True)
    with debuggee.halting("second"):
        debuggee.halt("first", False)
        debuggee.halt("unknown", False)
        assert listener.told == [("w", True)]
    assert listener.told == [("w", True), ("w", False)]


async def test_a_pause_and_its_end_are_told(debuggee: Debuggee, listener: Listener) -> None:
    debuggee.paused("a.py:1", step=False)
    debuggee.resumed(step=False)
    debuggee.resumed(step=False)
    assert listener.told == ["a.py:1", None]


async def test_steps_are_not_told(debuggee: Debuggee, listener: Listener) -> None:
    debuggee.paused("a.py:1", step=False)
    for line in (2, 3):
        debuggee.resumed(step=True)
        debuggee.paused(f"a.py:{line}", step=True)
    assert listener.told == ["a.py:1"]
    debuggee.resumed(step=True)
    debuggee.paused("a.py:9", step=False)  # a breakpoint, in what was stepped over
    assert listener.told == ["a.py:1", "a.py:9"]


async def test_what_is_not_stopped_again_after_a_step_goes_on(
    debuggee: Debuggee, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debugging, "STEP", 0.01)
    debuggee.paused("a.py:1", step=False)
    debuggee.resumed(step=True)
    await soon(lambda: None in listener.told)
    debuggee.paused("a.py:2", step=True)
    assert listener.told == ["a.py:1", None, "a.py:2"]
