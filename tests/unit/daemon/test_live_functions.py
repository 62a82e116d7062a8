"""The live functions of a stage: from the bridge to their workers and back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.daemon import live_functions as module
from devbridge.daemon.live_functions import LiveFunctions
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.settings import Settings, Workshop
from devbridge.protocol import codec
from devbridge.protocol.messages import Abandoned, CallReply, Invoke, Responded, Taken, Topics
from devbridge.protocol.session import frames
from devbridge.runs.model import FunctionSpec
from devbridge.testing import MemoryObjects
from devbridge.transport.patience import FAR

SPECS = {
    "api": FunctionSpec(
        name="api",
        handler="api/start.handler",
        timeout=3.0,
        memory_mb=128,
        role_arn="arn:aws:iam::123456789012:role/api",
        environment={},
        function_name="demo_dev_api-fn",
        log_group="/aws/lambda/demo_dev_api-fn",
    )
}


class Pool:
    """Stands for the workers: answers each event with itself."""

    made: Pool

    def __init__(self, *_given: object, answer: Any) -> None:
        Pool.made = self
        self.answer = answer
        self.functions: Mapping[str, FunctionSpec] = {}
        self.did: list[str] = []
        self.under_way = 0
        self.answered = asyncio.Event()

    async def finish(self) -> None:
        await self.answered.wait()

    async def start(self) -> None:
        self.did.append("start")

    def adopt(self, functions: Mapping[str, FunctionSpec]) -> None:
        self.did.append("adopt")
        self.functions = functions

    def has(self, function: str) -> bool:
        return function in self.functions

    def knows(self, request_id: str) -> bool:
        return False

    def invoke(self, asked: Invoke, event: bytes) -> None:
        self.answer(asked, Responded(request_id=asked.request_id, body=event))

    def abandoned(self, request_id: str) -> None:
        self.did.append(f"abandoned {request_id}")

    def saved(self, keys: frozenset[str]) -> None:
        self.did.append(f"saved {sorted(keys)}")

    async def close(self) -> None:
        self.did.append("close")

    def kill(self) -> None:
        self.did.append("kill")


class Bridge:
    topics = Topics("demo", "ann")

    def __init__(self) -> None:
        self.connected_since = 0.0
        self.on_call: Any = None
        self.replies: list[tuple[str, CallReply]] = []

    def reply(self, stub_id: str, reply: CallReply) -> None:
        self.replies.append((stub_id, reply))

    async def probe(self) -> None: ...


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


@pytest.fixture
def functions(bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveFunctions:
    monkeypatch.setattr(module, "Functions", Pool)
    settings = Settings(
        root=tmp_path, python=Path("python"), logs=tmp_path, concurrency=1, grace=1.0
    )
    there: Any = SimpleNamespace()
    workshop = Workshop(there, lambda spec, address: {}, objects=MemoryObjects())
    here: Any = bridge
    return LiveFunctions(settings, workshop, Narrator(), there, here, FAR.stale)


def call(function: str = "api") -> Invoke:
    return Invoke(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        function=function,
        aws_request_id=codec.new_id(),
        function_arn="arn",
        remaining=3000,
        event=b"[1]",
    )


async def test_a_call_comes_over_the_bridge_and_its_answer_goes_back_to_its_stub(
    functions: LiveFunctions, bridge: Bridge
) -> None:
    await functions.start(SPECS)
    bridge.connected_since = time.time()
    asked = call()
    for frame in frames(asked):
        bridge.on_call(frame)
    await asyncio.sleep(0)  # begun in the loop's next turn
    assert bridge.replies == [
        (asked.stub_id, Taken(request_id=asked.request_id)),
        (asked.stub_id, Responded(request_id=asked.request_id, body=b"[1]")),
    ]
    gone = Abandoned(request_id=asked.request_id, stub_id=asked.stub_id)
    for frame in frames(gone):
        bridge.on_call(frame)
    assert Pool.made.did == ["start", "adopt", f"abandoned {asked.request_id}"]
    await functions.close()


async def test_workers_are_served_before_there_is_anything_to_do_for_them(
    functions: LiveFunctions,
) -> None:
    await functions.start(SPECS)
    assert Pool.made.did == ["start", "adopt"]
    assert Pool.made.functions == SPECS
    functions.adopt({})
    assert Pool.made.functions == {}


async def test_saves_reach_the_workers(functions: LiveFunctions) -> None:
    functions.saved(frozenset({"api()"}))
    assert Pool.made.did == ["saved ['api()']"]


async def test_closing_and_killing_are_the_workers_ends(functions: LiveFunctions) -> None:
    await functions.close()
    await functions.close()
    functions.kill()
    assert Pool.made.did == ["close", "close", "kill"]


async def test_who_leaves_lets_requests_be_answered(
    functions: LiveFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pool.made.under_way = 2
    assert functions.leave() == 2
    assert functions._calls.leaving
    finishing = asyncio.create_task(functions.finish())
    await asyncio.sleep(0)
    assert not finishing.done()
    Pool.made.answered.set()
    await finishing
    Pool.made.answered.clear()
    monkeypatch.setattr(module, "FINISH", 0.0)
    await functions.finish()
    assert Pool.made.did == []


async def test_the_clocks_are_looked_at_until_it_is_cancelled(functions: LiveFunctions) -> None:
    watching = asyncio.create_task(functions.watch())
    await asyncio.sleep(0)
    assert not watching.done()
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
