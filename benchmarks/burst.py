"""2,000 requests at once: how fast they are accepted, whether all run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from benchmarks import harness
from benchmarks.daemon import Setup
from benchmarks.harness import Bench, Client
from benchmarks.report import Figures, Goal, Row, figures
from devbridge.daemon.ledger import Ledger
from tests.integration import brokers

JOB = "plain"
HANDLER = "def handler(payload):\n    stamp('run', time.time_ns())\n"


async def burst(bench: Bench) -> list[Row]:
    """From an idle daemon with one standby."""
    count = bench.times(2000, 100)
    floor: list[float] = []
    accepted: list[float] = []
    ran: list[float] = []
    lost = 0
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        root = bench.scratch / "app"
        harness.write(root, {"jobs/plain.py": stamps.source + HANDLER})
        setup = Setup(root=str(root), port=broker.port, jobs={JOB: "jobs/plain.handler"})
        async with harness.daemon(setup), harness.client(broker.port) as client:
            for turn in range(1, bench.times(3, 1) + 1):
                floor.append(count / await _echoes(client, count))
                began = time.perf_counter()
                accepted.append(count / await _accepts(client, count))
                for _ in range(count):
                    await stamps.next("run")
                ran.append(time.perf_counter() - began)
                lost += await _lost(setup, count * turn)
    return [
        Row(
            measure=f"burst of {count:,}: accepted",
            unit="1/s",
            ours=figures(accepted, more_is_better=True),
            floor=figures(floor, more_is_better=True),
            floor_is="as many bare QoS 1 round trips, pipelined",
            goals=(Goal("ours", ">=", 2000),),
        ),
        Row(
            measure=f"burst of {count:,}: lost",
            unit="jobs",
            ours=Figures(lost),
            goals=(Goal("ours", "=", 0),),
        ),
        Row(measure=f"burst of {count:,}: all have run after", unit="s", ours=figures(ran)),
    ]


async def _echoes(client: Client, count: int) -> float:
    published = [client.run(JOB, None) for _ in range(count)]
    done, client.on_echo = _counter(count)
    began = time.perf_counter()
    for one in published:
        client.echo(one)
    await asyncio.wait_for(done, harness.DEADLINE)
    return time.perf_counter() - began


async def _accepts(client: Client, count: int) -> float:
    published = [client.run(JOB, None) for _ in range(count)]
    done, client.on_accepted = _counter(count)
    began = time.perf_counter()
    for one in published:
        client.request(one)
    await asyncio.wait_for(done, harness.DEADLINE)
    return time.perf_counter() - began


def _counter(count: int) -> tuple[asyncio.Future[None], harness.Callback]:
    """Something to wait for, and what is to be called `count` times until then."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    left = count

    def one() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            done.set_result(None)

    return done, one


async def _lost(setup: Setup, expected: int) -> int:
    """How many of all requests until now the ledger does not have as succeeded once."""
    until = time.monotonic() + harness.DEADLINE
    while True:
        with Ledger.open(setup.ledger, readonly=True) as ledger:
            states = Counter(entry.state for entry in ledger.recent(limit=expected + 1))
            succeeded = states["SUCCEEDED"]  # type: ignore[index]
        if succeeded == expected or time.monotonic() > until:
            return abs(expected - succeeded)
        await asyncio.sleep(0.05)
