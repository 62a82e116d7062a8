"""The supervisor: which run is given to which worker, and what becomes of it; decided, no more.

Pure: events and the time go in, effects come out; the daemon performs them in order. `Record`s are
written to the ledger, in one transaction, before any other effect of the same events happens.
Times are seconds since the epoch.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, takewhile
from typing import Final

from devbridge.daemon.events import (
    CancelRequested,
    Effect,
    Event,
    Exited,
    Give,
    Halted,
    JobsChanged,
    Lingers,
    NotStarted,
    Raised,
    Record,
    Requested,
    Responded,
    Shutdown,
    Signal,
    SourcesChanged,
    StandbyFailed,
    StandbyReady,
    Tick,
    Unentered,
    Withdrawn,
)
from devbridge.daemon.memory import crash
from devbridge.daemon.standbys import Standbys
from devbridge.daemon.state import JobState, RunState, Why, record
from devbridge.daemon.told import Broken, Waits
from devbridge.runs.model import Exit, JobSpec, State
from runner.outcome import Failure, retry_delay, tried_again

SHUTDOWN_GRACE: Final = 10.0
"""The longest that Ctrl-C waits for running jobs, however long the grace period is."""


class Supervisor:
    """Decides. Give it each event with the time; perform what it returns, in order."""

    def __init__(
        self,
        jobs: Mapping[str, JobSpec],
        *,
        concurrency: int,
        grace: float,
        fail_when_broken: bool = True,
        standbys: bool = True,
        starts: int = 1000,
    ) -> None:
        self._jobs = {name: JobState(spec) for name, spec in jobs.items()}
        self._concurrency = concurrency
        self._grace = grace
        self._fail_when_broken = fail_when_broken
        self._standbys = Standbys(self._jobs, most=concurrency, spare=standbys, starts=starts)
        self._runs: dict[str, RunState] = {}
        """What is queued, waits for its next attempt, or runs."""
        self._active: dict[str, RunState] = {}
        """The part of them that runs."""
        self._delayed: dict[str, float] = {}
        """The part that waits for its next attempt, and until when."""
        self._order = count(1)
        self._closing: Shutdown | None = None

    def handle(self, events: Iterable[Event], now: float) -> list[Effect]:
        """Take the events in order, then start whatever can be started."""
        effects: list[Effect] = []
        for event in events:
            effects += self._take(event, now)
        return effects + self._advance(now)

    def next_wakeup(self) -> float | None:
        """When to send a `Tick`, if nothing happens before."""
        times = self._standbys.wakeups(closing=self._closing is not None)
        times += [run.deadline for run in self._active.values() if run.expires]
        times += [] if self._closing else self._retries().values()
        return min(times, default=None)

    @property
    def workers(self) -> int:
        """How many worker processes there should be now."""
        return len(self._standbys.workers)

    @property
    def running(self) -> Sequence[str]:
        """The job ids that are running now."""
        return list(self._active)

    @property
    def broken(self) -> Sequence[str]:
        """The jobs that cannot be loaded."""
        return [name for name, job in self._jobs.items() if job.mending.broken]

    @property
    def unstarted(self) -> Sequence[str]:
        """The job ids that wait for their first attempt, in order."""
        queued = [
            (run.order, job_id)
            for job in self._jobs.values()
            for job_id in job.queue
            if (run := self._runs[job_id]).attempt == 1 and not run.begun
        ]
        return [job_id for _, job_id in sorted(queued)]

    @property
    def idle(self) -> bool:
        """Nothing runs, waits or will be tried again."""
        return not self._runs

    def _take(self, event: Event, now: float) -> list[Effect]:  # noqa: PLR0911, PLR0912
        match event:
            case Requested():
                return self._requested(event, now)
            case StandbyReady(worker_id):
                return self._standbys.ready(worker_id, now)
            case StandbyFailed(worker_id, failure):
                return self._broken(self._standbys.failed(worker_id, failure, now), now)
            case NotStarted(worker_id, reason):
                return self._standbys.not_started(worker_id, reason, now)
            case Responded(worker_id, job_id, result):
                return self._ended(worker_id, job_id, now, result=result)
            case Raised(worker_id, job_id, failure):
                return self._ended(worker_id, job_id, now, failure=failure)
            case Lingers():
                return self._standbys.lingers(event, now)
            case Exited():
                return self._exited(event, now)
            case Halted():
                return self._standbys.halted(event, self._active, now)
            case CancelRequested(job_id):
                return self._cancel(job_id, now)
            case SourcesChanged(jobs):
                return self._sources_changed(jobs, now)
            case JobsChanged(jobs):
                return self._jobs_changed(jobs, now)
            case Tick():
                return self._tick(now)
            case Withdrawn(job_ids):
                return self._withdrawn(job_ids)
            case Unentered(job_ids):
                return self._unentered(job_ids)
            case Shutdown():
                return self._shutdown(event, now)

    # --- requests ---------------------------------------------------------------------------

    def _requested(self, event: Requested, now: float) -> list[Effect]:
        job = self._jobs.get(event.job)
        if job is None:
            failure = Failure("UnknownJob", f"the app has no job {event.job!r} any more")
            return [record(event.job_id, State.FAILED, now, event.attempt, failure=failure)]
        job.mending.asked()
        self._runs[event.job_id] = RunState.of(event, next(self._order))
        job.queue.append(event.job_id)
        return []

    def _withdrawn(self, job_ids: frozenset[str]) -> list[Effect]:
        for job_id in job_ids.intersection(self.unstarted):
            self._jobs[self._runs.pop(job_id).job].queue.remove(job_id)
        return []

    def _unentered(self, job_ids: frozenset[str]) -> list[Effect]:
        for job_id in job_ids & self._runs.keys():
            run = self._runs.pop(job_id)
            job = self._jobs[run.job]
            if self._active.pop(job_id, None) is None:
                job.queue.remove(job_id)
            else:  # the worker knows nothing of it yet
                self._standbys.take_back(job, run.worker_id)
        return []

    def _cancel(self, job_id: str, now: float) -> list[Effect]:
        run = self._runs.get(job_id)
        if run is None:
            return []
        if job_id in self._active:
            return self._stop_run(run, Why.CANCELLED, now, self._grace)
        if self._delayed.pop(job_id, None) is None:
            self._jobs[run.job].queue.remove(job_id)
        del self._runs[job_id]
        what = "it started" if run.attempt == 1 else f"attempt {run.attempt} started"
        # The process of the last attempt may still be there: it has answered, and lingers.
        workers = self._standbys.workers.items()
        last = next((w for w, worker in workers if worker.job_id == job_id), "")
        cancelled = record(
            job_id, State.CANCELLED, now, run.attempt, detail=f"before {what}", worker_id=last
        )
        return [cancelled, Signal(last, signal.SIGTERM)] if last else [cancelled]

    def _stop_run(self, run: RunState, why: Why, now: float, grace: float) -> list[Effect]:
        if run.stopping is not None:
            return []
        run.stopping = why
        return self._standbys.terminate(run.worker_id, now, grace)

    # --- jobs -------------------------------------------------------------------------------

    def _broken(self, effects: list[Effect], now: float) -> list[Effect]:
        """What waits for a job that cannot be loaded fails with it, if that is wanted."""
        found = [effect for effect in effects if isinstance(effect, Broken)]
        for broken in found if self._fail_when_broken else ():
            effects += self._fail_queue(self._jobs[broken.job], broken.failure, now)
        return effects

    def _sources_changed(self, jobs: frozenset[str], now: float) -> list[Effect]:
        there = sorted(jobs & self._jobs.keys())
        return [e for name in there for e in self._standbys.renew(self._jobs[name], now)]

    def _jobs_changed(self, jobs: Mapping[str, JobSpec], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for name in sorted(self._jobs.keys() - jobs.keys()):
            gone = Failure("UnknownJob", f"the job {name!r} was removed from the app")
            job = self._jobs.pop(name)
            effects += self._standbys.retire(job, now, job.waiting)
            effects += self._fail_queue(job, gone, now)
        for name, spec in jobs.items():
            if name not in self._jobs:
                self._jobs[name] = JobState(spec)
            elif self._jobs[name].spec != spec:
                self._jobs[name].spec = spec
                effects += self._standbys.renew(self._jobs[name], now)
        return effects

    def _fail_queue(self, job: JobState, failure: Failure, now: float) -> list[Effect]:
        failed = [(job_id, self._runs.pop(job_id)) for job_id in job.queue]
        job.queue.clear()
        return [
            record(job_id, State.FAILED, now, run.attempt, failure=failure)
            for job_id, run in failed
        ]

    # --- ends -------------------------------------------------------------------------------

    def _ended(
        self,
        worker_id: str,
        job_id: str,
        now: float,
        *,
        result: bytes | None = None,
        failure: Failure | None = None,
    ) -> list[Effect]:
        """The handler answered."""
        run = self._active.get(job_id)
        if run is None or run.worker_id != worker_id:
            return []
        self._standbys.answered(worker_id, now)
        state = State.FAILED if failure else State.SUCCEEDED
        return [self._settle(job_id, run, state, now, result=result, failure=failure)]

    def _exited(self, event: Exited, now: float) -> list[Effect]:
        worker = self._standbys.workers.pop(event.worker_id, None)
        if worker is None:
            return []
        if worker.job in self._jobs:
            self._jobs[worker.job].mending.ended(event.worker_id)
        if worker.retired:
            return []
        if worker.job_id is None:
            idle = [] if self._closing else self._standbys.exited(event, worker, now)
            return self._broken(idle, now)
        run = self._active[worker.job_id]
        failure = None if run.stopping else crash(event.exit, out_of_memory=event.out_of_memory)
        return [
            self._settle(worker.job_id, run, State.CRASHED, now, exit=event.exit, failure=failure)
        ]

    def _settle(
        self,
        job_id: str,
        run: RunState,
        state: State,
        now: float,
        *,
        exit: Exit | None = None,
        result: bytes | None = None,
        failure: Failure | None = None,
    ) -> Record:
        """An attempt is over: the run ends with it, or waits for the next one."""
        del self._active[job_id]
        state, detail, failure = run.told_as(state, failure, self._closing)
        spec = self._jobs[run.job].spec if run.job in self._jobs else None
        stopped = self._closing is not None and not self._closing.lost
        attempts = 1 if stopped or spec is None or run.once else spec.max_attempts
        if spec is None or not tried_again(state, run.attempt, attempts, failure):
            del self._runs[job_id]
            return record(
                job_id,
                state,
                now,
                run.attempt,
                exit=exit,
                result=result,
                failure=failure,
                detail=detail,
                worker_id=run.worker_id,
            )
        delay = retry_delay(spec.retry_delay, run.attempt)
        self._runs[job_id] = RunState(run.job, run.attempt + 1, run.order)
        self._delayed[job_id] = now + delay
        return record(
            job_id,
            State.QUEUED,
            now,
            run.attempt + 1,
            exit=exit,
            failure=failure,
            detail=f"attempt {run.attempt} of {spec.max_attempts} {state}, again in {delay:g} s",
            worker_id=run.worker_id,
        )

    # --- time -------------------------------------------------------------------------------

    def _tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for run in [r for r in self._active.values() if r.expires and now >= r.deadline]:
            effects += self._stop_run(run, Why.TIMED_OUT, now, self._grace)
        for job_id in [job_id for job_id, at in self._retries().items() if now >= at]:
            del self._delayed[job_id]
            run = self._runs.pop(job_id)
            effects += self._requested(Requested(job_id, run.job, run.attempt), now)
        return effects + self._standbys.tick(now)

    def _retries(self) -> Mapping[str, float]:
        """When the delayed runs may go on. One whose last attempt's process is still there may not:
        attempts never overlap."""
        held = {worker.job_id for worker in self._standbys.workers.values()}
        return {job_id: at for job_id, at in self._delayed.items() if job_id not in held}

    def _shutdown(self, event: Shutdown, now: float) -> list[Effect]:
        self._closing = event
        effects: list[Effect] = []
        for job in self._jobs.values():
            effects += self._standbys.retire(job, now, job.waiting)
        grace = min(self._grace, SHUTDOWN_GRACE)
        for run in self._active.values():
            effects += self._stop_run(run, Why.LOST if event.lost else Why.SHUTDOWN, now, grace)
        return effects

    # --- what can start now -----------------------------------------------------------------

    def _advance(self, now: float) -> list[Effect]:
        if self._closing:
            return []
        effects, free = list[Effect](), self._concurrency - len(self._active)
        while free > 0 and (found := self._next()) is not None:
            name, worker_id = found
            effects += self._give(name, worker_id, now)
            free -= 1
        for name, job in self._jobs.items():
            effects += self._waits(name, job, free)
            effects += self._standbys.replenish(name, job, now)
        return effects + self._standbys.replenished(now)

    def _next(self) -> tuple[str, str] | None:
        """The longest-waiting run whose job has a ready standby."""
        best: tuple[int, str, str] | None = None
        for name, job in self._jobs.items():
            if not job.queue or self._standbys.full(name, job.spec):
                continue
            if (ready := self._standbys.free(job)) is None:
                continue
            order = self._runs[job.queue[0]].order
            if best is None or order < best[0]:
                best = (order, name, ready)
        return None if best is None else best[1:]

    def _waits(self, name: str, job: JobState, free: int) -> list[Effect]:
        own = job.spec.concurrency if self._standbys.full(name, job.spec) else None
        if job.mending.broken or (own is None and free > 0):
            return []
        limit = self._concurrency if own is None else own
        # Those of which nothing was said are the end of the queue.
        new = list(takewhile(lambda job_id: not self._runs[job_id].told, reversed(job.queue)))
        for job_id in new:
            self._runs[job_id].told = True
        return [Waits(job_id, name, limit, own is not None) for job_id in reversed(new)]

    def _give(self, name: str, worker_id: str, now: float) -> list[Effect]:
        job = self._jobs[name]
        job_id = job.queue.popleft()
        self._standbys.give(job, worker_id, job_id)
        run = self._active[job_id] = self._runs[job_id]
        run.worker_id = worker_id
        run.deadline = now + job.spec.timeout
        return [
            record(job_id, State.RUNNING, now, run.attempt),
            Give(worker_id, name, job_id, run.attempt, run.deadline),
        ]
