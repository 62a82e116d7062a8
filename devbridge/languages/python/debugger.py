"""Debuggers of Python, between them and the processes of runs: `devbridge dev --debug`.

All runs of a session have one debugpy adapter (`devbridge/languages/python/debug_adapter.py`). A
worker connects to it when its run begins, and is then a subprocess of the session that a debugger
is attached to: editors attach to those by themselves. Debuggers connect here, at one port of
127.0.0.1, from which each connection is handed over to the adapter, with this in between:

Whoever may speak to a debugger may run code as the developer. What does not begin as the Debug
Adapter Protocol does is hung up on, so no web page gets through, nor does a process of another
user, where the system says whose it is.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from devbridge.errors import InterpreterError
from devbridge.folders import write_private
from devbridge.languages.base import Workplace
from devbridge.languages.python import dap
from devbridge.languages.python.adapter import Adapter
from devbridge.languages.python.dap_session import Session
from devbridge.languages.python.dap_waiting import PATIENCE, Waiting
from devbridge.workers.debugging import Debuggee
from devbridge.workers.peers import user_of

log = logging.getLogger(__name__)

GREETING: Final = 10.0
"""Seconds in which a debugger must have said something."""
ENDPOINTS: Final = ("VSCODE_DEBUGPY_ADAPTER_ENDPOINTS", "DEBUGPY_ADAPTER_ENDPOINTS")
"""VS Code's Python Debugger has them in each terminal's environment: the path of a file. It
attaches to what that file says as soon as there is one."""


class PythonDebugger:
    """Python's `devbridge.workers.debugging.Debugger`."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._server: asyncio.Server | None = None
        self._adapter: Adapter | None = None
        self._debuggees: dict[int, Debuggee] = {}
        """By the ids of their processes, and of their children."""
        self._connections: set[asyncio.Task[None]] = set()
        self._endpoints: Path | None = None
        self._starting = asyncio.Lock()
        self.waiting = Waiting(self.release)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; chosen by `start`."""
        assert self._server is not None  # noqa: S101 - narrows the type
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin, at the port of the last session if that is free, else at any.

        Raises:
            InterpreterError: there is no debugpy, or it does not start.
            OSError: no socket could be opened.
        """
        await self._ready()
        for port in (_last(self._place.debug_port), 0):
            try:
                self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
                break
            except OSError:
                if not port:
                    raise
        if self._place.debug_port is not None:
            write_private(self._place.debug_port, f"{self.port}\n")
        by_itself = self._tell_editor()
        more = ": VS Code attaches by itself" if by_itself else ""
        self._place.say(f"Debugger 127.0.0.1:{self.port}{more}")

    async def close(self) -> None:
        """Hang up on everybody, and end the adapter. Idempotent."""
        if self._endpoints is not None:
            self._endpoints.unlink(missing_ok=True)
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._adapter is not None:
            await self._adapter.close()

    async def reported(self, debuggee: Debuggee, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """A worker says its process id, and is told where to connect to; then that it has, and its
        time passes again.

        Raises:
            ValueError: it is no such report.
        """
        pid, problem = report.get("pid"), report.get("problem", "")
        if isinstance(pid, int):
            debuggee.halt(self, True)
            try:
                adapter = await self._ready()
            except (InterpreterError, OSError) as error:
                debuggee.halt(self, False)
                self._place.say(f"{debuggee.worker_id} cannot be debugged: {error}")
                return {}
            self._debuggees[pid] = debuggee
            self.waiting.expect(pid, None)
            return adapter.place
        if not isinstance(report.get("connected"), bool) or not isinstance(problem, str):
            raise ValueError("pid or connected is needed")
        self._wait_no_more(debuggee)
        debuggee.halt(self, False)
        if problem:
            self._place.say(f"{debuggee.worker_id} cannot be debugged: {problem}")
        return {}

    def forget(self, debuggee: Debuggee) -> None:
        """The worker is gone. Idempotent."""
        self._wait_no_more(debuggee)
        for pid in [pid for pid, found in self._debuggees.items() if found is debuggee]:
            del self._debuggees[pid]

    def configuration(self) -> Mapping[str, Any]:
        """How VS Code attaches to the session, and so to each of its runs."""
        return {
            "name": "devbridge: Python",
            "type": "debugpy",
            "request": "attach",
            "connect": {"host": "127.0.0.1", "port": self.port},
        }

    # --- whose processes they are: `devbridge.languages.python.dap_session.Known` -----------------

    def debuggee(self, pid: object) -> Debuggee | None:
        """The worker that a process is, or is a child of."""
        return self._debuggees.get(pid) if isinstance(pid, int) else None

    def adopt(self, pid: int, parent: Debuggee) -> None:
        """A process is a child of a worker."""
        self._debuggees[pid] = parent

    # --- the adapter --------------------------------------------------------------------------

    async def _ready(self) -> Adapter:
        async with self._starting:
            if self._adapter is None or self._adapter.ended:
                adapter = Adapter(self._place.python)
                try:
                    await adapter.start()
                except BaseException:
                    await adapter.close()
                    raise
                self._adapter = adapter
                adapter.on_end(self._lost)
            return self._adapter

    def _lost(self) -> None:
        """The adapter has ended: whoever connects to it just now has no time for that any more."""
        for debuggee in list(self._debuggees.values()):
            debuggee.halt(self, False)

    def _wait_no_more(self, debuggee: Debuggee) -> None:
        for pid in [pid for pid, found in self._debuggees.items() if found is debuggee]:
            self.waiting.go(pid)

    def release(self, pid: int, late: bool) -> None:
        """Have a process go on that waits for a debugger.

        Args:
            late: nobody came in time, which is said.
        """
        found = self._debuggees.get(pid)
        if late and found is not None:
            told = f"no debugger has attached to it in {PATIENCE:.0f} seconds"
            self._place.say(f"{found.worker_id} goes on: {told}")
        if self._adapter is not None and not self._adapter.ended:
            task = asyncio.create_task(_released(self._adapter, pid), name="debugger release")
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    def _tell_editor(self) -> bool:
        """Whether there is one that attaches by itself."""
        given = next(filter(None, map(os.environ.get, ENDPOINTS)), None)
        if given is None:
            return False
        told = json.dumps({"client": {"host": "127.0.0.1", "port": self.port}})
        try:
            Path(given).unlink(missing_ok=True)  # it waits for a file that is new
            Path(given).write_text(f"{told}\n", encoding="ascii")
        except OSError as error:
            self._place.say(f"{given} cannot be written, so VS Code does not attach: {error}")
            return False
        self._endpoints = Path(given)
        return True

    # --- debuggers ----------------------------------------------------------------------------

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - narrows the type
        self._connections.add(task)
        try:
            peer, here = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
            if user_of(peer, here) in (None, os.getuid()):
                await self._serve(reader, writer)
        except dap.NotDap as error:
            log.warning("hung up on what is no debugger: %s", error)
        except (OSError, InterpreterError) as error:
            log.info("a debugger has gone: %s", error)
        except asyncio.CancelledError:
            pass  # by `close`: asyncio would log it as an error
        finally:
            writer.transport.abort()
            self._connections.discard(task)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Be between a debugger and the adapter until one of them hangs up."""
        async with asyncio.timeout(GREETING):
            first = await dap.read(reader)
        if first is None:
            return
        heard, asks = await (await self._ready()).connect()
        root = self._place.root
        session = Session(self, self.port, root, lambda own: asks.write(dap.encode(own)))

        async def asked() -> None:
            message: dap.Message | None = first
            while message is not None:
                onward, answer = session.asked(message)
                await _send(asks, onward)
                await _send(writer, answer)
                message = await dap.read(reader)

        async def told() -> None:
            while (message := await dap.read(heard)) is not None:
                await _send(writer, session.told(message))

        both = [asyncio.create_task(each(), name="debugger") for each in (asked, told)]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in both:
                each.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            asks.transport.abort()
            session.close()


async def _released(adapter: Adapter, pid: int) -> None:
    try:
        await adapter.release(pid)
    except (OSError, TimeoutError, dap.NotDap) as error:
        log.warning("the process %d may wait for a debugger: %s", pid, error)


async def _send(writer: StreamWriter, message: dap.Message | None) -> None:
    if message is not None:
        writer.write(dap.encode(message))
        await writer.drain()


def _last(noted: Path | None) -> int:
    """The port of the last session; 0 if there was none."""
    try:
        port = int(noted.read_text("ascii")) if noted is not None else 0
    except (OSError, ValueError):
        return 0
    return port if 0 < port < 1 << 16 else 0
