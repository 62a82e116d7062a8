from __future__ import annotations

import asyncio
import json
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from devbridge.languages.node import debuggers
from devbridge.languages.node.debuggers import NodeDebugger
from devbridge.workers.debugging import Debuggee

PATH = "/2fb13d73-db79-435f-ae50-507a21ef82fd"
WAIT = 30.0


class Said:
    """What the daemon is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.pauses: list[str | None] = []
        self.news = asyncio.Event()
        self.worker = Debuggee("w", self)

    def worker_mutes(self, worker_id: str, beginnings: Sequence[str]) -> None:
        if beginnings:
            self._tell("mutes", worker_id, *beginnings)

    def worker_debugs(self, worker_id: str, url: str) -> None:
        self._tell("debugs", worker_id, url)

    def worker_halted(self, worker_id: str, halted: bool) -> None:
        self._tell("halted" if halted else "goes on", worker_id)

    def worker_paused(self, worker_id: str, where: str | None) -> None:
        self.pauses.append(where)
        self.news.set()

    def _tell(self, *what: object) -> None:
        self.told.append(what)
        self.news.set()

    async def until(self, *what: object) -> None:
        while what not in self.told:
            self.news.clear()
            await self.news.wait()


class Inspector:
    """A worker's: it answers each request, and tells what it is told to tell."""

    def __init__(self) -> None:
        self.sessions: list[ServerConnection] = []
        self.asked: list[str | bytes] = []
        self.heard = asyncio.Event()
        self.url = ""
        self.silent = False

    async def serve(self, connection: ServerConnection) -> None:
        self.sessions.append(connection)
        async for message in connection:
            self.asked.append(message)
            self.heard.set()
            if not self.silent:
                await connection.send(json.dumps({"id": json.loads(message)["id"], "result": {}}))

    async def tell(self, method: str, session: int = 0) -> None:
        text = json.dumps({"method": f"Debugger.{method}", "params": {}}, separators=(",", ":"))
        await self.sessions[session].send(text)


