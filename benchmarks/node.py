"""Jobs in TypeScript: saved, run, started many at once, bundled; beside Python's and the bare
tools."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from benchmarks import harness
from benchmarks.daemon import Setup
from benchmarks.harness import Bench, Client, Stamps, Watched
from benchmarks.reload import settle_preload
from benchmarks.report import Figures, Goal, Row, figures
from benchmarks.workers import measure
from devbridge.folders import cache_dir
from devbridge.languages.node.binary import find_esbuild
from devbridge.languages.node.bundles import Asked, Bundles
from devbridge.languages.node.esbuild import Builds, Request, Service
from devbridge.languages.node.tools import find_node
from tests.integration import brokers
from tests.npm import project

RUNTIME: Final = "nodejs24.x"
KINDS: Final = {"small": harness.TYPESCRIPT, "dynamo": harness.TYPESCRIPT_SDK}
TITLES: Final = {"small": "small", "dynamo": "with a DynamoDB client"}
LIMITS: Final = {"small": 10.0, "dynamo": 15.0}
"""Milliseconds."""
PYTHON: Final = {"small": "plain", "dynamo": "sdk"}
"""The job in Python that stands beside one in TypeScript."""
PYTHON_SOURCES: Final = {"plain": harness.PLAIN, "sdk": harness.SDK}
SETTLE: Final = 0.02
"""Seconds until a worker that has loaded its handler surely waits for an invocation."""

_BLANK: Final = """\
import { createConnection } from "node:net";
import { pathToFileURL } from "node:url";
for (const each of JSON.parse(process.argv[3])) await import(each);
const socket = createConnection(process.argv[2]);
socket.on("connect", () => socket.write("ready\\n"));
socket.on("data", async (text) => {
  await import(pathToFileURL(text.toString().trim()).href);
  socket.end();
});
"""


async def save(bench: Bench) -> list[Row]:
    """A file is saved -> the terminal says `Reloaded`; in turns with the floor and with Python."""
    rows: list[Row] = []
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        setup = _prepare(bench, broker.port, stamps)
        async with harness.daemon(setup) as daemon:
            await settle_preload(daemon)
            for kind in KINDS:
                rows += await _saves(bench, setup, stamps, daemon, kind)
    return rows


async def _saves(
    bench: Bench, setup: Setup, stamps: Stamps, daemon: Watched, kind: str
) -> list[Row]:
    root, beside = Path(setup.root), PYTHON[kind]
    ours: list[float] = []
    floor: list[float] = []
    python: list[float] = []
    with closing(_Bare(root, kind)) as bare:
        # The first bundle has all, the second leaves the package to Node; then blanks have it.
        for turn in range(bench.times(50, 2) + 5):
            text = f"{stamps.typescript}{KINDS[kind]}// {turn}\n"
            took = await _saved(root, daemon, f"jobs/{kind}.ts", text)
            await bare.prepared()
            stamps.forget("loaded")
            less = await bare.saved(text, stamps)
            text = f"{stamps.source}{PYTHON_SOURCES[beside]}# {turn}\n"
            other = await _saved(root, daemon, f"jobs/{beside}.py", text)
            if turn >= 5:
                ours.append(took)
                floor.append(less)
                python.append(other)
    what = f"save -> ready, TypeScript, {TITLES[kind]}"
    goal = (Goal("ours", "<=", LIMITS[kind]),)
    return [
        Row(
            measure=what,
            unit="ms",
            ours=figures(ours),
            floor=figures(floor),
            floor_is="esbuild's rebuild, packages external; a blank node imports it",
            goals=goal,
        ),
        Row(
            measure=what,
            unit="ms",
            ours=figures(ours),
            floor=figures(python),
            floor_is=f"the same of the job in Python: {beside}",
        ),
    ]


def _prepare(bench: Bench, port: int, stamps: Stamps) -> Setup:
    """An app with both kinds of handlers in both languages."""
    root = bench.scratch / "app"
    sources = {f"jobs/{name}.py": stamps.source + text for name, text in PYTHON_SOURCES.items()}
    sources |= {f"jobs/{name}.ts": stamps.typescript + text for name, text in KINDS.items()}
    harness.write(root, {"package.json": '{"private": true}\n', **sources})
    install(root)
    return Setup(
        root=str(root),
        port=port,
        jobs={name: f"jobs/{name}.handler" for name in (*KINDS, *PYTHON_SOURCES)},
        runtimes=dict.fromkeys(KINDS, RUNTIME),
    )


def install(root: Path) -> None:
    """The AWS SDK, as npm has installed it."""
    there = project("benchmarks", harness.SDK_PACKAGES) / "node_modules"
    shutil.copytree(there, root / "node_modules", symlinks=True)


async def _saved(root: Path, daemon: Watched, file: str, text: str) -> float:
    """Milliseconds until the job is ready again; then waits for what follows a save."""
    ready = daemon.expecting(b"Reloaded ")
    began = harness.now()
    harness.write(root, {file: text})
    took = (await harness.soon(ready) - began) / 1e6
    await _quiet(daemon)
    return took


async def _quiet(daemon: Watched) -> None:
    """Wait until the daemon and what it has started do nothing for a while: blanks are there."""
    used, since = _used(daemon), time.monotonic()
    while time.monotonic() - since < 0.15:
        await asyncio.sleep(0.03)
        if (now := _used(daemon)) != used:
            used, since = now, time.monotonic()


def _used(daemon: Watched) -> float:
    """Seconds of the processor that are told apart: a hundredth."""
    total = harness.cpu_seconds(daemon.pid)
    for pid in harness.descendants(daemon.pid):
        try:
            total += harness.cpu_seconds(pid)
        except OSError:
            continue
    return round(total, 2)


class _Bare:
    """The floor: esbuild's own context, and nodes that have imported the package and wait."""

    def __init__(self, root: Path, kind: str) -> None:
        self._root = root
        self._node = find_node(os.environ, RUNTIME).path
        self._file = root / "bare" / f"{kind}.ts"
        self._preload = list(harness.SDK_PACKAGES) if kind == "dynamo" else []
        harness.write(root, {"bare/blank.mjs": _BLANK, f"bare/{kind}.ts": ""})
        found = find_esbuild(root, os.environ, cache_dir())
        assert found.binary is not None
        self._service = Service(found.binary, found.version, os.environ)
        told = {"bundle": True, "platform": "node", "format": "esm", "packages": "external"}
        told |= {"outdir": str(root / "bare" / "out"), "sourcemap": True}
        told["outExtension"] = {".js": ".mjs"}
        entry = f"export * from './bare/{kind}.ts';"
        self._context: Builds = self._service.context(Request(root, told, entry))
        self._turn = 0
        self._blank: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def prepared(self) -> None:
        """A node waits, which has imported the package."""
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        path = self._root / "bare" / "socket"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            self._process = subprocess.Popen(
                [self._node, "bare/blank.mjs", path, json.dumps(self._preload)], cwd=self._root
            )
            self._blank = server.accept()[0]
        self._blank.recv(16)

    async def saved(self, text: str, stamps: Stamps) -> float:
        """Milliseconds from the save until that node has imported what esbuild makes of it."""
        began = harness.now()
        harness.write(self._root, {f"bare/{self._file.name}": text})
        result = self._context.rebuild()
        self._turn += 1
        for output in result.outputs:
            path = self._root / "bare" / f"{self._turn}{output.path.suffix}"
            path.write_bytes(output.contents)
        assert self._blank is not None
        self._blank.sendall(f"{self._root}/bare/{self._turn}.mjs".encode())
        took = (await stamps.next("loaded") - began) / 1e6
        self._end()
        return took

    def _end(self) -> None:
        if self._blank is not None:
            self._blank.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self._end()
        self._service.close()


