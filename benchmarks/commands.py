"""How long one waits for a command: `--help`, `jobs`, and `dev` in a folder where it was before."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks import deploying, harness
from benchmarks.deploying import client, devbridge, timed, until_ready
from benchmarks.harness import Bench, Watched
from benchmarks.report import Goal, Row, figures
from devbridge import names

STAGE: Final = "dev"
_DEV: Final = ("dev", "--local", "--stage", STAGE)
_DEVBRIDGE: Final = str(Path(sys.executable).with_name("devbridge"))


async def commands(bench: Bench) -> list[Row]:
    """One run is in the ledger. For `dev`, the embedded cloud does not run yet."""
    given: dict[str, list[float]] = {"--help": [], "jobs": []}
    boto3: list[float] = []
    app = bench.scratch / "app"
    harness.write(app, deploying.source(1))
    await _ran_once(app)
    for _ in range(bench.times(40, 2)):
        for name, took in given.items():
            stage = () if name == "--help" else ("--stage", STAGE)
            took.append((await timed(app, [_DEVBRIDGE, name, *stage]))[0] * 1000)
        boto3.append((await timed(app, [sys.executable, "-c", "import boto3"]))[0] * 1000)
    again: list[float] = []
    floor: list[float] = []
    for _ in range(bench.times(10, 1)):
        again.append(await until_ready(app, [_DEVBRIDGE, *_DEV]))
        floor.append(await _started_and_asked(app))
    goals = {"--help": 0.2, "jobs": 0.35}
    return [
        *(
            Row(
                measure=f"devbridge {name}",
                unit="ms",
                ours=figures(took),
                floor=figures(boto3),
                floor_is="python: import boto3",
                goals=(Goal("ratio", "<=", goals[name]),),
            )
            for name, took in given.items()
        ),
        Row(
            measure="devbridge dev --local, second start -> ready",
            unit="s",
            ours=figures(again),
            floor=figures(floor),
            floor_is="devbridge cloud start, and one DescribeStacks",
            goals=(Goal("ratio", "<=", 1.2),),
        ),
    ]


async def _ran_once(app: Path) -> None:
    """`dev` has been there, and was asked for a run."""
    process = Watched([_DEVBRIDGE, *_DEV], cwd=app)
    try:
        await harness.soon(process.expecting(b"Ready in "))
        await devbridge(app, "invoke", "job0", "--stage", STAGE, "--payload", "1", "--wait")
    finally:
        await process.stop(signal.SIGINT)


async def _started_and_asked(app: Path) -> float:
    """Seconds in which `devbridge cloud start` starts the cloud, and it answers one question."""
    took, _ = await timed(app, [_DEVBRIDGE, "cloud", "start"])
    try:
        cloudformation = client(app, "cloudformation")
        began = time.perf_counter()
        name = names.stack("bench", STAGE)
        await asyncio.to_thread(cloudformation.describe_stacks, StackName=name)
        return took + time.perf_counter() - began
    finally:
        await devbridge(app, "cloud", "stop")