def port_of(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


@asynccontextmanager
async def inspecting() -> AsyncIterator[Inspector]:
    inspector = Inspector()
    async with serve(inspector.serve, "127.0.0.1", 0, compression=None) as server:
        inspector.url = f"ws://127.0.0.1:{port_of(server)}{PATH}"
        yield inspector


@asynccontextmanager
async def serving(said: Said, wait: float = WAIT) -> AsyncIterator[NodeDebugger]:
    served = NodeDebugger(wait)
    await served.start()
    try:
        yield served
    finally:
        await served.close()


async def debugger(served: NodeDebugger, **options: Any) -> ClientConnection:
    return await connect(f"ws://127.0.0.1:{served.port}{PATH}", proxy=None, **options)


async def ask(connection: ClientConnection, method: str, number: int = 1) -> Any:
    await connection.send(json.dumps({"id": number, "method": method}))
    return json.loads(await connection.recv())


def report(inspector: Inspector) -> dict[str, Any]:
    return {"url": inspector.url}


async def test_a_worker_waits_for_a_debugger_and_goes_on_when_it_is_ready() -> None:
    said = Said()
    async with inspecting() as inspector, serving(said) as served:
        waits = asyncio.create_task(served.reported(said.worker, report(inspector)))
        await said.until("debugs", "w", f"ws://127.0.0.1:{served.port}{PATH}")
        async with await debugger(served) as connection:
            assert await ask(connection, "Debugger.enable", 7) == {"id": 7, "result": {}}
            assert not waits.done()
            await ask(connection, "Runtime.runIfWaitingForDebugger", 8)
            await waits
        methods = [json.loads(each)["method"] for each in inspector.asked]
        assert methods == ["Debugger.enable", "Runtime.runIfWaitingForDebugger"]
    assert [what for what, *_ in said.told] == ["halted", "debugs", "goes on"]


async def test_a_worker_that_no_debugger_wants_goes_on_by_itself() -> None:
    said = Said()
    async with inspecting() as inspector, serving(said, wait=0.01) as served:
        await served.reported(said.worker, report(inspector))
        assert said.told[-1] == ("goes on", "w")
        async with await debugger(served) as late:
            assert await ask(late, "Debugger.enable")


async def test_a_debugger_that_never_gets_ready_does_not_hold_a_worker_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(debuggers, "CONFIGURES", 0.01)
    said = Said()
    async with inspecting() as inspector, serving(said) as served:
        waits = asyncio.create_task(served.reported(said.worker, report(inspector)))
        await said.until("debugs", "w", f"ws://127.0.0.1:{served.port}{PATH}")
        async with await debugger(served):
            await waits


async def test_a_run_is_halted_while_a_debugger_has_stopped_it() -> None:
    said = Said()
    async with inspecting() as inspector, serving(said, wait=0.01) as served:
        await served.reported(said.worker, report(inspector))
        said.told.clear()
        async with await debugger(served) as first, await debugger(served) as second:
            await ask(first, "Debugger.enable")
            await ask(second, "Debugger.enable")
            await inspector.tell("paused")
            await said.until("halted", "w")
            await inspector.tell("paused", session=1)
            await inspector.tell("resumed")
            assert json.loads(await second.recv())["method"] == "Debugger.paused"
            assert said.told == [("halted", "w")]
            await inspector.tell("resumed", session=1)
            await said.until("goes on", "w")
    assert said.told == [("halted", "w"), ("goes on", "w")]
    assert said.pauses[0] == ""


async def test_a_debugger_that_hangs_up_lets_the_run_go_on() -> None:
    said = Said()
    async with inspecting() as inspector, serving(said, wait=0.01) as served:
        await served.reported(said.worker, report(inspector))
        said.told.clear()
        connection = await debugger(served)
        await ask(connection, "Debugger.enable")
        await inspector.tell("paused")
        await said.until("halted", "w")
        connection.transport.abort()
        await said.until("goes on", "w")
        assert said.pauses == ["", None]
        await inspector.sessions[0].wait_closed()


async def test_a_worker_that_closes_its_inspector_is_rid_of_its_debugger() -> None:
    said = Said()
    async with inspecting() as inspector, serving(said, wait=0.01) as served:
        await served.reported(said.worker, report(inspector))
        async with await debugger(served) as connection:
            await ask(connection, "Debugger.enable")
            await inspector.sessions[0].close()
            with pytest.raises(ConnectionClosed):
                await connection.recv()


async def test_a_worker_that_is_gone_waits_for_nobody_and_cannot_be_debugged() -> None:
    said = Said()
    async with inspecting() as inspector, serving(said) as served:
        waits = asyncio.create_task(served.reported(said.worker, report(inspector)))
        await said.until("debugs", "w", f"ws://127.0.0.1:{served.port}{PATH}")
        async with await debugger(served) as connection:
            served.forget(said.worker)
            await waits
            with pytest.raises(ConnectionClosed):
                await connection.recv()
        with pytest.raises(InvalidStatus):
            await debugger(served)


async def test_messages_of_any_size_and_kind_go_through_unchanged() -> None:
    said, large = Said(), {"id": [1], "method": "x" * (4 << 20)}
    async with inspecting() as inspector, serving(said, wait=0.01) as served:
        inspector.silent = True
        await served.reported(said.worker, report(inspector))
        async with await debugger(served, max_size=None) as connection:
            await connection.send("Runtime.runIfWaitingForDebugger is no JSON")
            await inspector.heard.wait()
            await inspector.sessions[0].send(json.dumps(large))
            assert json.loads(await connection.recv()) == large
            await inspector.sessions[0].send(b"\x00\xff")
            assert await connection.recv() == b"\x00\xff"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:9229"},
        {"Origin": "null"},
        {"Origin": "https://devtools.example"},
        {"Host": "evil.example:9229"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "127.0.0.1:1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [PATH, "/json/list"])
async def test_a_page_in_the_browser_is_refused(path: str, headers: dict[str, str]) -> None:
    said = Said()
    async with inspecting() as inspector, serving(said, wait=0.01) as served:
        await served.reported(said.worker, report(inspector))
        status, _ = await asyncio.to_thread(get, served.port, path, headers)
        assert status == 403
        assert not inspector.sessions


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_debuggers_need_not_name_the_port(host: str) -> None:
    said = Said()
    async with inspecting() as inspector, serving(said, wait=0.01) as served:
        await served.reported(said.worker, report(inspector))
        assert (await asyncio.to_thread(get, served.port, "/json/list", {"Host": host}))[0] == 200


async def test_chromes_own_debugger_is_no_page() -> None:
    said = Said()
    async with inspecting() as inspector, serving(said, wait=0.01) as served:
        await served.reported(said.worker, report(inspector))
        async with await debugger(served, additional_headers={"Origin": "devtools://devtools"}):
            pass


async def test_who_can_be_debugged_is_told_to_the_developers_own_processes_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = Said()
    async with inspecting() as inspector, serving(said, wait=0.01) as served:
        await served.reported(said.worker, report(inspector))
        for path in ("/json", "/json/list"):
            status, body = await asyncio.to_thread(get, served.port, path)
            assert status == 200
            assert [each["webSocketDebuggerUrl"] for each in json.loads(body)] == [
                f"ws://127.0.0.1:{served.port}{PATH}"
            ]
        assert (await asyncio.to_thread(get, served.port, "/json/version"))[0] == 200
        assert (await asyncio.to_thread(get, served.port, "/"))[0] == 404
        monkeypatch.setattr(debuggers, "is_own", lambda *_: False)
        assert (await asyncio.to_thread(get, served.port, "/json/list"))[0] == 404


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


@pytest.mark.parametrize(
    "body",
    [
        {"url": 5},
        {"url": "ws://evil.example:1/2fb13d73"},
        {"url": "ws://127.0.0.1:1/../json"},
        {"mutes": "a"},
        {"mutes": [1]},
    ],
    ids=str,
)
async def test_what_is_no_report_is_refused(body: dict[str, Any]) -> None:
    said = Said()
    async with serving(said) as served:
        with pytest.raises(ValueError, match="needed"):
            await served.reported(said.worker, body)
    assert said.told == []


async def test_a_worker_says_what_its_inspector_prints() -> None:
    said = Said()
    async with serving(said) as served:
        await served.reported(said.worker, {"mutes": ["Debugger attached.", ""]})
    assert said.told == [("mutes", "w", "Debugger attached.")]


async def test_another_port_is_taken_where_debuggers_port_is_not_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(debuggers, "PORT", taken.getsockname()[1])
        async with serving(Said()) as served:
            assert served.port != taken.getsockname()[1]


async def test_an_inspector_that_is_gone_ends_the_debuggers_connection() -> None:
    said = Said()
    async with inspecting() as inspector:
        pass
    async with serving(said, wait=0.01) as served:
        await served.reported(said.worker, report(inspector))
        async with await debugger(served) as connection:
            with pytest.raises(ConnectionClosed):
                await connection.recv()
