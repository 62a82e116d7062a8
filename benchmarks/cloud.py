"""The whole way on the embedded cloud: `devbridge dev --local`, real Lambdas, a real API."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import harness
from benchmarks.harness import Bench, Stamps, Watched
from benchmarks.report import Row, figures
from tests.clients import endpoint_of, root_client

APP = """\
from devbridge import Api, App, Function, Job
app = App("bench")
job = Job(app, "plain", handler="jobs/plain.handler", timeout="1 hour", memory_size="3 GB")
Function(app, "empty", handler="api/empty.handler", enable_live_dev=False)
silent = Function(app, "silent", handler="api/empty.silent", enable_live_dev=False)
start = Function(app, "start", handler="api/start.handler", bind=[job], enable_live_dev=False)
Api(app, "api", routes={"POST /start": start, "POST /empty": silent})
"""
EMPTY = """\
def handler(event, context):
    print("x")
    return {}
def silent(event, context):
    return {"statusCode": 202, "body": "{}"}
"""
START = """\
from devbridge.job import Job
def handler(event, context):
    return {"statusCode": 202, "body": Job.plain.run(payload=1).job_id}
"""


async def cloud(bench: Bench) -> list[Row]:
    """Warm: every function has been called before."""
    to_line: list[float] = []
    to_answer: list[float] = []
    empty_answer: list[float] = []
    api_answer: list[float] = []
    api_empty: list[float] = []
    app = bench.scratch / "app"
    with harness.stamps(bench) as stamps:
        plain = stamps.source + harness.PLAIN
        files = {"app.py": APP, "api/empty.py": EMPTY, "api/start.py": START}
        harness.write(app, {**files, "jobs/plain.py": plain})
        async with harness.dev(app) as dev:
            client = lambda_client(app)
            url = re.search(r"ApiUrl +(\S+)", dev.head)
            if url is None:
                raise harness.Failed(f"no url of the api in: {dev.head}")
            stamps.forget("loaded")
            for turn in range(bench.times(100, 3) + 3):
                empty = await _timed(_invoke(client, "bench_bench_empty-fn", {}))
                stub, line = await _job(
                    dev, stamps, _invoke(client, "bench_bench_plain-invoker", _run(turn)), turn
                )
                silent = await _timed(_post(url[1] + "/empty"))
                api, _ = await _job(dev, stamps, _post(url[1] + "/start"), 1)
                if turn >= 3:
                    for values, value in (
                        (empty_answer, empty),
                        (to_line, line),
                        (to_answer, stub),
                        (api_empty, silent),
                        (api_answer, api),
                    ):
                        values.append(value)
    return [
        _row("lambda.invoke of the stub -> first line", to_line, empty_answer, "an empty Lambda"),
        _row("lambda.invoke of the stub -> answer", to_answer, empty_answer, "an empty Lambda"),
        _row("API call -> answer (two Lambdas)", api_answer, api_empty, "API with an empty Lambda"),
    ]


def lambda_client(app: Path) -> Any:
    """A client of the embedded cloud that runs in this folder, as root."""
    return root_client(endpoint_of(app), "lambda")


def _row(measure: str, ours: Sequence[float], floor: Sequence[float], floor_is: str) -> Row:
    return Row(
        measure=measure, unit="ms", ours=figures(ours), floor=figures(floor), floor_is=floor_is
    )


def _run(payload: int) -> dict[str, Any]:
    return {"devbridge": 1, "action": "run", "payload": payload}


def _invoke(client: Any, function: str, event: dict[str, Any]) -> Callable[[], None]:
    def call() -> None:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer or "error" in body:
            raise harness.Failed(f"{function}: {body}")

    return call


def _post(url: str) -> Callable[[], None]:
    parts = urlsplit(url)

    def call() -> None:
        connection = HTTPConnection(parts.netloc, timeout=harness.DEADLINE)
        connection.request("POST", parts.path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 202:
            raise harness.Failed(f"{url}: {answer.status} {body!r}")

    return call


async def _timed(call: Callable[[], None]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    await asyncio.to_thread(call)
    return (time.perf_counter() - began) * 1000


async def _job(
    dev: Watched, stamps: Stamps, call: Callable[[], None], payload: int
) -> tuple[float, float]:
    """Milliseconds to the answer, and to the handler's first line."""
    done = dev.expecting(b"Done ")
    began = harness.now()
    took = await _timed(call)
    line = (await stamps.next(f"run {payload}") - began) / 1e6
    await harness.soon(done)
    await stamps.next("loaded")
    return took, line