async def invoke(bench: Bench) -> list[Row]:
    """A request -> the handler's first line, warm; in turns with Python's."""
    ours: list[float] = []
    floor: list[float] = []
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        setup = _prepare(bench, broker.port, stamps)
        async with harness.daemon(setup) as daemon, harness.client(broker.port) as client:
            await settle_preload(daemon)
            await _quiet(daemon)
            for turn in range(bench.times(200, 3) + 5):
                took = await _run(client, daemon, stamps, "small")
                beside = await _run(client, daemon, stamps, "plain")
                if turn >= 5:
                    ours.append(took)
                    floor.append(beside)
    return [
        Row(
            measure="request -> first line, TypeScript",
            unit="ms",
            ours=figures(ours),
            floor=figures(floor),
            floor_is="the same of a job in Python",
            goals=(Goal("ratio", "<=", 1.2),),
        )
    ]


async def _run(client: Client, daemon: Watched, stamps: Stamps, job: str) -> float:
    request, done = client.run(job, 1), daemon.expecting(b"Done ")
    stamps.forget("loaded")
    began = harness.now()
    client.request(request)
    took = (await stamps.next("run 1") - began) / 1e6
    await harness.soon(done)
    await stamps.next("loaded")
    await asyncio.sleep(SETTLE)
    return took


_HANDLER: Final = """\
import {{ closeSync, openSync as open }} from "node:fs";
import {{ DynamoDBClient }} from "@aws-sdk/client-dynamodb";
export const client = new DynamoDBClient({{ region: "us-east-1" }});
export async function handler() {{
  stamp("run", now());
  closeSync(open({gate}, "r")); // waits for a writer
}}
stamp("loaded", now());
"""


