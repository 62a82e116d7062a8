"""What the daemon holds after many runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks import harness
from benchmarks.daemon import Setup
from benchmarks.harness import Bench, Client, Stamps
from benchmarks.report import Figures, Goal, Row
from devbridge.runs.ledger_reader import LedgerReader
from tests.integration import brokers

JOB: Final = "plain"
HANDLER: Final = "def handler(payload):\n    stamp('run', time.time_ns())\n"
AT_ONCE: Final = 100
"""Requests that are sent together, so that only the number of all differs, not their peak."""
SETTLE: Final = 1.0
"""Seconds after the last run, until its worker is surely gone."""


@dataclass(frozen=True, slots=True)
class Held:
    """The daemon's process at one moment; megabytes."""

    pss: float
    rss: float
    descriptors: int


async def memory(bench: Bench) -> list[Row]:
    """The same daemon after 100 runs, and after 10,000."""
    few, many = bench.times(100, 20), bench.times(10_000, 60)
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        root = bench.scratch / "app"
        harness.write(root, {"jobs/plain.py": stamps.source + HANDLER})
        setup = Setup(root=str(root), port=broker.port, jobs={JOB: "jobs/plain.handler"})
        async with harness.daemon(setup) as daemon, harness.client(broker.port) as client:
            await _run(client, stamps, few)
            before = await _held(setup, daemon.pid, few)
            await _run(client, stamps, many - few)
            after = await _held(setup, daemon.pid, many)
    floor_is = f"after {few:,} jobs"
    return [
        Row(
            measure=f"daemon after {many:,} jobs: {what}",
            unit=unit,
            ours=Figures(ours),
            floor=Figures(floor),
            floor_is=floor_is,
            goals=(Goal("ratio", "<=", limit),),
        )
        for what, unit, ours, floor, limit in _compared(before, after)
    ]


def _compared(before: Held, after: Held) -> Sequence[tuple[str, str, float, float, float]]:
    return (
        ("memory", "MB PSS", after.pss, before.pss, 1.2),
        ("memory", "MB RSS", after.rss, before.rss, 1.2),
        ("open files", "descriptors", after.descriptors, before.descriptors, 1),
    )


async def _run(client: Client, stamps: Stamps, count: int) -> None:
    for begin in range(0, count, AT_ONCE):
        part = min(AT_ONCE, count - begin)
        for _ in range(part):
            client.request(client.run(JOB, None))
        for _ in range(part):
            await stamps.next("run")


async def _held(setup: Setup, pid: int, expected: int) -> Held:
    """Once all runs have ended."""
    until = time.monotonic() + harness.DEADLINE
    with LedgerReader.open(setup.ledger) as ledger:
        while ledger.live():
            if time.monotonic() > until:
                raise harness.Failed("some runs did not end")
            await asyncio.sleep(0.05)
        if (ended := len(ledger.recent(limit=expected + 1))) != expected:
            raise harness.Failed(f"{ended} runs in the ledger instead of {expected}")
    await asyncio.sleep(SETTLE)
    return Held(harness.pss([pid]), harness.rss(pid), harness.descriptors(pid))
