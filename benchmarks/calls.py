"""Calls of live functions over the bridge: one at a time, and many at once; beside a bare client
and beside the ways of lambda-live-debugger and SST v2, which `benchmarks/peers` has."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks import asked, harness
from benchmarks.asked import Asked
from benchmarks.daemon import Setup
from benchmarks.harness import Bench
from benchmarks.report import Figures, Goal, Row, figures
from devbridge.languages.node.tools import find_node
from tests.integration import brokers
from tests.npm import project

FUNCTION: Final = "hello"
HANDLER: Final = """\
def handler(event, context):
    return {"statusCode": 200, "body": "hello"}
"""
AT_ONCE: Final = 50
PACKAGES: Final = {"mqtt": "4.2.8", "express": "4.21.2"}
"""What theirs are made of: that of aws-iot-device-sdk, and SST v2's own."""
WARM: Final = 10
_RARELY: Final = 10
"""Of a way that needs so many times longer, so many times fewer calls are made."""
_SLOW: Final = "SST v2's way, Python"
_PEERS: Final[Mapping[str, tuple[str, ...]]] = {
    "lambda-live-debugger's way": ("debugger.mjs",),
    "SST v2's way, Node.js": ("sst.mjs",),
    _SLOW: ("sst.mjs", sys.executable),
}


@dataclass(slots=True)
class _Ways:
    """Who is asked, and what came of it."""

    ours: Asked
    peers: dict[str, Asked]
    found: dict[str, list[float]] = field(default_factory=dict)

    def note(self, way: str, value: float) -> None:
        self.found.setdefault(way, []).append(value)

    def figures(self, way: str, *, more_is_better: bool = False) -> Figures:
        return figures(self.found[way], more_is_better=more_is_better)


async def calls(bench: Bench) -> list[Row]:
    """One at a time, in turns; all workers are warm."""
    async with _ways(bench, workers=1) as ways:
        for turn in range(bench.times(500, 3) + WARM):
            took = {
                "bare": await ways.ours.ask("echo"),
                "ours": await ways.ours.ask("call"),
                **{
                    name: await peer.ask("call")
                    for name, peer in ways.peers.items()
                    if name != _SLOW or turn % _RARELY == 0
                },
            }
            for way, done in took.items():
                if turn >= WARM:
                    ways.note(way, done.took * 1000)
    goals = (Goal("ratio", "<=", 3), Goal("p99 ratio", "<=", 5))
    return [
        Row(
            measure="live function: call -> answer, mosquitto",
            unit="ms",
            ours=ways.figures("ours"),
            floor=ways.figures(way),
            floor_is=floor_is,
            goals=goals if way == "bare" else (),
        )
        for way, floor_is in _floors("bare QoS 1 round trip of the stub's client")
    ]


async def many(bench: Bench) -> list[Row]:
    """So many calls, `AT_ONCE` of them under way; by one client, as one machine has two cores."""
    count, lost = bench.times(2000, 100), 0
    async with _ways(bench, workers=AT_ONCE) as ways:
        for turn in range(bench.times(5, 1) + 1):
            bare = await ways.ours.ask("echoes", count, AT_ONCE)
            ours = await ways.ours.ask("calls", count, AT_ONCE)
            lost += ours.value
            took = {"bare": bare.took / count, "ours": ours.took / count}
            for name, peer in ways.peers.items():
                fewer = AT_ONCE if name == _SLOW else count
                took[name] = (await peer.ask("calls", fewer, AT_ONCE)).took / fewer
            for way, seconds in took.items():
                if turn:  # in the first one, workers are started
                    ways.note(way, 1 / seconds)
    what = f"live function: {count:,} calls, {AT_ONCE} at once"
    rows = [
        Row(
            measure=what,
            unit="1/s",
            ours=ways.figures("ours", more_is_better=True),
            floor=ways.figures(way, more_is_better=True),
            floor_is=floor_is,
            goals=(Goal("ours", ">=", 1500),) if way == "bare" else (),
        )
        for way, floor_is in _floors("as many bare QoS 1 round trips, as many at once")
    ]
    none = (Goal("ours", "=", 0),)
    return [*rows, Row(measure=f"{what}: lost", unit="calls", ours=Figures(lost), goals=none)]


def _floors(bare: str) -> Sequence[tuple[str, str]]:
    return [("bare", bare), *((name, name) for name in _PEERS)]


@contextlib.asynccontextmanager
async def _ways(bench: Bench, workers: int) -> AsyncIterator[_Ways]:
    """Ours and theirs, each with a broker of its own kind and the handler's equal."""
    root, theirs = bench.scratch / "app", _peers(bench.scratch)
    harness.write(root, {"api/hello.py": HANDLER})
    async with contextlib.AsyncExitStack() as stack:
        broker = stack.enter_context(
            brokers.running(brokers.start_mosquitto(bench.scratch / "broker"))
        )
        functions = {FUNCTION: "api/hello.handler"}
        setup = Setup(root=str(root), port=broker.port, functions=functions)
        await stack.enter_async_context(harness.daemon(setup))
        ours = await stack.enter_async_context(asked.ours(broker.port, FUNCTION))
        peers: dict[str, Asked] = {}
        for number, (name, command) in enumerate(_PEERS.items()):
            # They have one topic each, and hear all that is published there.
            own = brokers.start_mosquitto(bench.scratch / f"broker-{number}")
            port = str(stack.enter_context(brokers.running(own)).port)
            program, *rest = command
            await stack.enter_async_context(
                harness.watched([_node(), program, port, *rest], b"ready\n", cwd=theirs)
            )
            stub = asked.asked([_node(), "stub.mjs", port, str(workers)], cwd=theirs)
            peers[name] = await stack.enter_async_context(stub)
        yield _Ways(ours, peers)


def _peers(scratch: Path) -> Path:
    """A folder with their programs, and what those import."""
    there = scratch / "peers"
    shutil.copytree(Path(__file__).with_name("peers"), there)
    (there / "node_modules").symlink_to(project("peers", PACKAGES) / "node_modules")
    return there


def _node() -> str:
    return os.fspath(find_node(os.environ, "nodejs24.x").path)
