"""Live functions as their users have them: an API's answer, and the request after a save."""

from __future__ import annotations

import asyncio
import re
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks import asked, harness
from benchmarks.asked import Asked
from benchmarks.daemon import Setup
from benchmarks.harness import Bench, Stamps
from benchmarks.reload import fresh, settle_preload
from benchmarks.report import Figures, Goal, Row, figures
from tests.integration import brokers

APP: Final = """\
from devbridge import Api, App, Function
app = App("bench")
live = Function(app, "live", handler="api/hello.handler")
deployed = Function(app, "deployed", handler="api/hello.handler", enable_live_dev=False)
Api(app, "api", routes={"POST /live": live, "POST /deployed": deployed})
"""
HELLO: Final = """\
def handler(event, context):
    return {"statusCode": 200, "body": __file__}
"""
WARM: Final = 5
KINDS: Final = {
    "plain": "",
    "sdk": "import boto3\nclient = boto3.client('dynamodb', region_name='us-east-1')\n",
}
TITLES: Final = {"plain": "plain handler", "sdk": "handler with boto3 and a client"}
HANDLER: Final = """\
def handler(event, context):
    stamp("run", time.time_ns())
    return {turn}
"""
SETTLE: Final = 0.2
"""Seconds until the workers with the old code have gone."""


async def api(bench: Bench) -> list[Row]:
    """The same function twice in one app: live, and deployed on the embedded cloud; in turns."""
    took: dict[str, list[float]] = {"live": [], "deployed": []}
    app = bench.scratch.resolve() / "app"
    harness.write(app, {"app.py": APP, "api/hello.py": HELLO})
    async with harness.dev(app) as dev:
        url = re.search(r"ApiUrl +(\S+)", dev.head)
        if url is None:
            raise harness.Failed(f"no url of the api in: {dev.head}")
        for turn in range(bench.times(300, 3) + WARM):
            for way, values in took.items():
                seconds, file = await asyncio.to_thread(_posted, f"{url[1]}/{way}")
                if (Path(file) == app / "api" / "hello.py") != (way == "live"):
                    raise harness.Failed(f"/{way} was answered by {file}")
                if turn >= WARM:
                    values.append(seconds * 1000)
    return [
        Row(
            measure="API call -> answer, live function",
            unit="ms",
            ours=figures(took["live"]),
            floor=figures(took["deployed"]),
            floor_is="the same function, deployed on the embedded cloud",
        )
    ]


def _posted(url: str) -> tuple[float, str]:
    """Seconds until it is answered, and the answer."""
    parts = urlsplit(url)
    began = time.perf_counter()
    connection = HTTPConnection(parts.netloc, timeout=harness.DEADLINE)
    try:
        connection.request("POST", parts.path, "{}")
        answer = connection.getresponse()
        body = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise harness.Failed(f"{url}: {answer.status} {body}")
    return time.perf_counter() - began, body


async def save(bench: Bench) -> list[Row]:
    """A save, and a call right behind it: until the new code has answered."""
    ours: dict[str, list[float]] = {kind: [] for kind in KINDS}
    floor: dict[str, list[float]] = {kind: [] for kind in KINDS}
    old = 0
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        root = bench.scratch / "app"
        functions = {kind: f"api/{kind}.handler" for kind in KINDS}
        setup = Setup(root=str(root), port=broker.port, functions=functions)
        for kind in KINDS:
            harness.write(root, {f"api/{kind}.py": _source(stamps, kind, -1)})
        async with (
            harness.daemon(setup) as daemon,
            asked.ours(broker.port, "plain") as plain,
            asked.ours(broker.port, "sdk") as sdk,
        ):
            stubs = {"plain": plain, "sdk": sdk}
            for stub in stubs.values():
                await stub.ask("call")
            await settle_preload(daemon)
            for turn in range(bench.times(60, 2) + 2):
                for kind, stub in stubs.items():
                    took, by_old = await _save(root, stamps, stub, kind, turn)
                    await asyncio.sleep(SETTLE)
                    stamps.forget("run")
                    code = f"from api.{kind} import handler; handler({{}}, None)"
                    anew = await fresh(setup, stamps, code, "run")
                    old += by_old
                    if turn >= 2:
                        ours[kind].append(took)
                        floor[kind].append(anew)
    rows = [
        Row(
            measure=f"save -> next request's answer, {TITLES[kind]}",
            unit="ms",
            ours=figures(ours[kind]),
            floor=figures(floor[kind]),
            floor_is="fresh interpreter runs the same handler",
            goals=(Goal("ratio", "<=", 0.5),),
        )
        for kind in KINDS
    ]
    goals = (Goal("ours", "=", 0),)
    after = "requests after a save that the old code has answered"
    return [*rows, Row(measure=after, unit="requests", ours=Figures(old), goals=goals)]


async def _save(root: Path, stamps: Stamps, stub: Asked, kind: str, turn: int) -> tuple[float, int]:
    """Milliseconds until the new code has answered, and how often the old code has before."""
    began = harness.now()
    harness.write(root, {f"api/{kind}.py": _source(stamps, kind, turn)})
    by_old = 0
    while (done := await stub.ask("call")).value != turn:
        by_old += 1
    return (done.ended - began) / 1e6, by_old


def _source(stamps: Stamps, kind: str, turn: int) -> str:
    return stamps.source + KINDS[kind] + HANDLER.format(turn=turn)
