"""Workers forked from a zygote: an interpreter that has the AWS SDK imported already.

Linux only. One zygote serves; when more is to be preloaded, or what was has changed on the disk, a
new one takes over and the old one ends with its last worker. Whatever a fork cannot do (another
interpreter, an environment that only a fresh interpreter reads, a job whose imports change what was
preloaded, a zygote that does not start), a fresh process does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from devbridge.daemon.limits import runner_command
from devbridge.daemon.model import Modules
from devbridge.daemon.preload import SDK
from devbridge.daemon.workers import (
    FreshLauncher,
    Process,
    WorkerSpec,
    exit_of,
    interpreter_error,
)
from devbridge.errors import InterpreterError
from devbridge.folders import private_file
from devbridge.runs.model import Exit
from runner.warm import PREFIX as DATA

log = logging.getLogger(__name__)

MAX_UNSAFE: Final = 8
"""After so many modules that start threads nothing is preloaded any more."""
CLOSE_DEADLINE: Final = 5.0
"""Seconds in which a zygote must have ended its workers and itself."""

_AT_START: Final = (
    *("PYTHON", "HOME", "LD_", "DYLD_", "MALLOC_", "GLIBC_", "LANG", "LC_"),
    *("OPENSSL_", "SSL_"),
)
"""Variables that an interpreter, or a library that it is linked with, reads when it starts."""
_OURS: Final = ("AWS_", "DEVBRIDGE_", "LAMBDA_", "_")
"""Variables of the SDK and the runner, which the zygote has not."""


class ZygoteLauncher:
    """A Launcher whose workers are forks. Use it from one event loop, in a thread that stays."""

    def __init__(
        self,
        python: Path,
        environment: Mapping[str, str],
        *,
        root: Path = Path("/"),
        say: Callable[[str], None] = log.info,
        details: Callable[[str], None] = log.info,
        record: Path | None = None,
    ) -> None:
        """
        Args:
            environment: what the zygote itself gets: what all jobs have, without credentials.
            root: the app's folder.
            say: takes a line for the developer.
            details: takes a line for a developer who wants to know more.
            record: where to keep, as JSON, which jobs get fresh interpreters, and why.
        """
        self._python = python
        self._environment = dict(environment)
        self._root = root
        self._say = say
        self._details = details
        self._record = record
        self._fresh = FreshLauncher()
        self._current: Zygote | None = None
        self._zygotes: set[Zygote] = set()
        self._names: list[str] = []
        self._unsafe: list[str] = []
        self._told: set[str] = set()
        self._distrusted: dict[str, str] = {}
        self._imports: dict[str, frozenset[str]] = {}
        self._renewing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._keep_record()

    @property
    def unsafe(self) -> tuple[str, ...]:
        """Modules that are not preloaded because importing them leaves threads running."""
        return tuple(self._unsafe)

    @property
    def distrusted(self) -> Mapping[str, str]:
        """The jobs that get fresh interpreters, and why."""
        return dict(self._distrusted)

    @property
    def pid(self) -> int | None:
        """The pid of the zygote that serves now."""
        return self._current.pid if self._current is not None else None

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Process:
        if (
            spec.python != self._python
            or spec.job in self._distrusted
            or self._differs_at_start(spec.environment)
        ):
            return await self._fresh.launch(spec, output_fd)
        try:
            if self._current is None or self._current.ended.done():
                await self._renew(lambda: self._current is None or self._current.ended.done())
            assert self._current is not None  # noqa: S101 - `_renew` raises otherwise
            if not (self._current.site and self._differs_at_start(spec.environment, site=True)):
                return await self._current.fork(spec, output_fd)
        except (ZygoteEnded, InterpreterError) as error:
            log.warning("starting worker %s without a zygote: %s", spec.worker_id, error)
        return await self._fresh.launch(spec, output_fd)

    async def preload(self, names: Iterable[str]) -> None:
        """Import `names` and what was asked for before in a zygote; returns when it serves.

        Names that cannot be imported, or leave a thread running, are left out, which is said once.
        Running workers are not touched.
        """
        new = [name for name in dict.fromkeys(names) if name not in self._names]
        self._names += new
        if not new and self._current is not None:
            return
        wanted = len(self._names)
        try:
            await self._renew(lambda: self._current is None or self._current.loaded < wanted)
        except (ZygoteEnded, InterpreterError) as error:
            log.warning("nothing can be preloaded: %s", error)

    def reported(self, job: str, modules: Modules) -> bool:
        if modules.problem is not None and job not in self._distrusted:
            self._distrusted[job] = modules.problem
            self._imports.pop(job, None)
            self._keep_record()
            self._details(f"{job} gets a fresh interpreter for each run: {modules.problem}")
            return True
        if modules.zygote is None and job in self._distrusted:
            self._reconsider(job, modules)
        zygote, imported = self._current, modules.third_party
        if zygote is not None and modules.zygote == zygote.pid:
            if modules.stale is not None:
                self._say(f"{modules.stale} has changed: what is preloaded is imported again")
                self._later(self._renew(lambda: self._current is zygote))
            elif not zygote.failed.keys().isdisjoint(imported):  # it can be imported now
                self._later(self._renew(lambda: self._current is zygote))
        if job not in self._distrusted:
            news = [SDK for name in imported if name == "botocore"]
            news += [name for name in imported if name.startswith(DATA)]
            if not set(news) <= set(self._names):
                self._later(self.preload(news))
        return False

    def _reconsider(self, job: str, modules: Modules) -> None:
        """A fresh worker imports something else than it did: it may go well with a fork again."""
        imports = frozenset(modules.third_party)
        if self._imports.setdefault(job, imports) != imports:
            del self._distrusted[job], self._imports[job]
            self._keep_record()

    def _keep_record(self) -> None:
        if self._record is not None:
            with contextlib.suppress(OSError), os.fdopen(private_file(self._record), "w") as file:
                json.dump(self._distrusted, file)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="preload")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def settled(self) -> None:
        """Return when what workers have reported is preloaded."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._say(f"workers start without a zygote: {error}")

    async def close(self) -> None:
        self._closed = True
        await self.settled()
        async with self._renewing:
            await asyncio.gather(*(zygote.close() for zygote in list(self._zygotes)))
        await self._fresh.close()

    def _differs_at_start(self, environment: Mapping[str, str], *, site: bool = False) -> bool:
        """Of variables that an interpreter reads; with `site`, of all that an app can set."""
        ours, theirs = (
            {
                key: value
                for key, value in one.items()
                if key.startswith(_AT_START) or (site and not key.startswith(_OURS))
            }
            for one in (self._environment, environment)
        )
        return ours != theirs

    async def _renew(self, needed: Callable[[], bool]) -> None:
        async with self._renewing:
            if self._closed or not needed():
                return
            zygote = await self._start()
            old, self._current = self._current, zygote
            if old is not None:
                old.retire()

    async def _start(self) -> Zygote:
        while True:
            loaded = len(self._names)
            names = [name for name in self._names if not self._is_unsafe(name)]
            zygote = Zygote(self._python, self._environment, loaded, self._root)
            self._zygotes.add(zygote)
            zygote.ended.add_done_callback(functools.partial(self._forget, zygote))
            try:
                unsafe = await zygote.preload(names if len(self._unsafe) < MAX_UNSAFE else [])
            except BaseException:
                await zygote.close()
                raise
            if unsafe is None:
                for name, why in zygote.failed.items():
                    self._tell(name, f"not preloaded: {name}: {why}")
                return zygote
            self._unsafe.append(unsafe)
            self._tell(unsafe, f"not preloaded: {unsafe}: its import leaves a thread running")
            await zygote.close()

    def _tell(self, name: str, text: str) -> None:
        if name not in self._told:
            self._told.add(name)
            (self._details if name == SDK or name.startswith(DATA) else self._say)(text)

    def _forget(self, zygote: Zygote, _: object) -> None:
        self._zygotes.discard(zygote)

    def _is_unsafe(self, name: str) -> bool:
        return any(name == bad or name.startswith(f"{bad}.") for bad in self._unsafe)


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
        self.failed: Mapping[str, str] = {}
        self.site = False
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
        self._forks: dict[int, asyncio.Future[int]] = {}
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
        return self._process.pid

    async def preload(self, names: Iterable[str]) -> str | None:
        """Have it import `names`; None, or the one because of which it cannot be forked.

        Raises:
            InterpreterError: it ended instead; the message has what it wrote.
        """
        self._send({"preload": list(names)})
        answer = await self._ready
        self.failed = answer.get("ready", {}).get("failed", {})
        self.site = answer.get("ready", {}).get("site", False)
        return answer.get("unsafe")

    async def fork(self, spec: WorkerSpec, output_fd: int) -> ForkedProcess:
        """Raises ZygoteEnded when there is no process to be had from it."""
        if self.ended.done():
            raise ZygoteEnded("it has ended")
        output = os.dup(output_fd)
        self._count += 1
        answer = self._forks[self._count] = self._loop.create_future()
        message = {
            "fork": self._count,
            "root": os.fspath(spec.root),
            "environment": dict(spec.environment),
        }
        self._send(message, output)
        pid = await answer
        return self._workers[pid]

    def signal(self, pid: int, number: int) -> None:
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
            self._workers[pid] = ForkedProcess(self, pid)
            if answer.done():  # whoever asked for it has gone
                self.signal(pid, signal.SIGKILL)
            else:
                answer.set_result(pid)
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
        for answer in self._forks.values():
            if not answer.done():
                answer.set_exception(ZygoteEnded("it has ended"))
        # The kernel kills workers whose zygote ends.
        for worker in self._workers.values():
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
        return self._pid

    async def wait(self) -> Exit:
        return await asyncio.shield(self._ended)

    def signal_group(self, number: signal.Signals) -> None:
        if not self._zygote.ended.done():
            self._zygote.signal(self._pid, number)

    def end(self, exit_: Exit) -> None:
        if not self._ended.done():
            self._ended.set_result(exit_)
