"""The processes and pipes behind the supervisor's worker ids.

One task a worker: start it, read its output, wait for its end, tell the daemon. Everything that a
worker holds (process, pipe, token) is released at the end of its task. What is seen of workers is
told to the narrator; all that one has printed before the end of its run, and that before `Gone`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from devbridge.daemon import lines
from devbridge.daemon.capture import Capture
from devbridge.daemon.events import (
    Event,
    Exited,
    Give,
    NotStarted,
    Raised,
    StandbyFailed,
)
from devbridge.daemon.halts import Halts
from devbridge.daemon.memory import OomKills
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.runtime_api import RuntimeApi, WorkerAddress
from devbridge.daemon.told import (
    Began,
    Ended,
    Gone,
    Mood,
    Noted,
    Printed,
    Remarked,
    Stopping,
    Who,
)
from devbridge.errors import BundleError, DevbridgeError
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import Exit, JobSpec
from devbridge.workers.base import Launcher, Process, WorkerSpec
from devbridge.workers.modules import Modules, that_mend
from devbridge.workers.rlimits import is_short, require_room
from runner import outcome, stuck
from runner.invocation import Invocation
from runner.outcome import OUTPUT_AFTER_EXIT, Failure

log = logging.getLogger(__name__)

IMPORT_NOTICE: Final = stuck.NOTICES[0]
"""Seconds after which the terminal says that a handler is still being imported. It may take as
long as it wants."""
COUNTDOWN: Final = (600, 300, 120, 60, 30, 10, 5)
"""Seconds that a stopping run has left when that is told again."""


@dataclass(slots=True)
class Worker:
    """One live worker."""

    id: str
    job: str
    launched_at: float
    """Seconds since the epoch."""
    job_id: str = ""
    """The run that it was given."""
    began: float = 0.0
    """When it was given the run, in seconds since the epoch."""
    ended: Ended | None = None
    """How its run has ended; told when all its output was."""
    process: Process | None = None
    pending: signal.Signals | None = None
    """What it is to be sent once there is a process."""
    killed: bool = False
    """We have sent it SIGKILL."""
    answered: bool = False
    """Its run has ended."""
    left: Sequence[str] = ()
    """What it waits for then."""
    countdown: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    capture: Capture = field(init=False, repr=False)
    last: outcome.LastWords = field(default_factory=outcome.LastWords, repr=False)
    halts: Halts | None = None
    """Debuggers may halt it."""
    muted: re.Pattern[bytes] | None = None
    """What it prints that is not of its code."""

    @property
    def who(self) -> Who:
        """Whose words are its own, now."""
        return Who(self.id, self.job, self.job_id)


class Processes:
    """Performs what the supervisor decided about workers."""

    def __init__(
        self,
        *,
        root: Path,
        notes: Path,
        python: Path,
        launcher: Launcher,
        runtime_api: RuntimeApi,
        environment: Callable[[JobSpec, WorkerAddress], Mapping[str, str]],
        narrator: Narrator,
        post: Callable[[Event], None],
        closed: Callable[[str], None],
        heard: Callable[[str, Modules], None],
        debug: bool = False,
    ) -> None:
        """`notes` is the folder for what workers note of slow imports, and what is noted for them.
        `post` takes each event; `closed` takes a run's id when its worker is gone and all that it
        has printed was told. `heard` takes what a worker that could not be started would have read.
        `debug`: workers are to be open to debuggers."""
        self._root = root
        self._notes = notes
        self._python = python
        self._launcher = launcher
        self._runtime_api = runtime_api
        self._environment = environment
        self._narrator = narrator
        self._post = post
        self._closed = closed
        self._heard = heard
        self.debug = debug
        """New workers are to be open to debuggers."""
        self._workers: dict[str, Worker] = {}
        self._oom_kills = OomKills()

    def __len__(self) -> int:
        return len(self._workers)

    def worker(self, worker_id: str) -> Worker | None:
        """The worker of this id, until its end was posted."""
        return self._workers.get(worker_id)

    def launch(self, worker_id: str, spec: JobSpec, *, record: bool = False) -> None:
        """Start a worker; it is to `record` what it reads: see `runner.reads`."""
        try:
            reader, writer = self._pipe()
        except OSError as error:
            reason = error.strerror or str(error)
            asyncio.get_running_loop().call_soon(self._post, NotStarted(worker_id, reason))
            return
        worker = self._workers[worker_id] = Worker(worker_id, spec.name, time.time())
        if self.debug:
            worker.halts = Halts(self._notes / f"halted-{os.getpid()}-{worker_id}")
        worker.capture = Capture(
            reader,
            lambda data: self._printed(worker, data),
            self._narrator.when_drained,
        )
        worker.task = asyncio.create_task(
            self._live(worker, spec, writer, record), name=f"worker-{worker_id}"
        )

    def _printed(self, worker: Worker, data: bytes) -> None:
        worker.last.add(data)
        if worker.muted is not None:
            data = worker.muted.sub(b"", data)
        if data:
            self._narrator.tell(Printed(worker.who, data))

    def _pipe(self) -> tuple[int, int]:
        """
        Raises:
            OSError: there are too few descriptors for another worker.
        """
        reader, writer = os.pipe()
        try:
            require_room(writer, sum(not worker.job_id for worker in self._workers.values()))
        except OSError:
            os.close(reader)
            os.close(writer)
            raise
        return reader, writer

    def give(self, give: Give, spec: JobSpec, payload: bytes, checkpoint: bytes | None) -> None:
        """Hand over the run. What its worker prints from now on belongs to it."""
        worker = self._workers[give.worker_id]
        worker.capture.drain()
        worker.job_id, worker.began = give.job_id, time.time()
        if not payload:  # no JSON is empty: it went with a damaged ledger
            self._without_payload(worker)
            return
        self._runtime_api.invoke(
            give.worker_id,
            Invocation(
                job_id=give.job_id,
                payload=payload,
                deadline=give.deadline,
                function_arn=spec.definition_arn,
                context={
                    "job": spec.name,
                    "attempt": str(give.attempt),
                    "max_attempts": str(spec.max_attempts),
                },
                checkpoint=checkpoint,
            ),
        )
        self._oom_kills.forget()
        # While the worker wakes up; its output is not read before this has returned.
        self._narrator.tell(Began(worker.who, give.attempt, spec.max_attempts, payload))
        if checkpoint is not None:
            self._narrator.tell(Noted(worker.who, lines.begins_at(checkpoint)))

    def _without_payload(self, worker: Worker) -> None:
        lost = Failure("PayloadLost", "the run's payload was lost with a damaged ledger")
        loop = asyncio.get_running_loop()
        loop.call_soon(self._post, Raised(worker.id, worker.job_id, lost))
        loop.call_soon(self.signal, worker.id, signal.SIGKILL)

    def ended(self, worker_id: str, change: Change, run: RunRecord) -> None:
        """The worker's attempt is over: it is told when all its output was."""
        if worker := self._workers.get(worker_id):
            if run.attempt > 1:  # the run began with an earlier attempt
                run = replace(run, started_at=worker.began)
            worker.ended, worker.answered = Ended(worker.who, change, run), True

    def goes_on(self, worker_id: str, left: Sequence[str], seconds: float) -> None:
        """The worker has answered and is still there: its end is told now, and what goes on."""
        if worker := self._workers.get(worker_id):
            worker.left = left
            self._note(worker, outcome.goes_on(left, seconds))

    def _note(self, worker: Worker, text: str) -> None:
        worker.capture.drain()
        self._tell_end(worker)
        self._narrator.tell(Noted(worker.who, text))

    def _tell_end(self, worker: Worker) -> None:
        ended, worker.ended = worker.ended, None
        if ended is not None:
            self._narrator.tell(ended)

    def drain(self, worker_id: str) -> None:
        """Tell what the worker has printed until now."""
        if worker := self._workers.get(worker_id):
            worker.capture.drain()

    def remark(self, worker_id: str, text: str, mood: Mood) -> None:
        """Tell a sentence about a worker, if it is still there."""
        if worker := self._workers.get(worker_id):
            self._narrator.tell(Remarked(worker.who, text, mood))

    def mute(self, worker_id: str, beginnings: Sequence[str]) -> None:
        """From now on, lines with these beginnings are none of its code's."""
        if (worker := self._workers.get(worker_id)) and beginnings:
            begun = b"|".join(re.escape(each.encode()) for each in beginnings)
            worker.muted = re.compile(rb"(?:" + begun + rb")[^\n]*\n")

    def halted(self, worker_id: str, halted: bool) -> None:
        """A debugger has halted the worker, or it goes on."""
        worker = self._workers.get(worker_id)
        if worker is not None and worker.halts is not None:
            worker.halts.add(halted, time.time())

    def signal(self, worker_id: str, number: signal.Signals, grace: float = 0.0) -> None:
        """Signal the worker's process group; `grace` is how long it has until the next signal, in
        seconds."""
        worker = self._workers.get(worker_id)
        if worker is None:
            return
        if worker.job_id and grace > 0:
            self._count_down(worker, [grace, *(mark for mark in COUNTDOWN if mark < grace)])
        if worker.process is None:
            worker.pending = number
        else:
            if number == signal.SIGKILL and worker.answered and not worker.killed:
                self._note(worker, outcome.was_ended(worker.left))
            worker.killed = worker.killed or number == signal.SIGKILL
            worker.process.signal_group(number)

    def _count_down(self, worker: Worker, marks: Sequence[float]) -> None:
        """Tell how much time is left, now and at each further mark."""
        left, *further = marks
        self._narrator.tell(Stopping(worker.who, left))
        if further:
            worker.countdown = asyncio.get_running_loop().call_later(
                left - further[0], self._count_down, worker, further
            )

    def kill(self) -> None:
        """SIGKILL to every worker's process group."""
        for worker_id in self._workers:
            self.signal(worker_id, signal.SIGKILL)

    async def close(self) -> None:
        """Wait for every worker's task."""
        tasks = [worker.task for worker in self._workers.values() if worker.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(self, worker: Worker, spec: JobSpec, output_fd: int, record: bool) -> None:
        notice = asyncio.get_running_loop().call_later(IMPORT_NOTICE, self._still_importing, worker)
        try:
            exit_ = await self._run(worker, spec, output_fd, record)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(worker.capture.ended.wait(), OUTPUT_AFTER_EXIT)
        except Exception as error:
            exit_ = self._lost(worker, error)
        finally:
            notice.cancel()
            with contextlib.suppress(OSError):  # its folder may be gone
                self._import_note(worker).unlink()
            worker.capture.finish()
            if worker.halts is not None:
                worker.halts.close()
            self._runtime_api.remove_worker(worker.id)
            if worker.countdown is not None:
                worker.countdown.cancel()
        try:
            self._post(Exited(worker.id, exit_, self._was_out_of_memory(worker, exit_)))
        finally:
            del self._workers[worker.id]
            self._tell_end(worker)
            self._narrator.tell(Gone(worker.who))
        if worker.job_id:
            self._closed(worker.job_id)

    def _was_out_of_memory(self, worker: Worker, exit_: Exit) -> bool:
        if exit_.signal is not None and worker.last.heap_was_full(-exit_.signal):
            return True
        killed_by_others = exit_.signal == signal.SIGKILL and not worker.killed
        return killed_by_others and self._oom_kills.claim()

    def _lost(self, worker: Worker, error: Exception) -> Exit:
        """A defect of ours: nobody watches the worker any more, so end it and say why."""
        log.error("worker %s is lost", worker.id, exc_info=error)
        if worker.process is not None:
            with contextlib.suppress(Exception):
                worker.process.signal_group(signal.SIGKILL)
        what = f"devbridge lost the worker: {type(error).__name__}: {error}"
        self.remark(worker.id, what, Mood.BAD)
        failure = Failure("InternalError", what)
        if worker.job_id:
            self._post(Raised(worker.id, worker.job_id, failure))
        elif not self._runtime_api.is_ready(worker.id):
            self._post(StandbyFailed(worker.id, failure))
        return Exit(signal=signal.SIGKILL)

    def _import_note(self, worker: Worker) -> Path:
        """Where it notes which line it is at, if its import takes long."""
        return self._notes / f"import-{os.getpid()}-{worker.id}"

    def _still_importing(self, worker: Worker) -> None:
        if worker.process is not None and not self._runtime_api.is_ready(worker.id):
            what = f"the handler is still being imported after {IMPORT_NOTICE:g} s"
            if place := stuck.place(str(self._import_note(worker)), str(self._root)):
                what = f"{what}, at {place}"
            self.remark(worker.id, what, Mood.WARN)

    async def _run(self, worker: Worker, spec: JobSpec, output_fd: int, record: bool) -> Exit:
        try:
            address = self._runtime_api.add_worker(worker.id, spec.role_arn)
            worker.process = await self._launcher.launch(
                WorkerSpec(
                    worker_id=worker.id,
                    root=self._root,
                    handler=spec.handler,
                    python=self._python,
                    environment={
                        **self._environment(spec, address),
                        **({"DEVBRIDGE_RECORD": "1"} if record else {}),
                        stuck.NOTE: str(self._import_note(worker)),
                    },
                    job=spec.name,
                    runtime=spec.runtime,
                    build=spec.build,
                    debug=worker.halts.note if worker.halts else None,
                ),
                output_fd,
            )
        except BundleError as error:
            self._heard(worker.id, that_mend(error.files))
            self._post(StandbyFailed(worker.id, error.failure))
            return Exit(code=1)
        except (OSError, DevbridgeError) as error:
            if is_short(error):
                self._post(NotStarted(worker.id, getattr(error, "strerror", "") or str(error)))
                return Exit(code=1)
            self._post(StandbyFailed(worker.id, Failure(type(error).__name__, str(error))))
            return Exit(code=1)
        finally:
            os.close(output_fd)
        if worker.pending is not None:
            worker.process.signal_group(worker.pending)
        return await worker.process.wait()
