"""A request's way over the bridge: published -> first line of the handler; warm, and at first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from benchmarks import harness
from benchmarks.daemon import Setup
from benchmarks.harness import Bench, Client, Stamps, Watched
from benchmarks.report import Goal, Row, figures
from tests.integration import brokers

JOB = "plain"
HANDLER = "jobs/plain.handler"
SETTLE = 0.02
"""Seconds until a worker that has loaded its handler surely waits for an invocation."""


async def invoke(bench: Bench) -> list[Row]:
    """Warm, over mosquitto and over the embedded cloud's broker."""
    rows = []
    starts: list[tuple[str, Callable[[Path], brokers.Broker], int]] = [
        ("mosquitto", brokers.start_mosquitto, bench.times(500, 5)),
        ("embedded cloud", brokers.start_ministack, bench.times(200, 3)),
    ]
    for name, start, count in starts:
        with brokers.running(start(bench.scratch / name.replace(" ", "-"))) as broker:
            rows += await _warm(bench, broker.port, name, count)
    return rows


async def first(bench: Bench) -> list[Row]:
    """The first invocation after a start, against later ones of the same daemons."""
    cold: list[float] = []
    warm: list[float] = []
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        setup = _setup(bench, broker.port, stamps)
        for _ in range(bench.times(20, 2)):
            async with harness.daemon(setup) as daemon, harness.client(broker.port) as client:
                stamps.forget("loaded")
                for values in (cold, warm, warm, warm):
                    to_first_line, _ = await _once(client, daemon, stamps)
                    values.append(to_first_line)
    row = Row(
        measure="first invocation after start",
        unit="ms",
        ours=figures(cold),
        floor=figures(warm),
        floor_is="a later invocation of the same daemon",
        goals=(Goal("ratio", "<=", 1),),
    )
    return [row]


async def _warm(bench: Bench, port: int, name: str, count: int) -> list[Row]:
    lines: list[float] = []
    replies: list[float] = []
    floor: list[float] = []
    with harness.stamps(bench) as stamps:
        setup = _setup(bench, port, stamps)
        async with harness.daemon(setup) as daemon, harness.client(port) as client:
            stamps.forget("loaded")
            for turn in range(count + 10):
                bare = await client.round_trip(client.run(JOB, turn)) * 1000
                to_first_line, to_reply = await _once(client, daemon, stamps)
                if turn >= 10:
                    floor.append(bare)
                    lines.append(to_first_line)
                    replies.append(to_reply)
    (bench.scratch / "stamps").unlink()
    floor_is = f"bare QoS 1 round trip, {name}"
    goals = (Goal("ratio", "<=", 3), Goal("p99 ratio", "<=", 5))
    return [
        Row(
            measure=f"request -> first line, {name}",
            unit="ms",
            ours=figures(lines),
            floor=figures(floor),
            floor_is=floor_is,
            goals=goals,
        ),
        Row(
            measure=f"request -> accepted, {name}",
            unit="ms",
            ours=figures(replies),
            floor=figures(floor),
            floor_is=floor_is,
        ),
    ]


async def _once(client: Client, daemon: Watched, stamps: Stamps) -> tuple[float, float]:
    """Milliseconds to the first line and to the reply; then waits for the next standby."""
    request = client.run(JOB, 1)
    accepted, done = client.accepted(), daemon.expecting(b"Done ")
    began = harness.now()
    client.request(request)
    line = await stamps.next("run 1")
    reply = await asyncio.wait_for(accepted, harness.DEADLINE)
    await harness.soon(done)
    await stamps.next("loaded")
    await asyncio.sleep(SETTLE)
    return (line - began) / 1e6, (reply - began) / 1e6


def _setup(bench: Bench, port: int, stamps: Stamps) -> Setup:
    root = bench.scratch / "app"
    harness.write(root, {"jobs/plain.py": stamps.source + harness.PLAIN})
    return Setup(root=str(root), port=port, jobs={JOB: HANDLER})
