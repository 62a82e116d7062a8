"""Debuggers of Node, between them and the processes of runs: `devbridge dev --debug`.

A worker opens an inspector that speaks the Chrome DevTools Protocol over a WebSocket, as V8 does,
says so over the Runtime API, and waits. Debuggers do not connect to it, but here, at one port for
all runs, from which each message goes on unchanged. So it is seen when a debugger has set its
breakpoints, and when it has stopped a run, whose time does not pass then.

Whoever may speak to an inspector may run code as the developer. On this machine that takes a path
that nobody can guess; which paths there are is told to the developer's own processes only. A page
in the browser is refused by its Host and its Origin.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from devbridge.workers.debugging import Debuggee
from devbridge.workers.peers import is_own

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

log = logging.getLogger(__name__)

PORT: Final = 9229
"""Where debuggers look by themselves; another one where it is taken."""
CONFIGURES: Final = 10.0
"""Seconds that a debugger which has connected gets to say that it is ready."""
_DEVTOOLS: Final = "devtools://devtools"
"""The Origin of Chrome's own debugger, which no page can have."""
_HERE: Final = ("127.0.0.1", "localhost")
"""How this machine is called. A page whose own name has come to mean it sends that name."""
_READY: Final = "Runtime.runIfWaitingForDebugger"
_STOPPED: Final = re.compile(r'\{"method":"Debugger\.(paused|resumed)"')
"""How V8 begins to tell that."""
_LISTS: Final = ("/json", "/json/list", "/json/version")
"""Where debuggers ask whom they can debug."""
_WHERE: Final = re.compile(r"ws://127\.0\.0\.1:\d{1,5}/[\w-]{8,64}")
_SILENT: Final = logging.Logger("devbridge.debuggers", logging.CRITICAL)
"""`websockets` logs requests, and with them the path."""


@dataclass(eq=False)
class _Target:
    """A worker that can be debugged."""

    debuggee: Debuggee
    inspector: str
    """The URL of its own."""
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """A debugger has said that it may run."""
    debuggers: set[ServerConnection] = field(default_factory=set)


