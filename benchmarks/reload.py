"""A file is saved -> a standby with the new code waits."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import harness
from benchmarks.daemon import Setup
from benchmarks.harness import Bench, Stamps, Watched
from benchmarks.report import Goal, Row, figures
from tests.integration import brokers

KINDS = {"plain": harness.PLAIN, "sdk": harness.SDK}
TITLES = {"plain": "plain handler", "sdk": "handler with boto3 and a client"}
LIMITS = {"plain": 0.5, "sdk": 0.1}


async def save(bench: Bench) -> list[Row]:
    """Ours is until the terminal says `Reloaded`: the standby asked for an invocation."""
    ours: dict[str, list[float]] = {kind: [] for kind in KINDS}
    floor: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        setup = prepare(bench, broker.port, stamps)
        async with harness.daemon(setup) as daemon:
            await settle_preload(daemon)
            # Not 60 in a minute: a file that is saved as often is not loaded at each save any more.
            for turn in range(bench.times(50, 2) + 2):
                for kind in KINDS:
                    took = await _save(setup, stamps, daemon, kind, turn)
                    fresh_one = await fresh(setup, stamps, f"import jobs.{kind}", "loaded")
                    if turn >= 2:
                        ours[kind].append(took)
                        floor[kind].append(fresh_one)
    return [
        Row(
            measure=f"save -> ready, {TITLES[kind]}",
            unit="ms",
            ours=figures(ours[kind]),
            floor=figures(floor[kind]),
            floor_is="fresh interpreter imports the same file",
            goals=(Goal("ratio", "<=", LIMITS[kind]),),
        )
        for kind in KINDS
    ]


def prepare(bench: Bench, port: int, stamps: Stamps) -> Setup:
    """An app with both kinds of handlers."""
    root = bench.scratch / "app"
    harness.write(root, {f"jobs/{kind}.py": stamps.source + KINDS[kind] for kind in KINDS})
    jobs = {kind: f"jobs/{kind}.handler" for kind in KINDS}
    return Setup(root=str(root), port=port, jobs=jobs)


async def settle_preload(daemon: Watched) -> None:
    """Wait until the daemon has learned what to preload, and its zygote has done so: its processes
    are the same for a while."""
    seen, since = harness.descendants(daemon.pid), time.monotonic()
    while time.monotonic() - since < 1.5:
        now = harness.descendants(daemon.pid)
        if now != seen:
            seen, since = now, time.monotonic()
        await asyncio.sleep(0.05)


async def _save(setup: Setup, stamps: Stamps, daemon: Watched, kind: str, turn: int) -> float:
    text = f"{stamps.source}{KINDS[kind]}# {turn}\n"
    ready = daemon.expecting(b"Reloaded ")
    began = harness.now()
    harness.write(Path(setup.root), {f"jobs/{kind}.py": text})
    took = (await harness.soon(ready) - began) / 1e6
    await asyncio.sleep(0.2)  # until the old standby has gone, and no burst of events goes on
    stamps.forget("loaded")
    return took


async def fresh(setup: Setup, stamps: Stamps, code: str, until: str) -> float:
    """Milliseconds from the start of an interpreter that runs this until a stamp."""
    environment = {
        **harness.clean_environment(),
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
    }
    for folder in ("jobs", "api"):  # it has just been saved, here too
        shutil.rmtree(Path(setup.root, folder, "__pycache__"), ignore_errors=True)
    began = harness.now()
    with subprocess.Popen(  # noqa: ASYNC220 - its start is a part of what is measured
        [sys.executable, "-c", code], cwd=setup.root, env=environment
    ) as process:
        took = (await stamps.next(until) - began) / 1e6
        await asyncio.to_thread(process.wait)
    return took
