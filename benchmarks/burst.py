"""Many requests at once: how fast they are accepted, how fast and whether all run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from benchmarks import harness
from benchmarks.daemon import Setup
from benchmarks.harness import Bench, Client
from benchmarks.reload import settle_preload
from benchmarks.report import Figures, Goal, Row, figures
from devbridge.runs.ledger_reader import LedgerReader
from tests.integration import brokers

JOB = "plain"
HANDLER = "def handler(payload):\n    stamp('run', time.time_ns())\n"
SDK = f"import boto3\nclient = boto3.client('dynamodb', region_name='us-east-1')\n{HANDLER}"


async def burst(bench: Bench) -> list[Row]:
    """From an idle daemon with one standby."""
    count = bench.times(2000, 100)
    floor: list[float] = []
    accepted: list[float] = []
    echo_times: list[float] = []
    reply_times: list[float] = []
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
                echoes = await _echoes(client, count)
                floor.append(count / echoes[-1])
                echo_times += echoes
                began = time.perf_counter()
                replies = await _accepts(client, count)
                accepted.append(count / replies[-1])
                reply_times += replies
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
            measure=f"burst of {count:,}: request -> accepted",
            unit="ms",
            ours=figures([seconds * 1000 for seconds in reply_times]),
            floor=figures([seconds * 1000 for seconds in echo_times]),
            floor_is="a message among as many bare QoS 1 round trips",
        ),
        Row(
            measure=f"burst of {count:,}: lost",
            unit="jobs",
            ours=Figures(lost),
            goals=(Goal("ours", "=", 0),),
        ),
        Row(measure=f"burst of {count:,}: all have run after", unit="s", ours=figures(ran)),
    ]


async def sdk(bench: Bench) -> list[Row]:
    """Runs of a job that imports boto3 and makes a client, and of one that does not, in turns."""
    count = bench.times(300, 20)
    rates: dict[str, list[float]] = {"sdk": [], "plain": []}
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        root = bench.scratch / "app"
        sources = {"sdk": SDK, "plain": HANDLER}
        harness.write(root, {f"jobs/{job}.py": stamps.source + sources[job] for job in rates})
        jobs = {job: f"jobs/{job}.handler" for job in rates}
        setup = Setup(root=str(root), port=broker.port, jobs=jobs)
        async with harness.daemon(setup) as daemon, harness.client(broker.port) as client:
            await settle_preload(daemon)
            for _ in range(bench.times(5, 1)):
                for job, values in rates.items():
                    began = time.perf_counter()
                    await _accepts(client, count, job)
                    for _ in range(count):
                        await stamps.next("run")
                    values.append(count / (time.perf_counter() - began))
    return [
        Row(
            measure="runs per second, app with boto3 and a client",
            unit="1/s",
            ours=figures(rates["sdk"], more_is_better=True),
            floor=figures(rates["plain"], more_is_better=True),
            floor_is="runs of a plain handler",
            goals=(Goal("ratio", ">=", 0.8),),
        ),
        Row(
            measure="runs per second, plain handler",
            unit="1/s",
            ours=figures(rates["plain"], more_is_better=True),
            goals=(Goal("ours", ">=", 250),),
        ),
    ]


async def wide(bench: Bench) -> list[Row]:
    """Accepted per second where 50 may run at once, and where two may: new daemons, in turns."""
    count = bench.times(1000, 50)
    rates: dict[int, list[float]] = {50: [], 2: []}
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        root = bench.scratch / "app"
        harness.write(root, {"jobs/plain.py": stamps.source + HANDLER})
        jobs = {JOB: "jobs/plain.handler"}
        for _ in range(bench.times(5, 1)):
            for concurrency, values in rates.items():
                setup = Setup(root=str(root), port=broker.port, jobs=jobs, concurrency=concurrency)
                async with harness.daemon(setup), harness.client(broker.port) as client:
                    values.append(count / (await _accepts(client, count))[-1])
                    for _ in range(count):
                        await stamps.next("run")
    return [
        Row(
            measure=f"burst of {count:,}, 50 at once: accepted",
            unit="1/s",
            ours=figures(rates[50], more_is_better=True),
            floor=figures(rates[2], more_is_better=True),
            floor_is="two at once",
            goals=(Goal("ratio", ">=", 0.9),),
        )
    ]


async def _echoes(client: Client, count: int) -> list[float]:
    published = [client.run(JOB, None) for _ in range(count)]
    times, client.on_echo = _clock(count)
    for one in published:
        client.echo(one)
    return await asyncio.wait_for(times, harness.DEADLINE)


async def _accepts(client: Client, count: int, job: str = JOB) -> list[float]:
    published = [client.run(job, None) for _ in range(count)]
    times, client.on_accepted = _clock(count)
    for one in published:
        client.request(one)
    return await asyncio.wait_for(times, harness.DEADLINE)


def _clock(count: int) -> tuple[asyncio.Future[list[float]], harness.Callback]:
    """Something to call `count` times; then there are the seconds until each of the calls.

    As all is published at once, these are the times that the messages took.
    """
    done: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
    times: list[float] = []
    began = time.perf_counter()

    def one() -> None:
        times.append(time.perf_counter() - began)
        if len(times) == count:
            done.set_result(times)

    return done, one


async def _lost(setup: Setup, expected: int) -> int:
    """How many of all requests until now the ledger does not have as succeeded once."""
    until = time.monotonic() + harness.DEADLINE
    while True:
        with LedgerReader.open(setup.ledger) as ledger:
            states = Counter(entry.state for entry in ledger.recent(limit=expected + 1))
            succeeded = states["SUCCEEDED"]  # type: ignore[index]
        if succeeded == expected or time.monotonic() > until:
            return abs(expected - succeeded)
        await asyncio.sleep(0.05)
