"""The supervisor: which worker runs which job, decided and nothing else.

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
    JobsChanged,
    Launch,
    NotStarted,
    Raised,
    Ready,
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
from devbridge.daemon.state import JobState, RunState, Why, WorkerState, record
from devbridge.daemon.told import Broken, Short, TriedAgain, Waits
from devbridge.runs.model import Exit, JobSpec, State
from runner.outcome import KILL_AGAIN, LINGER, Failure, retry_delay, tried_again

IDLE_DEATHS_UNTIL_BROKEN: Final = 3
"""Standbys that die this often in a row, without having been used, are not started again."""

MAX_AGE: Final = 600.0
"""Seconds for which a standby waits before another takes its place: what its import has made of the
time, of connections and of what nobody can watch must not be of any age."""
SHUTDOWN_GRACE: Final = 10.0
"""The longest that Ctrl-C waits for running jobs, however long the grace period is."""

SHORT_PAUSE: Final = 1.0
"""Seconds after which a worker is started again that the system had no descriptor, process or
memory for."""


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
    ) -> None:
        self._jobs = {name: JobState(spec) for name, spec in jobs.items()}
        self._concurrency = concurrency
        self._grace = grace
        self._fail_when_broken = fail_when_broken
        self._standbys = standbys
        self._workers: dict[str, WorkerState] = {}
        self._runs: dict[str, RunState] = {}
        """What is queued, waits for its next attempt, or runs."""
        self._active: dict[str, RunState] = {}
        """The part of them that runs."""
        self._delayed: dict[str, float] = {}
        """The part that waits for its next attempt, and until when."""
        self._names = count(1)
        self._order = count(1)
        self._closing = False
        self._short_until: float | None = None
        """Until when no worker is started, for the system has none to give; None: it has."""
        self._short_told = False
        """That was said, and not yet that it is over."""

    def handle(self, events: Iterable[Event], now: float) -> list[Effect]:
        """Take the events in order, then start whatever can be started."""
        effects: list[Effect] = []
        for event in events:
            effects += self._take(event, now)
        return effects + self._advance(now)

    def next_wakeup(self) -> float | None:
        """When to send a `Tick`, if nothing happens before."""
        times = [w.kill_at for w in self._workers.values() if w.kill_at is not None]
        times += [run.deadline for run in self._active.values() if run.stopping is None]
        if not self._closing:
            times += self._retries().values()
            times += [] if self._short_until is None else [self._short_until]
            times += [ready_at + MAX_AGE for ready_at in self._ages().values()]
            tries = (job.mending.again_at for job in self._jobs.values() if job.queue)
            times += [at for at in tries if at is not None]
        return min(times, default=None)

    @property
    def workers(self) -> int:
        """How many worker processes there should be now."""
        return len(self._workers)

    @property
    def running(self) -> Sequence[str]:
        """The job ids that are running now."""
        return list(self._active)

    @property
    def unstarted(self) -> Sequence[str]:
        """The job ids that wait for their first attempt, in order."""
        queued = [
            (run.order, job_id)
            for job in self._jobs.values()
            for job_id in job.queue
            if (run := self._runs[job_id]).attempt == 1
        ]
        return [job_id for _, job_id in sorted(queued)]

    @property
    def idle(self) -> bool:
        """Nothing runs, waits or will be tried again."""
        return not self._runs

    def knows(self, job: str) -> bool:
        return job in self._jobs

    def _take(self, event: Event, now: float) -> list[Effect]:  # noqa: PLR0911, PLR0912
        match event:
            case Requested():
                return self._requested(event, now)
            case StandbyReady(worker_id):
                return self._standby_ready(worker_id, now)
            case StandbyFailed(worker_id, failure):
                return self._standby_failed(worker_id, failure, now)
            case NotStarted(worker_id, reason):
                return self._not_started(worker_id, reason, now)
            case Responded(worker_id, job_id, result):
                return self._ended(worker_id, job_id, now, result=result)
            case Raised(worker_id, job_id, failure):
                return self._ended(worker_id, job_id, now, failure=failure)
            case Exited():
                return self._exited(event, now)
            case CancelRequested(job_id):
                return self._cancel(job_id, now)
            case SourcesChanged(jobs):
                return [e for name in sorted(jobs) for e in self._renew(name, now)]
            case JobsChanged(jobs):
                return self._jobs_changed(jobs, now)
            case Tick():
                return self._tick(now)
            case Withdrawn(job_ids):
                return self._withdrawn(job_ids)
            case Unentered(job_ids):
                return self._unentered(job_ids)
            case Shutdown():
                return self._shutdown(now)

    # --- requests ---------------------------------------------------------------------------

    def _requested(self, event: Requested, now: float) -> list[Effect]:
        job = self._jobs.get(event.job)
        if job is None:
            failure = Failure("UnknownJob", f"the app has no job {event.job!r} any more")
            return [record(event.job_id, State.FAILED, now, event.attempt, failure=failure)]
        job.mending.asked()
        self._runs[event.job_id] = RunState(event.job, event.attempt, next(self._order))
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
                self._workers[run.worker_id].job_id = None
                job.waiting.insert(0, run.worker_id)
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
        last = next((w for w, worker in self._workers.items() if worker.job_id == job_id), "")
        cancelled = record(
            job_id, State.CANCELLED, now, run.attempt, detail=f"before {what}", worker_id=last
        )
        return [cancelled, Signal(last, signal.SIGTERM)] if last else [cancelled]

    def _stop_run(self, run: RunState, why: Why, now: float, grace: float) -> list[Effect]:
        if run.stopping is not None:
            return []
        run.stopping = why
        return self._terminate(run.worker_id, now, grace)

    def _terminate(self, worker_id: str, now: float, grace: float) -> list[Effect]:
        worker = self._workers[worker_id]
        if worker.kill_at is not None:
            return []
        worker.kill_at = now + grace
        return [Signal(worker_id, signal.SIGTERM, grace)]

    # --- workers ----------------------------------------------------------------------------

    def _standby_ready(self, worker_id: str, now: float) -> list[Effect]:
        worker = self._workers.get(worker_id)
        if worker is None or worker.retired or worker.ready:
            return []
        worker.ready_at = now
        job = self._jobs[worker.job]
        job.mending.loaded()
        self._short_until = None
        effects = self._retire(job, now, [w for w in job.waiting if self._workers[w].aged])
        if not job.announced:
            job.announced = True
            effects.append(Ready(worker.job))
        return effects

    def _not_started(self, worker_id: str, reason: str, now: float) -> list[Effect]:
        """It is no failure of the job's: its runs wait until there is a worker for them."""
        worker = self._workers.pop(worker_id, None)
        if worker is not None and not worker.retired and worker.job in self._jobs:
            self._jobs[worker.job].waiting.remove(worker_id)
        told, self._short_told = self._short_told, True
        self._short_until = now + SHORT_PAUSE
        return [] if told else [Short(reason)]

    def _standby_failed(self, worker_id: str, failure: Failure, now: float) -> list[Effect]:
        worker = self._workers.get(worker_id)
        if worker is None or worker.retired:
            return []
        return self._break(worker_id, worker, failure, now)

    def _break(
        self, worker_id: str, worker: WorkerState, failure: Failure, now: float
    ) -> list[Effect]:
        name = worker.job
        job = self._jobs[name]
        beside = worker.beside
        new = job.mending.failed(failure, beside, now)
        job.announced = job.announced and not new
        effects: list[Effect] = [Broken(name, failure, worker_id, new)]
        effects += self._retire(job, now, job.waiting)
        if self._fail_when_broken:
            effects += self._fail_queue(job, failure, now)
        for gone in beside - self._workers.keys():
            job.mending.ended(gone)
        return effects

    def _retire(self, job: JobState, now: float, standbys: Iterable[str]) -> list[Effect]:
        """These standbys get no run any more and are told to go."""
        effects: list[Effect] = []
        for worker_id in list(standbys):
            self._workers[worker_id].retired = True
            effects += self._terminate(worker_id, now, LINGER)
            job.waiting.remove(worker_id)
        return effects

    def _renew(self, name: str, now: float) -> list[Effect]:
        job = self._jobs.get(name)
        if job is None:
            return []
        job.announced = False
        job.mending.renewed()
        job.idle_deaths = 0
        return self._retire(job, now, job.waiting)

    def _jobs_changed(self, jobs: Mapping[str, JobSpec], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for name in sorted(self._jobs.keys() - jobs.keys()):
            gone = Failure("UnknownJob", f"the job {name!r} was removed from the app")
            job = self._jobs.pop(name)
            effects += self._retire(job, now, job.waiting) + self._fail_queue(job, gone, now)
        for name, spec in jobs.items():
            if name not in self._jobs:
                self._jobs[name] = JobState(spec)
            elif self._jobs[name].spec != spec:
                self._jobs[name].spec = spec
                effects += self._renew(name, now)
        return effects

    def _fail_queue(self, job: JobState, failure: Failure, now: float) -> list[Effect]:
        failed = [(job_id, self._runs.pop(job_id)) for job_id in job.queue]
        job.queue.clear()
        return [
            record(job_id, State.FAILED, now, run.attempt, failure=failure)
            for job_id, run in failed
        ]

    def _ended(
        self,
        worker_id: str,
        job_id: str,
        now: float,
        *,
        result: bytes | None = None,
        failure: Failure | None = None,
    ) -> list[Effect]:
        """The handler answered. Its worker gets a moment to go by itself."""
        run = self._active.get(job_id)
        if run is None or run.worker_id != worker_id:
            return []
        worker = self._workers[worker_id]
        worker.retired = True
        if worker.kill_at is None:
            worker.kill_at = now + LINGER
        state = State.FAILED if failure else State.SUCCEEDED
        return [self._settle(job_id, run, state, now, result=result, failure=failure)]

    def _exited(self, event: Exited, now: float) -> list[Effect]:
        worker = self._workers.pop(event.worker_id, None)
        if worker is None:
            return []
        if worker.job in self._jobs:
            self._jobs[worker.job].mending.ended(event.worker_id)
        if worker.retired:
            return []
        if worker.job_id is None:
            return self._standby_exited(event, worker, now)
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
        detail = None
        if run.stopping is not None:
            state, detail = run.stopping.state, run.stopping.detail
        spec = self._jobs[run.job].spec if run.job in self._jobs else None
        attempts = 1 if self._closing or spec is None else spec.max_attempts
        if spec is None or not tried_again(state, run.attempt, attempts):
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

    def _standby_exited(self, event: Exited, worker: WorkerState, now: float) -> list[Effect]:
        job = self._jobs.get(worker.job)
        if worker.retired or job is None or self._closing:
            return []
        job.waiting.remove(event.worker_id)
        # SIGKILL comes from outside (a short of memory, a zygote that ended), not from the code.
        if worker.ready or event.exit.signal == signal.SIGKILL:
            if worker.deaths == job.idle_deaths:  # those that die together count once
                job.idle_deaths += 1
            if job.idle_deaths < IDLE_DEATHS_UNTIL_BROKEN:
                return []
        what = "while it waited" if worker.ready else "while the handler was imported"
        died = crash(event.exit, out_of_memory=event.out_of_memory)
        failure = Failure(died.type, f"{died.message} {what}")
        return self._break(event.worker_id, worker, failure, now)

    # --- time -------------------------------------------------------------------------------

    def _tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for run in self._active.values():
            if now >= run.deadline:
                effects += self._stop_run(run, Why.TIMED_OUT, now, self._grace)
        for job_id in [job_id for job_id, at in self._retries().items() if now >= at]:
            del self._delayed[job_id]
            run = self._runs.pop(job_id)
            effects += self._requested(Requested(job_id, run.job, run.attempt), now)
        for worker_id in [w for w, ready_at in self._ages().items() if now >= ready_at + MAX_AGE]:
            self._workers[worker_id].aged = True
        for job in self._jobs.values():
            if job.queue:
                job.mending.due(now)
        for worker_id, worker in self._workers.items():
            if worker.kill_at is not None and now >= worker.kill_at:
                worker.kill_at = now + KILL_AGAIN
                effects.append(Signal(worker_id, signal.SIGKILL))
        return effects

    def _retries(self) -> Mapping[str, float]:
        """When the delayed runs may go on. One whose last attempt's process is still there may not:
        attempts never overlap."""
        held = {worker.job_id for worker in self._workers.values()}
        return {job_id: at for job_id, at in self._delayed.items() if job_id not in held}

    def _ages(self) -> Mapping[str, float]:
        """Since when the standbys wait that have not aged."""
        standbys = ((w, self._workers[w]) for job in self._jobs.values() for w in job.waiting)
        return {w: each.ready_at for w, each in standbys if each.ready_at and not each.aged}

    def _shutdown(self, now: float) -> list[Effect]:
        self._closing = True
        effects: list[Effect] = []
        for job in self._jobs.values():
            effects += self._retire(job, now, job.waiting)
        grace = min(self._grace, SHUTDOWN_GRACE)
        for run in self._active.values():
            effects += self._stop_run(run, Why.SHUTDOWN, now, grace)
        return effects

    # --- what can start now -----------------------------------------------------------------

    def _advance(self, now: float) -> list[Effect]:
        if self._closing:
            return []
        effects: list[Effect] = []
        free = self._concurrency - len(self._active)
        while free > 0 and (found := self._next()) is not None:
            name, worker_id = found
            effects += self._give(name, worker_id, now)
            free -= 1
        for name, job in self._jobs.items():
            effects += self._waits(name, job, free)
            aged = [w for w in job.waiting if self._workers[w].aged]
            wanted = self._wanted(job)
            if not wanted:  # nobody will take the place of these
                effects += self._retire(job, now, aged)
            wanted -= len(job.waiting) - len(aged)
            if self._short_until is not None:  # one at a time, to see whether there is room again
                wanted = min(wanted, int(now >= self._short_until))
            for _ in range(wanted):
                effects.append(self._launch(name, job))
            if job.mending.hopeless and job.queue and not job.mending.told:
                job.mending.told = True
                effects.append(TriedAgain(name, (job.mending.again_at or now) - now))
        if self._short_until is not None and now >= self._short_until:
            self._short_until = now + SHORT_PAUSE
        # One shortage, not one each time that a descriptor is free.
        if (
            self._short_told
            and self._short_until is None
            and not any(job.queue for job in self._jobs.values())
        ):
            self._short_told = False
            effects.append(Short())
        return effects

    def _wanted(self, job: JobState) -> int:
        """How many standbys the job should have."""
        if job.mending.broken:
            return 0 if job.mending.hopeless else 1
        return max(1 if self._standbys else 0, min(len(job.queue), self._concurrency))

    def _launch(self, name: str, job: JobState) -> Launch:
        worker_id = f"{name}-{next(self._names)}"
        beside = (w for w, worker in self._workers.items() if worker.job == name and worker.ready)
        self._workers[worker_id] = WorkerState(name, job.idle_deaths, frozenset(beside))
        job.waiting.append(worker_id)
        return Launch(worker_id, name)

    def _next(self) -> tuple[str, str] | None:
        """The longest-waiting run whose job has a ready standby."""
        best: tuple[int, str, str] | None = None
        for name, job in self._jobs.items():
            if not job.queue or self._full(name, job.spec):
                continue
            standbys = [w for w in job.waiting if self._workers[w].ready]
            ready = min(standbys, key=lambda w: self._workers[w].aged, default=None)
            if ready is None:
                continue
            order = self._runs[job.queue[0]].order
            if best is None or order < best[0]:
                best = (order, name, ready)
        return None if best is None else best[1:]

    def _full(self, name: str, spec: JobSpec) -> bool:
        """Whether its own limit is reached. A run counts until its process has ended, which may
        go on after the answer; for the slots of all jobs, until the answer."""
        if spec.concurrency is None:
            return False
        given = (w.job == name and w.job_id is not None for w in self._workers.values())
        return sum(given) >= spec.concurrency

    def _waits(self, name: str, job: JobState, free: int) -> list[Effect]:
        own = job.spec.concurrency if self._full(name, job.spec) else None
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
        job.waiting.remove(worker_id)
        job.idle_deaths = 0
        run = self._active[job_id] = self._runs[job_id]
        run.worker_id = worker_id
        run.deadline = now + job.spec.timeout
        self._workers[worker_id].job_id = job_id
        return [
            record(job_id, State.RUNNING, now, run.attempt),
            Give(worker_id, name, job_id, run.attempt, run.deadline),
        ]