async def cold(bench: Bench) -> list[Row]:
    """That many requests at once -> all of them run; the floor is bare nodes."""
    count, bare = bench.times(50, 3), bench.times(50, 2)
    with (
        brokers.running(brokers.start_mosquitto(bench.scratch / "broker")) as broker,
        harness.stamps(bench) as stamps,
    ):
        root, gate = bench.scratch / "app", bench.scratch / "gate"
        os.mkfifo(gate)
        text = stamps.typescript + _HANDLER.format(gate=json.dumps(str(gate)))
        harness.write(root, {"package.json": '{"private": true}\n', "jobs/dynamo.ts": text})
        install(root)
        setup = Setup(
            root=str(root),
            port=broker.port,
            jobs={"dynamo": "jobs/dynamo.handler"},
            runtimes={"dynamo": RUNTIME},
            concurrency=count,
        )
        ours = await measure(bench, setup, stamps, count)
        floor = await _nodes(root, stamps, bare)
    return [
        Row(
            measure=f"{count} cold workers with a DynamoDB client run",
            unit="s",
            ours=Figures(ours[0]),
            floor=Figures(floor[0]),
            floor_is=f"{bare} bare nodes import the bundle that would be deployed",
        ),
        Row(
            measure=f"{count} workers with a DynamoDB client, memory",
            unit="MB PSS",
            ours=Figures(ours[1]),
            floor=Figures(floor[1]),
            floor_is=f"{bare} bare nodes import the bundle that would be deployed",
        ),
    ]


async def _nodes(root: Path, stamps: Stamps, count: int) -> tuple[float, float]:
    """Seconds and megabytes of so many nodes."""
    made = _deployed(root, "jobs/dynamo.handler")
    for name, body in made.items():
        (root / "bare" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "bare" / name).write_bytes(body)
    file = json.dumps((root / "bare" / "jobs" / "dynamo.mjs").as_uri())
    code = f"import({file}).then(({{ handler }}) => handler())"
    node = find_node(os.environ, RUNTIME).path
    stamps.forget("run")
    began = harness.now()
    started = [subprocess.Popen([node, "-e", code], cwd=root) for _ in range(count)]  # noqa: ASYNC220
    try:
        last = max([await stamps.next("run") for _ in started])
        used = harness.pss([each.pid for each in started])
    finally:
        for each in started:
            each.kill()
        for each in started:
            each.wait()
    return (last - began) / 1e9, used


def _deployed(root: Path, handler: str) -> dict[str, bytes]:
    bundles = Bundles(os.environ, cache_dir())
    try:
        return dict(bundles.deployed(Asked(root, handler)).files)
    finally:
        bundles.close()


async def bundle(bench: Bench) -> list[Row]:
    """Bundles that `deploy` makes, beside esbuild's own command line with the same meaning."""
    return await asyncio.to_thread(_bundle, bench)


def _bundle(bench: Bench) -> list[Row]:
    root = bench.scratch.resolve() / "app"
    source = "const now = (): bigint => 0n;\nconst stamp = (..._: unknown[]): void => undefined;\n"
    files = {f"jobs/{name}.ts": source + text for name, text in KINDS.items()}
    harness.write(root, {"package.json": '{"private": true}\n', **files})
    install(root)
    found = find_esbuild(root, os.environ, cache_dir())
    rows: list[Row] = []
    for kind in KINDS:
        ours: list[float] = []
        floor: list[float] = []
        for _ in range(bench.times(20, 2)):
            began = time.perf_counter()
            made = _deployed(root, f"jobs/{kind}.handler")
            ours.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            options = ["--bundle", "--platform=node", "--format=esm", "--target=node24"]
            options += ["--keep-names", "--sourcemap", "--outfile=bare.mjs", "--log-level=error"]
            harness.run([str(found.binary), f"jobs/{kind}.ts", *options], cwd=root)
            floor.append((time.perf_counter() - began) * 1000)
        floor_is = "esbuild's command line"
        title = f"as it is deployed, {TITLES[kind]}"
        rows += [
            Row(
                measure=f"bundle, {title}",
                unit="ms",
                ours=figures(ours),
                floor=figures(floor),
                floor_is=floor_is,
            ),
            Row(
                measure=f"its size, {title}",
                unit="kB",
                ours=Figures(len(made[f"jobs/{kind}.mjs"]) / 1000),
                floor=Figures((root / "bare.mjs").stat().st_size / 1000),
                floor_is=floor_is,
            ),
        ]
    return rows
