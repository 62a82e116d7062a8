"""One zygote and its workers: a process that forks, spoken with over a socket.

See `runner.zygote` for what it does, and for the protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from devbridge.runs.model import Exit
from devbridge.workers.base import WorkerSpec, exit_of, interpreter_error
from devbridge.workers.rlimits import runner_command
from runner.process import signal_group

CLOSE_DEADLINE: Final = 5.0
"""Seconds in which a zygote must have ended its workers and itself."""


class ZygoteEnded(Exception):
    """The zygote has ended, or could not fork."""


class Zygote:
    """One zygote process and the conversation with it; see `runner.zygote` for the protocol."""

    def __init__(
        self, python: Path, environment: Mapping[str, str], loaded: int, root: Path
    ) -> None:
        """Start it, from the thread whose end shall be its end.

        Raises:
            InterpreterError: the interpreter cannot be started.
        """
        self.loaded = loaded
        """How many of the launcher's names this zygote was started for."""
        self.site = False
        self.failed: Mapping[str, str] = {}
        """What it could not import, and why."""
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        # A pipe, not a file: Python's streams find out what they write to when they are made, and
        # the workers' own output is a pipe.
        self._errors, errors = os.pipe()
        self._written = b""
        self._control, theirs = socket.socketpair()
        with theirs, os.fdopen(errors, "wb", buffering=0):
            number = str(theirs.fileno())
            command = runner_command(python)
            try:
                self._process = subprocess.Popen(
                    [*command, "zygote", number],
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    cwd=root,  # for a relative PYTHONPATH
                    env=dict(environment),
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            except OSError as error:
                self._control.close()
                os.close(self._errors)
                self.ended.set_result(None)
                raise interpreter_error(python, error) from None
        self._python = python
        self._ready: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._forks: dict[int, asyncio.Future[ForkedProcess]] = {}
        self._count = 0
        self._workers: dict[int, ForkedProcess] = {}
        self._received = b""
        self._outgoing: list[tuple[bytes, int | None]] = []
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._read)
        os.set_blocking(self._errors, False)
        self._loop.add_reader(self._errors, self._read_errors)

    @property
    def pid(self) -> int:
        """The zygote's process id."""
        return self._process.pid

    async def preload(self, names: Iterable[str], debugger: Path | None = None) -> str | None:
        """Have it import `names`; None, or the one because of which it cannot be forked.

        Args:
            debugger: the folder of debugpy, if workers are to be open to debuggers.

        Raises:
            InterpreterError: it ended instead; the message has what it wrote.
        """
        request: dict[str, Any] = {"preload": list(names)}
        if debugger is not None:
            request["debugger"] = os.fspath(debugger)
        self._send(request)
        answer = await self._ready
        self.failed = answer.get("ready", {}).get("failed", {})
        self.site = answer.get("ready", {}).get("site", False)
        return answer.get("unsafe")

    async def fork(self, spec: WorkerSpec, output_fd: int) -> ForkedProcess:
        """A worker whose standard output and error are `output_fd`, which stays open here.

        Raises:
            ZygoteEnded: there is no process to be had from it.
        """
        if self.ended.done():
            raise ZygoteEnded("it has ended")
        output = os.dup(output_fd)
        self._count += 1
        answer: asyncio.Future[ForkedProcess] = self._loop.create_future()
        self._forks[self._count] = answer
        message = {
            "fork": self._count,
            "root": os.fspath(spec.root),
            "environment": dict(spec.environment),
        }
        self._send(message, output)
        return await answer

    def signal(self, pid: int, number: int) -> None:
        """Have it signal the process group of one of its workers."""
        self._send({"signal": pid, "number": number})

    def retire(self) -> None:
        """Let it end with its last worker."""
        self._send({"retire": True})

    async def close(self) -> None:
        """End it, and all its workers with it."""
        if not self.ended.done():
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)
            try:
                await asyncio.wait_for(asyncio.shield(self.ended), CLOSE_DEADLINE)
            except TimeoutError:
                self._process.kill()
                await self.ended

    # --- the socket -------------------------------------------------------------------------

    def _send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        self._outgoing.append((json.dumps(message).encode() + b"\n", descriptor))
        if len(self._outgoing) == 1:
            self._write()

    def _write(self) -> None:
        try:
            while self._outgoing:
                data, descriptor = self._outgoing[0]
                if descriptor is None:
                    sent = self._control.send(data)
                else:
                    sent = socket.send_fds(self._control, [data], [descriptor])
                    os.close(descriptor)
                self._outgoing[0] = (data[sent:], None)
                if sent == len(data):
                    self._outgoing.pop(0)
            self._loop.remove_writer(self._control)
        except BlockingIOError:
            self._loop.add_writer(self._control, self._write)
        except OSError:  # it has ended; reading says so
            self._drop_outgoing()

    def _drop_outgoing(self) -> None:
        for _, descriptor in self._outgoing:
            if descriptor is not None:
                os.close(descriptor)
        self._outgoing.clear()
        if self._control.fileno() >= 0:
            self._loop.remove_writer(self._control)

    def _read(self) -> None:
        try:
            data = self._control.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "forked" in message:
            answer = self._forks.pop(message["forked"])
            if "error" in message:
                if not answer.done():
                    answer.set_exception(ZygoteEnded(f"it cannot fork: {message['error']}"))
                return
            pid = message["pid"]
            worker = self._workers[pid] = ForkedProcess(self, pid)
            if answer.done():  # whoever asked for it has gone
                self.signal(pid, signal.SIGKILL)
            else:
                answer.set_result(worker)  # it may have ended when this is heard of
        elif "exited" in message:
            self._workers.pop(message["exited"]).end(exit_of(message["status"]))
        elif not self._ready.done():
            self._ready.set_result(message)

    def _read_errors(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._errors, 1 << 16)
            if not data:
                self._loop.remove_reader(self._errors)
            self._written = (self._written + data)[-(1 << 14) :]

    def _end(self) -> None:
        self._drop_outgoing()
        self._loop.remove_reader(self._control)
        self._control.close()
        # It closes the socket only by ending, so this does not wait.
        self._process.wait()
        self._read_errors()
        self._loop.remove_reader(self._errors)
        os.close(self._errors)
        written = self._written.decode("utf-8", "replace").strip()
        if not self._ready.done():
            why = written.splitlines()[-1] if written else f"exit code {self._process.returncode}"
            self._ready.set_exception(interpreter_error(self._python, why))
            self._ready.exception()  # nobody may have waited for it
        for answer in self._forks.values():
            if not answer.done():
                answer.set_exception(ZygoteEnded("it has ended"))
        # The kernel kills workers whose zygote ends, but not what they have started. A group keeps
        # its number while anybody is left in it.
        for pid, worker in self._workers.items():
            signal_group(pid, signal.SIGKILL)
            worker.end(Exit(signal=signal.SIGKILL))
        self._workers.clear()
        self.ended.set_result(None)


class ForkedProcess:
    """A worker that is a child of the zygote; only the zygote can signal it safely."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self._zygote = zygote
        self._pid = pid
        self._ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""
        return self._pid

    async def wait(self) -> Exit:
        """Return when it has ended and the zygote has reaped it."""
        return await asyncio.shield(self._ended)

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the process and what it has started. Ignored once the zygote has ended."""
        if not self._zygote.ended.done():
            self._zygote.signal(self._pid, number)

    def end(self, exit_: Exit) -> None:
        """The zygote tells how it has ended."""
        if not self._ended.done():
            self._ended.set_result(exit_)
