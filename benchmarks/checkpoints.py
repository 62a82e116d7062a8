"""What checkpoints cost: a yield that is not stored, one that is, and going on there."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

from benchmarks.harness import Bench
from benchmarks.report import Figures, Goal, Row, figures
from runner import attempt
from runner.attempt import Inbox, Output
from runner.checkpoints import VARIABLE, Checkpoints
from runner.client import RuntimeClient
from runner.invocation import Invocation
from runner.runtime_api import RuntimeApi

STATE = {"epoch": 12, "loss": 0.0625, "weights": "s3://bucket/train/epoch-12", "best": None}
HANDLER = """\
import time
def handler(payload, context):
    at = payload and context.checkpoint
    print(time.time_ns(), flush=True)
"""


async def checkpoints(bench: Bench) -> list[Row]:
    """Yields in this process, and attempts in processes of their own, as a build has them."""
    return await asyncio.to_thread(_measured, bench)


def _measured(bench: Bench) -> list[Row]:
    many, stored = bench.times(100_000, 1_000), bench.times(2_000, 50)
    bare = _each(many, lambda: _exhaust(_handler(many)))
    api = RuntimeApi()
    address = api.expect(Invocation("run-1", b"null", 0.0), 3600.0, lambda _: None)
    client = RuntimeClient(address)
    client.next()

    def yields(count: int, seconds: str) -> None:
        kept = Checkpoints(partial(RuntimeClient, address), {}, {VARIABLE: seconds}, signals=False)
        kept.drive(_handler(count))

    passed_by = _each(many, partial(yields, many, "3600"))
    kept = _each(stored, partial(yields, stored, "0"))
    asked = _each(stored, lambda: [client.checkpoint() for _ in range(stored)])
    begun, resumed = _attempts(bench, api)
    return [
        Row(
            measure="a yield that is not stored",
            unit="us",
            ours=Figures(passed_by),
            floor=Figures(bare),
            floor_is="a yield of a bare generator",
            goals=(Goal("ours", "<=", 20),),
        ),
        Row(
            measure="a yield that is stored",
            unit="us",
            ours=Figures(kept),
            floor=Figures(asked),
            floor_is="a question to the same Runtime API",
        ),
        Row(
            measure="an attempt at a checkpoint, to the handler's first line",
            unit="ms",
            ours=figures(resumed),
            floor=figures(begun),
            floor_is="one at the beginning",
            goals=(Goal("ratio", "<=", 1.1),),
        ),
    ]


def _handler(count: int) -> Generator[object, None, None]:
    for _ in range(count):
        yield STATE


def _exhaust(generator: Generator[object, None, None]) -> None:
    for _ in generator:
        pass


def _each(count: int, work: Callable[[], object]) -> float:
    """Microseconds that each of so many takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) / count * 1e6


def _attempts(bench: Bench, api: RuntimeApi) -> tuple[list[float], list[float]]:
    """Milliseconds of attempts at the beginning, and of those at a checkpoint, turn about."""
    root = bench.scratch / "app"
    root.mkdir()
    (root / "job.py").write_text(HANDLER)
    begun: list[float] = []
    resumed: list[float] = []
    for _ in range(bench.times(30, 2)):
        begun.append(_attempt(api, root, b"false", None))
        resumed.append(_attempt(api, root, b"true", b'{"epoch":12}'))
    return begun, resumed


def _attempt(api: RuntimeApi, root: Path, payload: bytes, checkpoint: bytes | None) -> float:
    reader, writer = os.pipe()
    first: list[bytes] = []
    with os.fdopen(reader, "rb") as lines:
        thread = threading.Thread(target=lambda: first.append(lines.readline()), daemon=True)
        thread.start()
        began = time.time_ns()
        try:
            attempt.run(
                api,
                Invocation("run-1", payload, 0.0),
                {**os.environ, "_HANDLER": "job.handler", "LAMBDA_TASK_ROOT": str(root)},
                root=str(root),
                inbox=Inbox(),
                output=Output(writer),
                timeout=60,
                grace=1,
                checkpoint=checkpoint,
            )
        finally:
            os.close(writer)
        thread.join()
    return (int(first[0]) - began) / 1e6
