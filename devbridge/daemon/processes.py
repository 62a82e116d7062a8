"""The processes and pipes behind the supervisor's worker ids.

One task a worker: start it, read its output, wait for its end, tell the daemon. Everything that a
worker holds (process, pipe, token, log file) is released at the end of its task.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devbridge.daemon import lines
from devbridge.daemon.events import (
    Event,
    Exited,
    Give,
    NotStarted,
    Raised,
    StandbyFailed,
)
from devbridge.daemon.limits import is_short, require_room
from devbridge.daemon.memory import OomKills
from devbridge.daemon.model import Invocation
from devbridge.daemon.output import Capture
from devbridge.daemon.runtime_api import RuntimeApi, WorkerAddress
from devbridge.daemon.terminal import Terminal
from devbridge.daemon.workers import Launcher, Process, WorkerSpec
from devbridge.errors import DevbridgeError
from devbridge.palette import Style
from devbridge.runs.model import Exit, JobSpec
from runner.outcome import OUTPUT_AFTER_EXIT, Failure

log = logging.getLogger(__name__)

IMPORT_NOTICE: Final = 10.0
"""Seconds after which the terminal says that a handler is still being imported. It may take as
long as it wants."""


@dataclass(slots=True)
class Member:
    """One live worker."""

    job: str
    launched_at: float
    capture: Capture
    process: Process | None = None
    pending: signal.Signals | None = None
    job_id: str | None = None
    last_words: Sequence[str] = ()
    """What to say of its run when all its output has been taken."""
    killed: bool = False
    """We have sent it SIGKILL."""
    trace: bytes = b""
    """The traceback of its run's error, for the log."""
    countdown: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Processes:
    """Performs what the supervisor decided about workers."""

    def __init__(
        self,
        *,
        root: Path,
        python: Path,
        launcher: Launcher,
        runtime_api: RuntimeApi,
        environment: Callable[[JobSpec, WorkerAddress], Mapping[str, str]],
        terminal: Terminal,
        style: Style,
        post: Callable[[Event], None],
        ended: Callable[[str, Member], None],
    ) -> None:
        """`post` takes each event; `ended(job id, member)` is called when a run's worker is gone
        and all its output has been taken."""
        self._root = root
        self._python = python
        self._launcher = launcher
        self._runtime_api = runtime_api
        self._environment = environment
        self._terminal = terminal
        self._style = style
        self._post = post
        self._ended = ended
        self._members: dict[str, Member] = {}
        self._oom_kills = OomKills()

    def __len__(self) -> int:
        return len(self._members)

    def member(self, worker_id: str) -> Member | None:
        return self._members.get(worker_id)

    def launch(self, worker_id: str, spec: JobSpec, *, record: bool = False) -> None:
        """Start a worker; it is to `record` what it reads: see `runner.reads`."""
        try:
            reader, writer = self._pipe()
        except OSError as error:
            reason = error.strerror or str(error)
            asyncio.get_running_loop().call_soon(self._post, NotStarted(worker_id, reason))
            return
        bar = self._style.dim(f"|  {spec.name}") + "  "
        member = Member(spec.name, time.time(), Capture(reader, self._terminal, bar))
        self._members[worker_id] = member
        member.task = asyncio.create_task(
            self._live(worker_id, spec, member, writer, record), name=f"worker-{worker_id}"
        )

    def _pipe(self) -> tuple[int, int]:
        """
        Raises:
            OSError: there are too few descriptors for another worker.
        """
        reader, writer = os.pipe()
        try:
            require_room(writer, sum(member.job_id is None for member in self._members.values()))
        except OSError:
            os.close(reader)
            os.close(writer)
            raise
        return reader, writer

    def give(self, give: Give, spec: JobSpec, payload: bytes) -> None:
        """Hand over the run. What its worker prints from now on belongs to it."""
        member = self._members[give.worker_id]
        member.job_id = give.job_id
        member.capture.begin(lines.bar(give.job_id, self._style))
        self._runtime_api.invoke(
            give.worker_id,
            Invocation(
                job_id=give.job_id,
                payload=payload,
                deadline=give.deadline,
                function_arn=spec.project_arn,
                context={
                    "job": spec.name,
                    "attempt": str(give.attempt),
                    "max_attempts": str(spec.max_attempts),
                },
            ),
        )
        self._oom_kills.forget()

    def signal(self, worker_id: str, number: signal.Signals, grace: float = 0.0) -> None:
        """Signal the worker's process group; `grace` is how long it has until the next signal."""
        member = self._members.get(worker_id)
        if member is None:
            return
        if member.job_id is not None and grace > 0:
            self._count_down(member, grace, [grace, *lines.countdown(grace)])
        if member.process is None:
            member.pending = number
        else:
            member.killed = member.killed or number == signal.SIGKILL
            member.process.signal_group(number)

    def _count_down(self, member: Member, left: float, marks: Sequence[float]) -> None:
        """Say how much time is left, now and at each further mark."""
        member.capture.say(lines.stopping(left, self._style))
        if len(marks) > 1:
            member.countdown = asyncio.get_running_loop().call_later(
                left - marks[1], self._count_down, member, marks[1], marks[1:]
            )

    def kill(self) -> None:
        """SIGKILL to every worker's process group."""
        for worker_id in self._members:
            self.signal(worker_id, signal.SIGKILL)

    async def close(self) -> None:
        """Wait for every worker's task."""
        tasks = [member.task for member in self._members.values() if member.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(
        self, worker_id: str, spec: JobSpec, member: Member, output_fd: int, record: bool
    ) -> None:
        notice = asyncio.get_running_loop().call_later(
            IMPORT_NOTICE, self._still_importing, worker_id, member
        )
        try:
            exit_ = await self._run(worker_id, spec, member, output_fd, record)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(member.capture.ended.wait(), OUTPUT_AFTER_EXIT)
        except Exception as error:
            exit_ = self._lost(worker_id, member, error)
        finally:
            notice.cancel()
            member.capture.finish()
            self._runtime_api.remove_worker(worker_id)
            if member.countdown is not None:
                member.countdown.cancel()
        try:
            try:
                self._post(Exited(worker_id, exit_, self._was_out_of_memory(member, exit_)))
            finally:
                del self._members[worker_id]
            if member.job_id is not None:
                self._ended(member.job_id, member)
        finally:
            member.capture.release()

    def _was_out_of_memory(self, member: Member, exit_: Exit) -> bool:
        killed_by_others = exit_.signal == signal.SIGKILL and not member.killed
        return killed_by_others and self._oom_kills.claim()

    def _lost(self, worker_id: str, member: Member, error: Exception) -> Exit:
        """A defect of ours: nobody watches the worker any more, so end it and say why."""
        log.error("worker %s is lost", worker_id, exc_info=error)
        if member.process is not None:
            with contextlib.suppress(Exception):
                member.process.signal_group(signal.SIGKILL)
        what = f"devbridge lost the worker: {type(error).__name__}: {error}"
        member.capture.say(self._style.bad(what))
        failure = Failure("InternalError", what)
        if member.job_id is not None:
            self._post(Raised(worker_id, member.job_id, failure))
        elif not self._runtime_api.is_ready(worker_id):
            self._post(StandbyFailed(worker_id, failure))
        return Exit(signal=signal.SIGKILL)

    def _still_importing(self, worker_id: str, member: Member) -> None:
        if member.process is not None and not self._runtime_api.is_ready(worker_id):
            what = f"the handler is still being imported after {IMPORT_NOTICE:g} s"
            member.capture.say(self._style.warn(what))

    async def _run(
        self, worker_id: str, spec: JobSpec, member: Member, output_fd: int, record: bool
    ) -> Exit:
        try:
            address = self._runtime_api.add_worker(worker_id, spec.role_arn)
            member.process = await self._launcher.launch(
                WorkerSpec(
                    worker_id=worker_id,
                    root=self._root,
                    handler=spec.handler,
                    python=self._python,
                    environment={
                        **self._environment(spec, address),
                        **({"DEVBRIDGE_RECORD": "1"} if record else {}),
                    },
                    job=spec.name,
                ),
                output_fd,
            )
        except (OSError, DevbridgeError) as error:
            if is_short(error):
                self._post(NotStarted(worker_id, getattr(error, "strerror", "") or str(error)))
                return Exit(code=1)
            self._post(StandbyFailed(worker_id, Failure(type(error).__name__, str(error))))
            return Exit(code=1)
        finally:
            os.close(output_fd)
        if member.pending is not None:
            member.process.signal_group(member.pending)
        return await member.process.wait()
