"""Real Node workers that are open to debuggers, fresh and out of blanks."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect

from devbridge.languages.node.debuggers import NodeDebugger
from devbridge.languages.node.launcher import NodeLauncher
from devbridge.runs.model import Exit
from tests.integration.runner.nodes import Copier
from tests.integration.workers import Bench, Worker, bench
from tests.node import NODE

WAIT = 0.2
HANDLER = """
    import inspector from "node:inspector"
    export const handler = (payload, context) => {
        console.log("handling")
        return [inspector.url(), context.getRemainingTimeInMillis(), process.env.DEVBRIDGE_DEBUGGER]
    }
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="linux only")


class Nodes:
    """Launches Node workers that wait for a debugger."""

    def __init__(self, one: Bench, launcher: NodeLauncher) -> None:
        self.bench = one
        self.launcher = launcher

    async def launch(self, code: str = HANDLER) -> Worker:
        self.bench.write("jobs/resize.mjs", code)
        worker = await self.bench.launch(None, "jobs/resize.handler")
        await self.launcher.settled()
        if self.launcher.blanks:
            worker = await self.bench.launch(None, "jobs/resize.handler")
        return worker

    async def url(self, worker: Worker) -> str:
        found: str = await self.bench.said.wait("debugs", worker.id)
        return found

    def own_lines(self, worker: Worker, output: str) -> list[str]:
        """What the worker has printed, without what it has said that its inspector prints."""
        beginnings = tuple(self.bench.said.of("mutes", worker.id)[0])
        return [line for line in output.splitlines() if not line.startswith(beginnings)]


@pytest.fixture(params=["fresh", pytest.param("blank", marks=linux)])
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Nodes]:
    blanks = request.param == "blank"
    bundler = Copier(tmp_path / "bundles")
    launcher = NodeLauncher(bundler, lambda _: Path(NODE), blanks=blanks)
    root = tmp_path / "app"
    root.mkdir()
    made = bench(root, lambda: launcher, debugger=NodeDebugger(WAIT))
    async with made as one:
        one.debug = tmp_path / "halted"
        yield Nodes(one, launcher)


async def ask(debugger: ClientConnection, method: str) -> Mapping[str, object]:
    await debugger.send(json.dumps({"id": 1, "method": method}))
    while "id" not in (message := json.loads(await debugger.recv())):
        pass
    found: Mapping[str, object] = message
    return found


async def test_a_run_that_no_debugger_comes_for_begins_by_itself(nodes: Nodes) -> None:
    worker = await nodes.launch()
    await worker.run()
    url, _, variable = json.loads(await worker.result())
    assert urlsplit(url).path == urlsplit(await nodes.url(worker)).path
    assert variable is None
    assert await worker.exit() == Exit(code=0)
    assert nodes.own_lines(worker, await worker.output()) == ["handling"]


async def test_a_debugger_that_stays_does_not_keep_the_process(nodes: Nodes) -> None:
    worker = await nodes.launch()
    await worker.run()
    async with connect(await nodes.url(worker), proxy=None) as debugger:
        for method in ("Runtime.enable", "Debugger.enable", "Runtime.runIfWaitingForDebugger"):
            assert (await ask(debugger, method))["result"] is not None
        await worker.result()
        assert await worker.exit() == Exit(code=0)
    assert nodes.own_lines(worker, await worker.output()) == ["handling"]


async def test_an_exit_and_an_error_are_told_though_a_debugger_is_there(nodes: Nodes) -> None:
    for code, told in (("process.exit(3)", "process.exit(3)"), ("throw Error('no')", "no")):
        worker = await nodes.launch(f"export const handler = () => {{ {code} }}")
        await worker.run()
        async with connect(await nodes.url(worker), proxy=None) as debugger:
            await ask(debugger, "Runtime.runIfWaitingForDebugger")
            assert (await worker.failure()).message == told
            await worker.exit()


async def test_who_has_not_the_path_is_not_told_it_by_the_inspector(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        import http from "node:http"
        import inspector from "node:inspector"
        export const handler = () => new Promise((ok) => {
            const list = inspector.url().replace("ws:", "http:").replace(/[\\w-]+$/, "json/list")
            http.get(list, (answer) => { answer.resume(); ok(answer.statusCode) })
        })
    """)
    await worker.run()
    assert json.loads(await worker.result()) == 404


async def test_the_time_for_which_it_was_halted_is_left(nodes: Nodes) -> None:
    assert nodes.bench.debug is not None
    nodes.bench.debug.write_text("600000 0")
    worker = await nodes.launch()
    await worker.run()
    _, left, _ = json.loads(await worker.result())
    assert 600_000 < left <= 660_000
