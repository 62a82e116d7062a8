"""Builds wait for a slot: with a queue of one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devbridge.emulator.inside.codebuild import records
from devbridge.emulator.inside.codebuild.builds import Build, Queue
from tests.waiting import eventually

DEADLINE = 20


class One:
    """A queue with one slot, whose builds run until `finish` is set."""

    def __init__(self) -> None:
        self.finish = threading.Event()
        self.ran: list[Build] = []
        self.queue = Queue(self._run, 1)

    def _run(self, build: Build) -> None:
        self.ran.append(build)
        self.finish.wait(DEADLINE)
        build.complete(records.SUCCEEDED)

    def submit(self, name: str, **minutes: int) -> Build:
        record: dict[str, Any] = {
            "id": name,
            "phases": [{"phaseType": "QUEUED", "startTime": 0.0}],
            "timeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            **minutes,
        }
        build = Build(record)
        self.queue.submit(build, _call)
        return build


def _call(function: Callable[..., object], *arguments: object) -> None:
    function(*arguments)


@pytest.fixture
def one() -> Iterator[One]:
    one = One()
    yield one
    one.finish.set()


def test_a_build_over_the_number_waits_and_can_be_stopped_there(one: One) -> None:
    first, second, third = map(one.submit, "abc")
    assert second.end(records.STOPPED)
    assert second.record["phases"][0]["phaseStatus"] == "STOPPED"
    eventually(lambda: one.queue.get("b") is None)
    one.finish.set()
    assert first.ended.wait(DEADLINE)
    assert third.ended.wait(DEADLINE)
    assert one.ran == [first, third]


def test_a_build_that_waits_too_long_times_out(one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_CODEBUILD_MINUTE", "0.01")
    one.submit("a", timeoutInMinutes=2160)
    waiting = one.submit("b", queuedTimeoutInMinutes=5)
    assert waiting.ended.wait(DEADLINE)
    assert waiting.record["buildStatus"] == "TIMED_OUT"
    assert waiting.record["phases"][0]["phaseStatus"] == "TIMED_OUT"
