"""Queues are read while somebody is here to run what they have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.constructs import App, Job, OnQueue, Queue
from devbridge.constructs.app import loading
from devbridge.live import mappings as module
from devbridge.live.mappings import Mappings
from tests.unit.live.voices import Developer
from tests.waiting import soon

BUSY = ClientError({"Error": {"Code": "ResourceInUseException", "Message": "m"}}, "Update")
GONE = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "m"}}, "Update")


class Lambda:
    """Stands for Lambda, and its mappings by function."""

    def __init__(self) -> None:
        self.of: dict[str, list[str]] = {}
        self.enabled: dict[str, bool] = {}
        self.errors: list[Exception] = []

    def get_paginator(self, _operation: str) -> Lambda:
        return self

    def paginate(self, *, FunctionName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        for uuid in self.of.get(FunctionName, ()):
            yield {"EventSourceMappings": [{"UUID": uuid}]}

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803
        if self.errors:
            raise self.errors.pop(0)
        self.enabled[UUID] = Enabled


class Desk:
    """A stage whose jobs are deployed, and its daemon."""

    def __init__(self, root: Path) -> None:
        (root / "a.py").write_text("def handler(payload): ...\n")
        self.root = root
        self.cloud = Lambda()
        self.developer = Developer()
        self.ready = asyncio.Event()
        self.taken_over = asyncio.Event()
        self.redeployer: Any = SimpleNamespace(good=self.good("a"))
        daemon: Any = SimpleNamespace(
            wait_until_ready=self.ready.wait, bridge=SimpleNamespace(taken_over=self.taken_over)
        )
        cloud: Any = SimpleNamespace(client=lambda _service: self.cloud)
        self.guarded: list[Any] = []
        guard: Any = SimpleNamespace(
            watch=lambda found: self.guarded.append((found, dict(self.cloud.enabled))),
            release=lambda: self.guarded.append("released"),
        )
        self.mappings = Mappings(cloud, "dev", self.developer.voice, daemon, guard)

    def good(self, *names: str, live: bool = True) -> Any:
        with loading(self.root):
            app = App("demo")
        for name in names:
            queue = Queue(app, f"q-{name}")
            triggers = [OnQueue(queue)]
            Job(app, name, handler="a.handler", triggers=triggers, enable_live_dev=live)
            self.cloud.of[f"demo_dev_{name}-invoker"] = [f"{name}-1", f"{name}-2"]
        return SimpleNamespace(app=app)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(module, "LOOK", 0.01)
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    return Desk(tmp_path)


async def test_they_are_read_from_ready_on_until_the_end(desk: Desk) -> None:
    task = asyncio.create_task(desk.mappings.tend(desk.redeployer))
    await asyncio.sleep(0)
    assert desk.cloud.enabled == {}
    desk.ready.set()
    await soon(lambda: desk.cloud.enabled == {"a-1": True, "a-2": True})
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert desk.cloud.enabled == {"a-1": False, "a-2": False}
    assert "messages wait until the next `devbridge dev`" in "\n".join(desk.developer.said)
    # Before the first is enabled: this process may be killed at any moment.
    assert desk.guarded == [(["a-1", "a-2"], {}), "released"]


async def test_what_is_deployed_meanwhile_is_read_too(desk: Desk) -> None:
    desk.ready.set()
    task = asyncio.create_task(desk.mappings.tend(desk.redeployer))
    await soon(lambda: len(desk.cloud.enabled) == 2)
    desk.redeployer.good = desk.good("a", "b")
    await soon(lambda: desk.cloud.enabled.get("b-2") is True)
    task.cancel()
    await asyncio.wait([task])


async def test_who_has_taken_the_stage_over_goes_on_reading(desk: Desk) -> None:
    desk.ready.set()
    task = asyncio.create_task(desk.mappings.tend(desk.redeployer))
    await soon(lambda: len(desk.cloud.enabled) == 2)
    desk.taken_over.set()
    task.cancel()
    await asyncio.wait([task])
    assert set(desk.cloud.enabled.values()) == {True}
    assert desk.guarded[-1] == "released"


async def test_an_end_without_a_cloud_is_said_and_ends(desk: Desk) -> None:
    desk.ready.set()
    task = asyncio.create_task(desk.mappings.tend(desk.redeployer))
    await soon(lambda: len(desk.cloud.enabled) == 2)
    desk.cloud.errors = [GONE]
    task.cancel()
    await asyncio.wait([task])
    assert "queues are still read" in "\n".join(desk.developer.warned)
    assert "released" not in desk.guarded  # it tries once more


def test_a_mapping_that_is_being_changed_is_asked_again(desk: Desk) -> None:
    desk.cloud.errors = [BUSY, BUSY]
    assert desk.mappings.switch(desk.redeployer.good.app, on=True) == 2
    assert set(desk.cloud.enabled.values()) == {True}
    desk.cloud.errors = [GONE]
    with pytest.raises(ClientError, match="NotFound"):
        desk.mappings.switch(desk.redeployer.good.app, on=True)


def test_jobs_that_do_not_run_here_are_left_alone(desk: Desk) -> None:
    assert desk.mappings.switch(desk.good("a", live=False).app, on=True) == 0
    assert desk.cloud.enabled == {}
