"""Worker processes: what they are started with, and how they are started, signalled and reaped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from devbridge.errors import InterpreterError
from devbridge.runs.model import CodeSpec, Exit
from devbridge.sources.known import source_of
from devbridge.workers.modules import Modules
from devbridge.workers.rlimits import runner_command


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One worker to start."""

    worker_id: str
    root: Path
    """The app's folder, and the worker's working directory."""
    handler: str
    python: Path
    environment: Mapping[str, str] = field(repr=False)
    """The whole environment: nothing else is passed on."""
    job: str = ""
    """The key of what it is for: workers of one key are alike."""
    runtime: str = ""
    """As its construct names it, e.g. ``python3.13``; "" for the version of `python`."""
    build: Mapping[str, Any] = field(default_factory=dict)
    """What else its language must know to build it: the construct's options."""
    debug: Path | None = None
    """It is to be open to debuggers, if its language has such: then it finds in this file how long
    one has halted it, and since when one does, both in ms, and the latter since the epoch or 0. The
    file is there from the first time on."""


def handler_file(root: Path, spec: CodeSpec) -> Path:
    """The file that a handler is in; of a container's command, the app's folder."""
    source = source_of(spec.runtime or None)
    module = spec.handler.rpartition(".")[0]
    return source.file(root, module) if source and module else root


class Process(Protocol):
    """A worker's process, leader of its own process group, without a terminal."""

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""

    async def wait(self) -> Exit:
        """Return when the process has ended and was reaped."""

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the process and what it has started. Ignored once they have ended."""


class Launcher(Protocol):
    """Starts workers."""

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Process:
        """Start a worker whose standard output and error are `output_fd`, which stays open here.

        Raises:
            InterpreterError: the interpreter cannot be started.
            OSError: the system has no process to give.
        """

    async def prepare(self, jobs: Iterable[CodeSpec], vouched: Iterable[str]) -> None:
        """Have workers to come of these jobs find imported already what they are going to import,
        where that is possible; running ones are not touched.

        Args:
            vouched: modules that the app vouches for (`App(preload=...)`).
        """

    def reported(self, job: str, modules: Modules) -> bool:
        """A worker of `job` tells what it has imported. True when it is not to be used: another
        one, launched now, will be right."""

    async def close(self) -> None:
        """End every worker that is left. Idempotent."""


def exit_of(status: int) -> Exit:
    """A wait status, as the system gives it, in words."""
    code = os.waitstatus_to_exitcode(status)
    return Exit(code=code) if code >= 0 else Exit(signal=-code)


class FreshLauncher:
    """Starts an interpreter for each worker. Slower than the zygote, and works everywhere.

    What a worker leaves behind in its process group is killed when the worker has ended.
    """

    def __init__(self) -> None:
        self._live: set[FreshProcess] = set()

    async def launch(self, spec: WorkerSpec, output_fd: int) -> Process:
        """Start an interpreter for this worker only: see `Launcher.launch`."""
        command = runner_command(spec.python)
        try:
            started = subprocess.Popen(  # noqa: ASYNC220 - returns once the program runs, in 1 ms
                command,
                stdin=subprocess.DEVNULL,
                stdout=output_fd,
                stderr=output_fd,
                cwd=spec.root,
                env=dict(spec.environment),
                start_new_session=True,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise interpreter_error(spec.python, error) from None
        process = FreshProcess(started)
        self._live.add(process)
        process.ended.add_done_callback(lambda _: self._live.discard(process))
        return process

    async def prepare(self, jobs: Iterable[CodeSpec], vouched: Iterable[str]) -> None:
        """Nothing can be imported in a process that does not exist yet."""

    def reported(self, job: str, modules: Modules) -> bool:  # noqa: ARG002
        """A fresh interpreter is as right as the next one."""
        return False

    async def close(self) -> None:
        """Kill what is left, and wait for its end. Idempotent."""
        live = list(self._live)
        for process in live:
            process.signal_group(signal.SIGKILL)
        await asyncio.gather(*(process.wait() for process in live))


class FreshProcess:
    """A worker that is a child of the daemon."""

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        self._started = started
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Exit] = self._loop.create_future()
        self._watch = _exit_descriptor(started.pid)
        self._loop.add_reader(self._watch.fileno(), self._reap)

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""
        return self._started.pid

    async def wait(self) -> Exit:
        """Return when it has ended and was reaped."""
        return await asyncio.shield(self.ended)

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the process and what it has started. Ignored once it has ended."""
        if not self.ended.done():  # not reaped, so its pid is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _reap(self) -> None:
        self._loop.remove_reader(self._watch.fileno())
        self._watch.close()
        self.signal_group(signal.SIGKILL)
        code = self._started.wait()
        self.ended.set_result(Exit(code=code) if code >= 0 else Exit(signal=-code))


class _Descriptor(Protocol):
    def fileno(self) -> int: ...
    def close(self) -> None: ...


def _exit_descriptor(pid: int) -> _Descriptor:
    """Something that becomes readable when a child has ended, and before it is reaped."""
    if sys.platform == "linux":
        return open(os.pidfd_open(pid), "rb", buffering=0)  # noqa: PTH123
    queue = select.kqueue()
    event = select.kevent(
        pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD | select.KQ_EV_ONESHOT, select.KQ_NOTE_EXIT
    )
    queue.control([event], 0)
    return queue


def interpreter_error(python: Path, why: object) -> InterpreterError:
    """The error for an interpreter that does not start, and what to do about it."""
    return InterpreterError(
        f"the app's Python cannot be started: {why}",
        where=str(python),
        remedy="create the app's virtual environment again, or name another with --python",
    )
