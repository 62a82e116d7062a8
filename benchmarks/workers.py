"""50 workers that import boto3, from nothing: seconds and memory."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace

from benchmarks import harness
from benchmarks.daemon import Setup
from benchmarks.harness import Bench
from benchmarks.reload import settle_preload
from benchmarks.report import Figures, Goal, Row
from tests.integration import brokers

HANDLER = """\
import boto3
client = boto3.client('dynamodb', region_name='us-east-1')
def handler(payload):
    stamp('run', time.time_ns())
    os.close(os.open({gate!r}, os.O_RDONLY))  # waits for a writer
stamp('loaded', time.time_ns())
"""


async def cold(bench: Bench) -> list[Row]:
    """That many requests at once -> all of them run; the floor with fresh processes."""
    count, fresh_count = bench.times(50, 3), bench.times(50, 2)
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        root, gate = bench.scratch / "app", bench.scratch / "gate"
        os.mkfifo(gate)
        harness.write(root, {"jobs/sdk.py": stamps.source + HANDLER.format(gate=str(gate))})
        jobs = {"sdk": "jobs/sdk.handler"}
        setup = Setup(root=str(root), port=broker.port, jobs=jobs, concurrency=count)
        await measure(bench, setup, stamps, 1)  # so that the daemon knows what to preload
        ours = await measure(bench, setup, stamps, count)
        fresh = await measure(bench, replace(setup, fresh=True), stamps, fresh_count)
    floor_is = f"{fresh_count} fresh processes"
    return [
        Row(
            measure=f"{count} cold workers with boto3 run",
            unit="s",
            ours=Figures(ours[0]),
            floor=Figures(fresh[0]),
            floor_is=floor_is,
            goals=(Goal("ours", "<", 1),),
        ),
        Row(
            measure=f"{count} workers with boto3, memory",
            unit="MB PSS",
            ours=Figures(ours[1]),
            floor=Figures(fresh[1]),
            floor_is=floor_is,
            goals=(Goal("ours", "<", 600),),
        ),
    ]


async def measure(
    bench: Bench, setup: Setup, stamps: harness.Stamps, count: int
) -> tuple[float, float]:
    """Seconds until so many runs of the app's only job run, and megabytes of their processes."""
    (job,) = setup.jobs
    async with harness.daemon(setup) as daemon, harness.client(setup.port) as client:
        await settle_preload(daemon)
        stamps.forget("loaded")
        stamps.forget("run")
        published = [client.run(job, None) for _ in range(count)]
        began = time.time_ns()
        for one in published:
            client.request(one)
        last = max([await stamps.next("run") for _ in range(count)])
        await asyncio.sleep(1)  # until the standby that comes after them is there
        memory = harness.pss(harness.descendants(daemon.pid))
        done = daemon.expecting(b"Done ")
        os.close(os.open(bench.scratch / "gate", os.O_WRONLY))
        await harness.soon(done)
        await settle_preload(daemon)
    return (last - began) / 1e9, memory
