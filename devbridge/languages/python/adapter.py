"""The process of debugpy's adapter: see `devbridge/languages/python/debug_adapter.py`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import socket
import subprocess
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from devbridge.errors import InterpreterError
from devbridge.languages.python import dap
from devbridge.languages.python.found_debugpy import debugpy_folder
from devbridge.workers.base import FreshProcess

START_DEADLINE: Final = 60.0
"""Seconds in which it must be there."""
CLOSE_DEADLINE: Final = 5.0
"""Seconds in which it must end."""
RELEASE_DEADLINE: Final = 30.0
"""Seconds in which a process must be let go."""
_AGAIN: Final = 0.2
"""Seconds after which that is tried again: the debugger that has left it may still have it."""
_SCRIPT: Final = Path(__file__).with_name("debug_adapter.py")


class Adapter:
    """The process of debugpy's adapter, from `start` to `close`.

    Args:
        python: the app's interpreter.
    """

    def __init__(self, python: Path) -> None:
        self._python = python
        self._token = secrets.token_urlsafe(32)
        self._process: FreshProcess | None = None
        self.place: Mapping[str, Any] = {}
        """What workers are told."""
        self._control, self._theirs = socket.socketpair()

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return self._process is None or self._process.ended.done()

    async def start(self) -> None:
        """Start it, and return when workers can connect.

        Raises:
            InterpreterError: there is no debugpy, or it does not start.
        """
        folder = await asyncio.to_thread(debugpy_folder, self._python)
        number = self._theirs.fileno()
        with self._theirs:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns once the program runs, in 1 ms
                [self._python, "-P", _SCRIPT, folder, str(number)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(number,),
                start_new_session=True,
            )
        self._process = FreshProcess(process)
        self._control.setblocking(False)
        told = b""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(START_DEADLINE):
                told = await self._greet()
        if not told.endswith(b"\n"):
            raise InterpreterError(
                "debugpy's adapter does not start",
                where=str(folder),
                remedy=f"{self._python} -m pip install --upgrade debugpy",
            )
        found = json.loads(told)
        self.place = {"port": found["port"], "token": self._token, "parent": found["anchor"]}

    async def _greet(self) -> bytes:
        """What it says of itself: a line, if it is complete."""
        loop, told = asyncio.get_running_loop(), b""
        secret = json.dumps({"token": self._token}).encode()
        await loop.sock_sendall(self._control, secret + b"\n")
        while not told.endswith(b"\n") and (data := await loop.sock_recv(self._control, 4096)):
            told += data
        return told

    def on_end(self, call: Callable[[], None]) -> None:
        """Have this called once it has ended."""
        assert self._process is not None  # noqa: S101 - narrows the type
        self._process.ended.add_done_callback(lambda _: call())

    async def connect(self) -> tuple[StreamReader, StreamWriter]:
        """A new connection to it.

        Raises:
            OSError: it has ended.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"c"], [theirs.fileno()])
        return await asyncio.open_connection(sock=ours)

    async def release(self, pid: int) -> None:
        """Have a process go on that waits for a debugger: be one, which leaves at once.

        Raises:
            OSError: the adapter has ended.
            TimeoutError: another debugger has the process, and does not let it go on.
        """
        async with asyncio.timeout(RELEASE_DEADLINE):
            while not await self._pass_by(pid):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(_AGAIN)

    async def _pass_by(self, pid: int) -> bool:
        """Whether it could attach to the process, or there is no such process any more."""
        heard, asks = await self.connect()
        commands: Mapping[str, dap.Message] = {
            "initialize": {"adapterID": "debugpy"},
            "attach": {"subProcessId": pid},
            "configurationDone": {},
            "disconnect": {},
        }
        try:
            for number, (command, arguments) in enumerate(commands.items(), 1):
                request = {"seq": number, "type": "request", "command": command}
                asks.write(dap.encode({**request, "arguments": arguments}))
            done = False
            while (message := await dap.read(heard)) is not None:
                if message.get("type") == "response":
                    done = done or (message.get("command") == "attach" and message["success"])
                    if message.get("command") == "disconnect":
                        break
            return done
        finally:
            asks.transport.abort()

    async def close(self) -> None:
        """End it, and its anchor with it. Idempotent."""
        self._control.close()
        self._theirs.close()
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), CLOSE_DEADLINE)
            except TimeoutError:
                self._process.signal_group(signal.SIGKILL)
                await self._process.wait()
