"""Which workers there are to be: decided and nothing else.

A job has standbys, which have loaded its handler and wait. They are launched, and told to go when
they are out of date, have aged, or cannot load the handler. Those that have a run are the
supervisor's, but for the signals that end them. Pure; times are seconds since the epoch.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Final

from devbridge.daemon.events import Effect, Exited, GoesOn, Halted, Launch, Lingers, Ready, Signal
from devbridge.daemon.memory import crash
from devbridge.daemon.state import JobState, RunState, WorkerState
from devbridge.daemon.told import Broken, Short, TriedAgain
from devbridge.runs.model import JobSpec
from runner.outcome import KILL_AGAIN, LINGER, Failure

IDLE_DEATHS_UNTIL_BROKEN: Final = 3
"""Standbys that die this often in a row, without having been used, are not started again."""

MAX_AGE: Final = 600.0
"""Seconds for which a standby waits before another takes its place: what its import has made of the
time, of connections and of what nobody can watch must not be of any age."""

SHORT_PAUSE: Final = 1.0
"""Seconds after which a worker is started again that the system had no descriptor, process or
memory for."""

LOADING: Final = 0.05
"""Seconds after which a worker that still loads its handler is taken to wait for something else
than a processor: it keeps no other one from being started."""


class Standbys:
    """All workers, and what is decided about those without a run.

    Args:
        jobs: those of the app; shared with the supervisor, which adds and removes them.
        most: how many of one job are ever started for runs that wait.
        spare: whether each job has one though no run waits for it.
        starts: how many may be loading when another is started for runs that wait. More would not
            be ready sooner, and stand in the way of those that ask for runs.
    """

    def __init__(
        self, jobs: Mapping[str, JobState], *, most: int, spare: bool, starts: int
    ) -> None:
        self._jobs = jobs
        self._most = most
        self._spare = spare
        self._starts = starts
        self.workers: dict[str, WorkerState] = {}
        """By their ids; those that have a run, and those that were told to go, too."""
        self._names = count(1)
        self._short_until: float | None = None
        """Until when no worker is started, for the system has none to give; None: it has."""
        self._short_told = False
        """That was said, and not yet that it is over."""

    def wakeups(self, *, closing: bool) -> list[float]:
        """When time alone changes something."""
        times = [w.kill_at for w in self.workers.values() if w.kill_at is not None]
        if closing:
            return times
        times += [] if self._short_until is None else [self._short_until]
        times += [job.crowded for job in self._jobs.values() if job.crowded is not None]
        times += [ready_at + MAX_AGE for ready_at in self._ages().values()]
        tries = (job.mending.again_at for job in self._jobs.values() if job.queue)
        return times + [at for at in tries if at is not None]

    def free(self, job: JobState) -> str | None:
        """The standby that gets the job's next run: one that has aged only if there is no other."""
        ready = (worker_id for worker_id in job.waiting if self.workers[worker_id].ready)
        return min(ready, key=lambda worker_id: self.workers[worker_id].aged, default=None)

    def full(self, name: str, spec: JobSpec) -> bool:
        """Whether the job's own limit is reached. A run counts until its process has ended, which
        may go on after the answer; for the slots of all jobs, until the answer."""
        if spec.concurrency is None:
            return False
        given = (w.job == name and w.job_id is not None for w in self.workers.values())
        return sum(given) >= spec.concurrency

    def give(self, job: JobState, worker_id: str, job_id: str) -> None:
        """This one has a run now."""
        job.waiting.remove(worker_id)
        job.idle_deaths = 0
        self.workers[worker_id].job_id = job_id

    def take_back(self, job: JobState, worker_id: str) -> None:
        """It was given a run that it will never get."""
        self.workers[worker_id].job_id = None
        job.waiting.insert(0, worker_id)

    # --- what workers tell ------------------------------------------------------------------

    def ready(self, worker_id: str, now: float) -> list[Effect]:
        """A worker has loaded its handler."""
        worker = self.workers.get(worker_id)
        if worker is None or worker.retired or worker.ready:
            return []
        worker.ready_at = now
        job = self._jobs[worker.job]
        job.mending.loaded()
        self._short_until = None
        effects = self.retire(job, now, [w for w in job.waiting if self.workers[w].aged])
        if not job.announced:
            job.announced = True
            effects.append(Ready(worker.job))
        return effects

    def not_started(self, worker_id: str, reason: str, now: float) -> list[Effect]:
        """It is no failure of the job's: its runs wait until there is a worker for them."""
        worker = self.workers.pop(worker_id, None)
        if worker is not None and not worker.retired and worker.job in self._jobs:
            self._jobs[worker.job].waiting.remove(worker_id)
        told, self._short_told = self._short_told, True
        self._short_until = now + SHORT_PAUSE
        return [] if told else [Short(reason)]

    def failed(self, worker_id: str, failure: Failure, now: float) -> list[Effect]:
        """A worker cannot load its handler: no other one of the job is used, either."""
        worker = self.workers.get(worker_id)
        if worker is None or worker.retired:
            return []
        return self._break(worker_id, worker, failure, now)

    def exited(self, event: Exited, worker: WorkerState, now: float) -> list[Effect]:
        """A worker without a run, which nobody had told to, is gone."""
        job = self._jobs.get(worker.job)
        if job is None:
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

    def _break(
        self, worker_id: str, worker: WorkerState, failure: Failure, now: float
    ) -> list[Effect]:
        name = worker.job
        job = self._jobs[name]
        beside = worker.beside
        new = job.mending.failed(failure, beside, now)
        job.announced = job.announced and not new
        effects: list[Effect] = [Broken(name, failure, worker_id, new)]
        effects += self.retire(job, now, job.waiting)
        for gone in beside - self.workers.keys():
            job.mending.ended(gone)
        return effects

    # --- ends -------------------------------------------------------------------------------

    def terminate(self, worker_id: str, now: float, grace: float) -> list[Effect]:
        """Tell a worker to go, and end it `grace` seconds later."""
        worker = self.workers[worker_id]
        if worker.kill_at is not None:
            return []
        worker.kill_at = now + grace
        return [Signal(worker_id, signal.SIGTERM, grace)]

    def retire(self, job: JobState, now: float, standbys: Iterable[str]) -> list[Effect]:
        """These standbys get no run any more and are told to go."""
        effects: list[Effect] = []
        for worker_id in list(standbys):
            self.workers[worker_id].retired = True
            effects += self.terminate(worker_id, now, LINGER)
            job.waiting.remove(worker_id)
        return effects

    def renew(self, job: JobState, now: float) -> list[Effect]:
        """The job's code is another one: none of its standbys is of use."""
        job.announced = False
        job.mending.renewed()
        job.idle_deaths = 0
        return self.retire(job, now, job.waiting)

    def answered(self, worker_id: str, now: float) -> None:
        """Its run is over: it gets a moment to go by itself."""
        worker = self.workers[worker_id]
        worker.retired = True
        if worker.kill_at is None:
            worker.kill_at = now + LINGER

    def lingers(self, event: Lingers, now: float) -> list[Effect]:
        """It has not gone yet."""
        worker = self.workers.get(event.worker_id)
        if worker is None or worker.job_id is None or worker.kill_at is None:
            return []
        return [GoesOn(event.worker_id, event.left, max(0.0, worker.kill_at - now))]

    def halted(self, event: Halted, running: Mapping[str, RunState], now: float) -> list[Effect]:
        """A debugger has stopped a worker, or lets it go on: meanwhile its run's time does not
        pass; nor does what it has left to go, unless it was told to while it could not hear.

        Args:
            running: the runs that have a worker, by their ids.
        """
        if (worker := self.workers.get(event.worker_id)) is None:
            return []
        if (run := running.get(worker.job_id or "")) and run.worker_id == event.worker_id:
            run.halt(event.halted, now)
        if event.halted and worker.kill_at is not None:
            worker.spared, worker.kill_at = worker.kill_at - now, None
        elif not event.halted and worker.spared is not None:
            worker.kill_at, worker.spared = now + worker.spared, None
        return []

    def tick(self, now: float) -> list[Effect]:
        """Time has passed: standbys age, jobs are tried again, who does not go is killed."""
        for worker_id in [w for w, ready_at in self._ages().items() if now >= ready_at + MAX_AGE]:
            self.workers[worker_id].aged = True
        for job in self._jobs.values():
            if job.queue:
                job.mending.due(now)
        effects: list[Effect] = []
        for worker_id, worker in self.workers.items():
            if worker.kill_at is not None and now >= worker.kill_at:
                worker.kill_at = now + KILL_AGAIN  # should the first one get lost
                effects.append(Signal(worker_id, signal.SIGKILL))
        return effects

    def _ages(self) -> Mapping[str, float]:
        """Since when the standbys wait that have not aged."""
        standbys = ((w, self.workers[w]) for job in self._jobs.values() for w in job.waiting)
        return {w: each.ready_at for w, each in standbys if each.ready_at and not each.aged}

    # --- launches ---------------------------------------------------------------------------

    def replenish(self, name: str, job: JobState, now: float) -> list[Effect]:
        """What gives a job the standbys that it should have."""
        aged = [w for w in job.waiting if self.workers[w].aged]
        wanted = self._wanted(job)
        # Where none is wanted, nobody will take the place of those that have aged.
        effects = [] if wanted else self.retire(job, now, aged)
        wanted -= len(job.waiting) - len(aged)
        if self._short_until is not None:  # one at a time, to see whether there is room again
            wanted = min(wanted, int(now >= self._short_until))
        job.crowded = None
        for _ in range(wanted):
            if len(job.waiting) > len(aged) and (crowded := self._crowded(now)):
                job.crowded = crowded
                break
            effects.append(self._launch(name, job, now))
        if job.mending.hopeless and job.queue and not job.mending.told:
            job.mending.told = True
            effects.append(TriedAgain(name, (job.mending.again_at or now) - now))
        return effects

    def replenished(self, now: float) -> list[Effect]:
        """That was done for all jobs: whether a shortage goes on."""
        if self._short_until is not None and now >= self._short_until:
            self._short_until = now + SHORT_PAUSE
        # One shortage, not one each time that a descriptor is free.
        over = self._short_told and self._short_until is None
        if not over or any(job.queue for job in self._jobs.values()):
            return []
        self._short_told = False
        return [Short()]

    def _wanted(self, job: JobState) -> int:
        """How many standbys the job should have."""
        if job.mending.broken:
            return 0 if job.mending.hopeless else 1
        return max(1 if self._spare else 0, min(len(job.queue), self._most))

    def _crowded(self, now: float) -> float | None:
        """Until when no more than the first worker of a job is started, for enough are loading."""
        loading = sorted(
            worker.launched_at + LOADING
            for job in self._jobs.values()
            for worker in map(self.workers.__getitem__, job.waiting)
            if not worker.ready and worker.launched_at + LOADING > now
        )
        return loading[-self._starts] if len(loading) >= self._starts else None

    def _launch(self, name: str, job: JobState, now: float) -> Launch:
        worker_id = f"{name}-{next(self._names)}"
        beside = (w for w, worker in self.workers.items() if worker.job == name and worker.ready)
        self.workers[worker_id] = WorkerState(name, now, job.idle_deaths, frozenset(beside))
        job.waiting.append(worker_id)
        return Launch(worker_id, name)
