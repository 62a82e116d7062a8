"""The daemon: wires bridge, ledger, supervisor, processes and watcher together; performs effects.

Everything happens in one thread: events come in, the ledger is written in one transaction, and only
then is anything done or answered. Shutting down has five phases, each with a deadline:

1. leave the bridge: stubs are told that nobody is here; requests wait in the broker
2. ask what runs to stop (SIGTERM), for at most 10 seconds
3. end what is left (SIGKILL) and wait for every worker's end
4. end the zygote, the Runtime API and the watcher
5. close the ledger
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from devbridge.daemon import lines, secrets
from devbridge.daemon.bridge import Bridge
from devbridge.daemon.decider import Decider
from devbridge.daemon.dispatch import Dispatcher
from devbridge.daemon.events import (
    Effect,
    Event,
    Give,
    GoesOn,
    JobsChanged,
    Launch,
    Ready,
    Record,
    Shutdown,
    Signal,
    Tick,
)
from devbridge.daemon.handover import Handover
from devbridge.daemon.hearing import Hearing
from devbridge.daemon.heartbeat import beat
from devbridge.daemon.imports import Reports
from devbridge.daemon.jobs import Deployment, Jobs, Redeploys
from devbridge.daemon.keeper import Keeper
from devbridge.daemon.life import Task, live, on_loop_error
from devbridge.daemon.live_functions import FINISH, LiveFunctions
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.processes import Processes
from devbridge.daemon.recovery import lost_with, take_on
from devbridge.daemon.reloading import Reloading
from devbridge.daemon.rerun import Rerun
from devbridge.daemon.settings import Connection, Settings, Workshop
from devbridge.daemon.supervisor import SHUTDOWN_GRACE, Supervisor
from devbridge.daemon.told import (
    Broken,
    Mood,
    NeverStarted,
    Short,
    TriedAgain,
    Waits,
)
from devbridge.daemon.weather import Weather
from devbridge.packing.imported import Imports
from devbridge.protocol.messages import Topics
from devbridge.protocol.session import Deliver
from devbridge.runs.ledger import Change
from devbridge.runs.ledger_file import LedgerError
from devbridge.words import many

KILL_DEADLINE: Final = 5.0
"""Seconds after the grace period in which every worker must be gone."""


class Daemon:
    """One stage's daemon. Make it in a running event loop; `run` is its life.

    Args:
        deployment: the app as it is deployed at the start.
        redeploys: deploys it anew while the daemon runs.
        imported: is told of each job whose workers have imported something new.
    """

    def __init__(
        self,
        settings: Settings,
        deployment: Deployment,
        *,
        redeploys: Redeploys,
        connection: Connection,
        workshop: Workshop,
        ledger: Keeper,
        narrator: Narrator,
        imported: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._at_first, self._jobs = deployment, deployment.jobs
        self._ledger = ledger
        self._alive = ledger.path.with_name("alive")
        self._workshop, self._launcher = workshop, workshop.launcher
        self._narrator = narrator
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._undecided = set(deployment.jobs) if settings.standbys else set()
        self._ready, self._idle = asyncio.Event(), asyncio.Event()
        self._reports = Reports(Imports(settings.notes, settings.root), imported)
        self._supervisor = Supervisor(
            deployment.jobs,
            concurrency=settings.concurrency,
            grace=settings.grace,
            fail_when_broken=settings.fail_when_broken,
            standbys=settings.standbys,
            starts=settings.starts,
        )
        self.bridge = Bridge(
            connection.make_transport,
            connection.topics,
            connection.presence,
            on_requests=lambda batch: self.handle((), batch),
            say=lambda text: narrator.say(text, Mood.WARN),
        )
        self._weather = Weather(
            ledger,
            connected_since=lambda: self.bridge.connected_since,
            take=lambda held: self.handle((), held),
        )
        self._handover = self._make_handover()
        self._reloading = self._make_reloading(deployment, redeploys)
        self.renew_all: Final = self._reloading.renew_all
        self._functions = LiveFunctions(
            settings, workshop, narrator, self._reloading, self.bridge, connection.patience.stale
        )
        self._dispatcher = Dispatcher(ledger, deployment.jobs, settings.logs, settings.cancelled)
        self._decider = Decider(
            ledger, self._dispatcher, self._supervisor, self._weather, self._reloading.look
        )
        self._listener = self._make_listener(connection.topics)
        self._runtime_api = workshop.runtime_api(self._listener)
        self._processes = self._make_processes(workshop)
        ledger.say = lambda line, good: narrator.say(line, Mood.GOOD if good else Mood.BAD)

    def _make_handover(self) -> Handover:
        return Handover(
            self.bridge,
            self._ledger,
            self._narrator,
            unstarted=lambda: self._supervisor.unstarted,
            idle=self._idle,
            post=self.handle,
        )

    def _make_reloading(self, deployment: Deployment, redeploys: Redeploys) -> Reloading:
        wanted = self._settings.rerun_on_save
        rerun = Rerun(self._ledger, self.submit, self._narrator.say, cancel=wanted == "cancel")
        return Reloading(
            self._settings.root,
            deployment,
            redeploys,
            self._narrator,
            post=self.handle,
            may_deploy=lambda: not self.bridge.taken_over.is_set(),
            rerun=rerun if wanted else None,
            secrets_mark=self._settings.secrets_mark,
        )

    def _make_listener(self, topics: Topics) -> Hearing:
        self._dispatcher.topics, self._dispatcher.tell = topics, self._narrator.tell
        return Hearing(
            lambda id_: self._processes.worker(id_),  # noqa: PLW0108 - they are made after this
            self._launcher,
            self._reloading,
            self._reports,
            self._narrator,
            post=lambda event: self.handle([event]),
            reached=self._ledger.note_checkpoint,
        )

    def _make_processes(self, workshop: Workshop) -> Processes:
        return Processes(
            self._settings,
            workshop,
            self._runtime_api,
            self._narrator,
            post=lambda event: self.handle([event]),
            closed=self._worker_gone,
            heard=self._listener.worker_modules,
        )

    # --- life -------------------------------------------------------------------------------

    async def run(
        self, stop: asyncio.Event, beside: Mapping[str, Task] = MappingProxyType({})
    ) -> None:
        """Serve until `stop` is set, or until a newer daemon has taken over and the runs that had
        started have ended; then shut down in order.

        Args:
            beside: what else goes on meanwhile, by name; it is cancelled in the end.

        Raises:
            Exception: what one of `beside` has raised: it ends the daemon, in order.
            BridgeError: the first connection to the broker failed.
            FolderError: the stage's folder has gone meanwhile.
        """
        self._loop.set_exception_handler(on_loop_error)
        await self._runtime_api.start()
        if self._settings.secrets_mark is not None:
            secrets.touch(self._settings.secrets_mark)
        await self._workshop.open(self._at_first.codes.values(), self._settings.preload)
        await self._functions.start(self._at_first.functions)
        self._recover()
        until: dict[str, Task] = {"stop": stop.wait, "make-way": self._handover.make_way}
        tasks: dict[str, Task] = {
            "bridge": self.bridge.run,
            "watch": self._reloading.watch,
            "redeploy": self._reloading.redeploy_on_save,
            "outdated": self._reloading.redeploy_on_reload,
            "weather": self._weather.watch,
            "calls": self._functions.watch,
            "heartbeat": lambda: beat(self._alive),
            **beside,
        }
        try:
            await live(until, tasks, self._leave)
        finally:
            await self._close()

    def kill(self) -> None:
        """End every worker now; the process may exit right after."""
        self._processes.kill()
        self._functions.kill()

    @property
    def jobs(self) -> Jobs:
        """The app's jobs now."""
        return self._jobs

    @property
    def broken(self) -> Sequence[str]:
        """The jobs and functions that cannot be loaded, as far as that is known."""
        return (*self._supervisor.broken, *self._functions.broken)

    @property
    def undeployed(self) -> Sequence[str]:
        """See `Reloading.undeployed`."""
        return self._reloading.undeployed

    async def wait_until_ready(self) -> None:
        """Return when requests are taken and each job has a standby, or is known to be broken."""
        await self.bridge.connected.wait()
        if self._undecided:
            await self._ready.wait()

    async def _leave(self, error: Exception | None) -> None:
        """Phases 1 to 3; `error` is why the daemon cannot go on, if it is that."""
        self._reloading.leave()
        requests, running = self._functions.leave(), len(self._supervisor.running)
        said = lines.leaving((requests, "request", FINISH), (running, "run", SHUTDOWN_GRACE))
        self._narrator.say(said)
        if error is None:
            await self._functions.finish()  # before their callers hear that nobody is here
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.bridge.leave(), 2)
        self.handle([Shutdown() if error is None else Shutdown(lost_with(error), lost=True)])
        with contextlib.suppress(TimeoutError):
            ends = asyncio.gather(self._processes.close(), self._functions.close())
            await asyncio.wait_for(ends, SHUTDOWN_GRACE + KILL_DEADLINE)

    async def _close(self) -> None:
        """Phases 4 and 5."""
        self._reports.close()
        if self._timer is not None:
            self._timer.cancel()
        self._reloading.close()
        await self._functions.close()
        await self._workshop.close()
        await self._runtime_api.close()
        self._ledger.close()

    def _recover(self) -> None:
        """Go on with what an earlier daemon has left."""
        runs = take_on(self._ledger, self._narrator, self._alive)
        if runs:
            self._narrator.say(f"{many(len(runs), 'run was', 'runs were')} waiting")
        self.handle(runs)

    # --- events in, effects out -------------------------------------------------------------

    def handle(self, events: Sequence[Event], requests: Sequence[Deliver] = ()) -> None:
        """Decide, commit, then act and answer."""
        now = time.time()
        for event in events:
            if isinstance(event, JobsChanged):
                self._adopt(event.jobs)
        try:
            effects, replies = self._decider.decide(events, requests, now)
        except LedgerError as error:  # what was asked for could not even be looked up
            self._narrator.say(f"{error.what}: requests stay in the broker", Mood.BAD)
            self._weather.hold(requests)
            return
        # Whoever waits comes first: workers for their runs, stubs for answers; then new processes.
        launches = [effect for effect in effects if isinstance(effect, Launch)]
        for effect in effects:
            if not isinstance(effect, Launch):
                self._perform(effect)
        for deliver, reply in replies:
            self.bridge.ack(deliver)
            self.bridge.reply(deliver.message.stub_id, reply)
        for launch in launches:
            self._perform(launch)
        self._set_timer(now)
        (self._idle.set if self._supervisor.idle else self._idle.clear)()

    def _adopt(self, jobs: Jobs) -> None:
        for job in self._jobs.keys() - jobs.keys():
            self._job_decided(job)
        self._jobs = self._dispatcher.jobs = jobs

    def _job_decided(self, job: str) -> None:
        self._undecided.discard(job)
        if not self._undecided:
            self._ready.set()

    def submit(self, job: str, payload: bytes) -> str:
        """Run a job from here; returns its id."""
        entered = self._decider.enter(job, payload, time.time())
        if entered.asked is not None:
            self.handle([entered.asked])
        return entered.job_id

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Give():
                self._give(effect)
            case Launch(worker_id, job):
                record = self._reloading.launched(job)
                self._processes.launch(worker_id, self._jobs[job], record=record)
            case Signal(worker_id, number, grace):
                self._processes.signal(worker_id, number, grace)
            case GoesOn(worker_id, left, seconds):
                self._processes.goes_on(worker_id, left, seconds)
            case Record(change, worker_id):
                self._record(change, worker_id)
            case Broken(job, _, worker_id):
                self._job_decided(job)
                self._reloading.broke(job)
                self._processes.drain(worker_id)
                self._narrator.tell(effect)
            case Ready(job):
                self._job_decided(job)
                self._reloading.ready(job)
            case TriedAgain() | Waits() | Short():
                self._narrator.tell(effect)

    def _give(self, give: Give) -> None:
        if self._processes.worker(give.worker_id) is not None:
            payload, checkpoint = self._payload(give.job_id), self._ledger.checkpoint(give.job_id)
            self._processes.give(give, self._jobs[give.job], payload, checkpoint)

    def _payload(self, job_id: str) -> bytes:
        with contextlib.suppress(LedgerError):
            return self._ledger.payload(job_id)
        return b""

    def _record(self, change: Change, worker_id: str) -> None:
        if not worker_id and not change.state.final:
            return
        entry = self._ledger.get(change.job_id)
        if entry is None:
            return
        if worker_id:
            self._processes.ended(worker_id, change, entry)
        else:
            payload = self._payload(change.job_id)
            self._narrator.tell(NeverStarted(change, entry, payload))
            self._close_run(change.job_id)
            self._reloading.ended(entry.job, entry.job_id)

    def _worker_gone(self, job_id: str) -> None:
        entry = self._ledger.get(job_id)
        if entry is not None and entry.state.final:
            self._close_run(job_id)
            self._reloading.ended(entry.job, job_id)

    def _close_run(self, job_id: str) -> None:
        with self._ledger.transaction():
            self._ledger.closed(job_id)

    def _set_timer(self, now: float) -> None:
        """There is a `Tick` when one is due, or before: one that nothing is due at does no harm."""
        if (wakeup := self._supervisor.next_wakeup()) is None:
            return
        when = self._loop.time() + max(0.0, wakeup - now)
        if self._timer is None or when < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.handle([Tick()])