class NodeDebugger:
    """Node's `devbridge.workers.debugging.Debugger`.

    Args:
        wait: seconds that a run waits for one before it begins.
    """

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._targets: dict[str, _Target] = {}
        """By their paths."""
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; chosen by `start`."""
        assert self._server is not None  # noqa: S101 - narrows the type
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def start(self) -> None:
        """Listen at `PORT`, or at a free port.

        Raises:
            OSError: no socket could be opened.
        """
        for port in (PORT, 0):
            try:
                self._server = await self._listen(port)
            except OSError:
                if not port:
                    raise
            else:
                return

    async def close(self) -> None:
        """Hang up on everybody and listen no more. Idempotent."""
        for target in list(self._targets.values()):
            self.forget(target.debuggee)
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    async def reported(self, debuggee: Debuggee, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """A worker tells of its inspector: with ``mutes``, the beginnings of lines that it will
        print; with ``url``, where it is. Then this returns when a debugger is attached to the
        worker, or when none has come in time.

        Raises:
            ValueError: it is no such report.
        """
        mutes, inspector = report.get("mutes", []), report.get("url")
        if not isinstance(mutes, list) or not all(isinstance(each, str) for each in mutes):
            raise ValueError("mutes: a list of texts is needed")
        debuggee.listener.worker_mutes(debuggee.worker_id, [each for each in mutes if each])
        if isinstance(inspector, str) and _WHERE.fullmatch(inspector):
            await self._attached(debuggee, inspector)
        elif inspector is not None:
            raise ValueError("url: that of an inspector on 127.0.0.1 is needed")
        return {}

    async def _attached(self, debuggee: Debuggee, inspector: str) -> None:
        target = _Target(debuggee, inspector)
        path = urlsplit(inspector).path
        self._targets[path] = target
        with debuggee.halting(target):
            debuggee.listener.worker_debugs(debuggee.worker_id, self._url(path))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(target.connected.wait(), self._wait)
                await asyncio.wait_for(target.ready.wait(), CONFIGURES)

    def forget(self, debuggee: Debuggee) -> None:
        """The worker is gone, or needs no debugger any more. Idempotent."""
        for path, target in list(self._targets.items()):
            if target.debuggee is debuggee:
                del self._targets[path]
                target.connected.set()
                target.ready.set()
                for debugger in target.debuggers:
                    debugger.transport.abort()

    def configuration(self) -> Mapping[str, Any]:
        """How VS Code attaches to each run as it begins."""
        return {
            "name": "devbridge: Node.js",
            "type": "node",
            "request": "attach",
            "port": self.port,
            "restart": True,
            "continueOnAttach": True,
            "sourceMaps": True,
            "resolveSourceMapLocations": ["${workspaceFolder}/**"],
            "outFiles": [f"${{workspaceFolder}}/.devbridge/**/*.{end}" for end in ("mjs", "cjs")],
        }

    async def _listen(self, port: int) -> Server:
        return await serve(
            self._serve,
            "127.0.0.1",
            port,
            process_request=self._gate,
            compression=None,
            max_size=None,
            ping_interval=None,
            server_header=None,
            close_timeout=1,
            logger=_SILENT,
        )

    def _gate(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to what asks for no worker's inspector, or may not."""
        # VS Code leaves the port out.
        hosts = [[f"{name}{port}"] for name in _HERE for port in ("", f":{self.port}")]
        origins = request.headers.get_all("Origin")
        if request.headers.get_all("Host") not in hosts or {*origins} - {_DEVTOOLS}:
            return connection.respond(HTTPStatus.FORBIDDEN, "not for browsers\n")
        if request.path in self._targets:
            return None
        asked = request.path.rstrip("/")
        if asked not in _LISTS or not is_own(connection.remote_address, connection.local_address):
            return connection.respond(HTTPStatus.NOT_FOUND, "no such run\n")
        found: object = {"Browser": "devbridge", "Protocol-Version": "1.1"}
        if asked != "/json/version":
            found = [self._told(path, target) for path, target in self._targets.items()][::-1]
        answer = connection.respond(HTTPStatus.OK, json.dumps(found))
        answer.headers.pop("Content-Type")
        answer.headers["Content-Type"] = "application/json; charset=UTF-8"
        return answer

    def _told(self, path: str, target: _Target) -> dict[str, str]:
        """A worker as debuggers find it: what the inspectors of V8 say of themselves."""
        return {
            "description": "a run of devbridge dev",
            "id": path.removeprefix("/"),
            "title": target.debuggee.worker_id,
            "type": "node",
            "url": "file://",
            "webSocketDebuggerUrl": self._url(path),
        }

    def _url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    async def _serve(self, debugger: ServerConnection) -> None:
        """Be between a debugger and its worker until one of them hangs up."""
        path = debugger.request.path if debugger.request else ""
        if (target := self._targets.get(path)) is None:
            return
        target.debuggers.add(debugger)
        target.connected.set()
        ready: set[str] = set()
        try:
            async with connect(
                target.inspector,
                compression=None,
                max_size=None,
                ping_interval=None,
                close_timeout=1,
                proxy=None,
                logger=_SILENT,
            ) as inspector:
                both = (
                    asyncio.create_task(_asks(debugger, inspector, ready), name="debugger-asks"),
                    asyncio.create_task(
                        self._tells(inspector, debugger, target, ready), name="debugger-hears"
                    ),
                )
                try:
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for each in both:
                        each.cancel()
                    await asyncio.gather(*both, return_exceptions=True)
        except (OSError, InvalidHandshake, TimeoutError) as error:
            log.info("the inspector of %s is gone: %s", target.debuggee.worker_id, error)
        finally:
            target.debuggers.discard(debugger)
            self._halt(target, debugger, False)

    async def _tells(
        self,
        inspector: ClientConnection,
        debugger: ServerConnection,
        target: _Target,
        ready: set[str],
    ) -> None:
        """What the worker tells a debugger."""
        async for message in _messages(inspector):
            if isinstance(message, str):
                if found := _STOPPED.match(message):
                    self._halt(target, debugger, found[1] == "paused")
                elif ready and _id(message) in ready:
                    ready.clear()
                    target.ready.set()
            await debugger.send(message)

    def _halt(self, target: _Target, debugger: ServerConnection, halted: bool) -> None:
        """A debugger has stopped the worker, or lets it go on, also by hanging up."""
        debuggee = target.debuggee
        if halted == (debugger in debuggee.reasons):
            return
        debuggee.halt(debugger, halted)
        if halted:  # where: a place in the bundle
            debuggee.paused("", step=True)
        else:
            debuggee.resumed(step=debugger in target.debuggers)


async def _asks(debugger: ServerConnection, inspector: ClientConnection, ready: set[str]) -> None:
    """What a debugger asks the worker for."""
    async for message in _messages(debugger):
        if isinstance(message, str) and _READY in message:
            ready.add(_id(message))
        await inspector.send(message)


async def _messages(source: ServerConnection | ClientConnection) -> AsyncIterator[str | bytes]:
    with contextlib.suppress(ConnectionClosed):
        async for message in source:
            yield message


def _id(message: str) -> str:
    """The number of a request, or of the request that is answered."""
    with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
        return repr(json.loads(message).get("id"))
    return ""
