"""The processes and pipes behind the supervisor's worker ids.

One task a worker: start it, read its output, wait for its end, tell the daemon. Everything that a
worker holds (process, pipe, token) is released at the end of its task. What is seen of workers is
told to the narrator; all that one has printed before the end of its run, and that before `Gone`.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from devbridge.daemon.launching import Launched, Launching, Starts
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.runtime_api import RuntimeApi
from devbridge.daemon.settings import Settings, Workshop
from devbridge.daemon.told import (
    Began,
    Ended,
    Gone,
    Noted,
    Stopping,
)
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import JobSpec
from devbridge.workers.modules import Modules
from runner import outcome
from runner.invocation import Invocation
from runner.outcome import Failure

COUNTDOWN: Final = (600, 300, 120, 60, 30, 10, 5)
"""Seconds that a stopping run has left when that is told again."""


@dataclass(slots=True)
class Worker(Launched):
    """One live worker of a job."""

    began: float = 0.0
    """When it was given the run, in seconds since the epoch."""
    ended: Ended | None = None
    """How its run has ended; told when all its output was."""
    answered: bool = False
    """Its run has ended."""
    left: Sequence[str] = ()
    """What it waits for then."""
    countdown: asyncio.TimerHandle | None = None


class Processes:
    """Performs what the supervisor decided about workers."""

    def __init__(
        self,
        settings: Settings,
        workshop: Workshop,
        runtime_api: RuntimeApi,
        narrator: Narrator,
        *,
        post: Callable[[Event], None],
        closed: Callable[[str], None],
        heard: Callable[[str, Modules], None],
    ) -> None:
        """`post` takes each event; `closed` takes a run's id when its worker is gone and all that
        it has printed was told. `heard` takes what a worker that could not be started would have
        read."""
        self._runtime_api = runtime_api
        self._narrator = narrator
        self._post = post
        self._closed = closed
        starts: Starts[Worker] = Starts(
            failed=lambda worker, failure: post(StandbyFailed(worker.id, failure)),
            short=lambda worker, reason: post(NotStarted(worker.id, reason)),
            heard=heard,
            lost=self._lost,
        )
        self._launching = Launching(settings, workshop, runtime_api, narrator, starts)
        self._workers: dict[str, Worker] = {}

    def __len__(self) -> int:
        return len(self._workers)

    def worker(self, worker_id: str) -> Worker | None:
        """The worker of this id, until its end was posted."""
        return self._workers.get(worker_id)

    def launch(self, worker_id: str, spec: JobSpec, *, record: bool = False) -> None:
        """Start a worker; it is to `record` what it reads: see `runner.reads`."""
        try:
            starting = sum(not worker.job_id for worker in self._workers.values())
            reader, writer = self._launching.pipe(starting)
        except OSError as error:
            reason = error.strerror or str(error)
            asyncio.get_running_loop().call_soon(self._post, NotStarted(worker_id, reason))
            return
        worker = self._workers[worker_id] = Worker(worker_id, spec.name, time.time())
        self._launching.begin(worker, reader)
        worker.task = asyncio.create_task(
            self._live(worker, spec, writer, record), name=f"worker-{worker_id}"
        )

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
        self._launching.oom_kills.forget()
        # While the worker wakes up; its output is not read before this has returned.
        pid = None if worker.process is None else worker.process.pid
        self._narrator.tell(Began(worker.who, give.attempt, spec.max_attempts, payload, pid))
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

    def signal(self, worker_id: str, number: signal.Signals, grace: float = 0.0) -> None:
        """Signal the worker's process group; `grace` is how long it has until the next signal, in
        seconds."""
        worker = self._workers.get(worker_id)
        if worker is None:
            return
        if worker.job_id and grace > 0:
            self._count_down(worker, [grace, *(mark for mark in COUNTDOWN if mark < grace)])
        killed = worker.killed or worker.process is None
        if number == signal.SIGKILL and worker.answered and not killed:
            self._note(worker, outcome.was_ended(worker.left))
        worker.signal(number)

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
        exit_ = await self._launching.see_through(worker, spec, output_fd, record=record)
        if worker.countdown is not None:
            worker.countdown.cancel()
        try:
            self._post(Exited(worker.id, exit_, self._launching.was_out_of_memory(worker, exit_)))
        finally:
            del self._workers[worker.id]
            self._tell_end(worker)
            self._narrator.tell(Gone(worker.who))
        if worker.job_id:
            self._closed(worker.job_id)

    def _lost(self, worker: Worker, failure: Failure) -> None:
        if worker.job_id:
            self._post(Raised(worker.id, worker.job_id, failure))
        elif not self._runtime_api.is_ready(worker.id):
            self._post(StandbyFailed(worker.id, failure))
