"""The live functions of a stage: performs what the pool has decided.

Processes, pipes and a Runtime API of their own. A worker's answer goes out first; then what it has
printed is told, and then how its request was answered.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from devbridge.daemon.launching import Launching, Starts
from devbridge.daemon.memory import crash
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.pool import events, faults
from devbridge.daemon.pool.calls import Call
from devbridge.daemon.pool.events import Effect, Event
from devbridge.daemon.pool.faults import Fault
from devbridge.daemon.pool.hearing import FunctionWorker, Hearing, Reload
from devbridge.daemon.pool.pool import Pool
from devbridge.daemon.pool.replies import Replies, Reply
from devbridge.daemon.pool.workers import GRACE
from devbridge.daemon.requests import Kind, answered, asking
from devbridge.daemon.settings import Settings, Workshop
from devbridge.daemon.told import Answered, Broken, Gone, Mood, Requested, Short, Who
from devbridge.protocol.messages import Invoke, Raised, Responded
from devbridge.runs.model import FunctionSpec, function_key
from runner.outcome import Failure

log = logging.getLogger(__name__)

KILL_DEADLINE: Final = 5.0
"""Seconds after `GRACE` in which every worker must be gone."""
LOOKING: Final = 4
"""So many times as long as a look at the sources has taken of this thread's time, there is no
other: under load, looks take a fifth of it."""
LONGEST_BLIND: Final = 0.02
"""Seconds that this may be at most: who saves, and then calls, takes longer to arrive."""

UNHEARD: Final = "Devbridge.Unheard"


class Functions:
    """Handles requests from `start` to `close`, in one event loop.

    Args:
        reload: hot reload, which tells `saved`.
        answer: takes what a request is answered with; it never blocks.
    """

    def __init__(
        self,
        settings: Settings,
        workshop: Workshop,
        narrator: Narrator,
        reload: Reload,
        *,
        answer: Callable[[Invoke, Reply], None],
    ) -> None:
        self._narrator = narrator
        self._reload = reload
        self._answer = answer
        self._specs: Mapping[str, FunctionSpec] = {}
        self._pool = Pool(most=settings.concurrency, spare=settings.standbys)
        self._events: deque[Event] = deque()
        self._handling = False
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at: float | None = None
        """When the timer goes off, in seconds since the epoch."""
        self._calls: dict[str, Call] = {}
        """The requests that were not answered, by the wire's ids."""
        self._answered = asyncio.Event()
        """There are none."""
        self._replies = Replies()
        self._workers: dict[str, FunctionWorker] = {}
        self._look_again: dict[str, float] = {}
        """Until when a function's sources are not looked at again, monotonic."""
        hearing = Hearing(
            self._workers.get,
            workshop.launcher,
            reload,
            narrator,
            post=self._handle,
        )
        self._runtime_api = workshop.runtime_api(
            hearing,
            max_body=faults.MAX_ANSWER,
            read_failure=faults.parsed,
        )
        starts: Starts[FunctionWorker] = Starts(
            failed=self._not_loaded,
            short=lambda worker, reason: self._handle(events.NotStarted(worker.id, reason)),
            heard=hearing.worker_modules,
            lost=self._lost,
        )
        self._launching = Launching(settings, workshop, self._runtime_api, narrator, starts)

    # --- what the daemon calls ---------------------------------------------------------------

    async def start(self) -> None:
        """Serve workers.

        Raises:
            OSError: no socket could be opened.
        """
        await self._runtime_api.start()

    def adopt(self, functions: Mapping[str, FunctionSpec]) -> None:
        """These are the live functions now, by name."""
        self._specs = dict(functions)
        self._handle(events.FunctionsChanged(self._specs))

    def has(self, function: str) -> bool:
        """Whether it is a live function."""
        return function in self._specs

    def knows(self, request_id: str) -> bool:
        """Whether this request has come before, or was abandoned."""
        return self._pool.knows(request_id)

    def invoke(self, asked: Invoke, event: bytes) -> None:
        """Handle a request, unless it is known already.

        Args:
            event: what the function is called with, a JSON text.
        """
        if self.knows(asked.request_id):
            self._repeat(asked)
            return
        if self.has(asked.function):
            self._look(function_key(asked.function))
        self._calls[asked.request_id] = Call(asked, event, asking(event))
        self._answered.clear()
        until = time.time() + asked.remaining / 1000
        self._handle(events.Asked(asked.request_id, asked.function, asked.aws_request_id, until))

    def _repeat(self, asked: Invoke) -> None:
        """Its stub has heard nothing of it. It runs no second time, and not in the cloud, too."""
        if asked.request_id in self._calls:
            return
        reply = self._replies.find(asked.request_id, time.monotonic())
        if reply is None:
            fault = faults.of_failure(Failure(UNHEARD, "its answer was lost on its way back"))
            reply = Raised(request_id=asked.request_id, error=fault.document)
        self._answer(asked, reply)

    def abandoned(self, request_id: str) -> None:
        """Nobody waits for the answer to this request any more."""
        self._handle(events.Abandoned(request_id))

    def saved(self, keys: frozenset[str]) -> None:
        """What workers of these functions, by their keys, have read is another now."""
        names = {function_key(name): name for name in self._specs}
        self._handle(events.Saved(frozenset(names[key] for key in keys & names.keys())))

    @property
    def broken(self) -> Sequence[str]:
        """The functions that cannot be loaded, as far as that is known."""
        return self._pool.broken

    @property
    def under_way(self) -> int:
        """How many requests were not answered."""
        return len(self._calls)

    async def finish(self) -> None:
        """Return when they are."""
        if self._calls:
            await self._answered.wait()

    async def close(self) -> None:
        """End every worker, in order, and serve no more. Idempotent."""
        self._handle(events.Shutdown())
        tasks = [worker.task for worker in self._workers.values() if worker.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE + KILL_DEADLINE)
        if self._timer is not None:
            self._timer.cancel()
        await self._runtime_api.close()

    def kill(self) -> None:
        """SIGKILL to every worker's process group."""
        for worker in self._workers.values():
            worker.signal(signal.SIGKILL)

    # --- events in, effects out --------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        """Decide, then act. What is told meanwhile comes after it."""
        self._events.append(event)
        if self._handling:
            return
        self._handling = True
        try:
            while self._events:
                now = time.time()
                for effect in self._pool.handle([self._events.popleft()], now):
                    self._perform(effect)
        finally:
            self._handling = False
        self._set_timer()

    def _set_timer(self) -> None:
        wakeup = self._pool.next_wakeup()
        if wakeup == self._wakes_at:
            return
        self._wakes_at = wakeup
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wakeup is not None:
            after = max(0.0, wakeup - time.time())
            self._timer = asyncio.get_running_loop().call_later(after, self._wake)

    def _wake(self) -> None:
        self._timer = self._wakes_at = None
        self._handle(events.Tick())

    def _perform(self, effect: Effect) -> None:
        match effect:
            case events.Give(worker_id, request_id, deadline):
                self._give(worker_id, request_id, deadline)
            case events.Answer(request_id, answer, worker_id):
                self._reply(request_id, answer, worker_id)
            case events.Dropped(request_id, worker_id):
                self._dropped(request_id, worker_id)
            case events.Launch(worker_id, function):
                self._launch(worker_id, function)
            case events.Signal(worker_id, number):
                if worker := self._workers.get(worker_id):
                    worker.signal(number)
            case events.Loaded(function):
                self._reload.ready(function_key(function))
            case events.Alone(function, failure, workers):
                self._narrator.say(_alone(function, failure, workers), Mood.WARN)
            case Broken(function, _, worker_id):
                self._reload.broke(function_key(function))
                if worker := self._workers.get(worker_id):
                    worker.capture.drain()
                self._narrator.tell(effect)
            case Short():
                self._narrator.tell(effect)

    # --- requests ----------------------------------------------------------------------------

    def _look(self, key: str) -> None:
        if time.monotonic() < self._look_again.get(key, 0.0):
            return
        began = time.thread_time()  # on a busy machine more passes by the clock
        self._reload.look_at(key)
        blind = min(LOOKING * (time.thread_time() - began), LONGEST_BLIND)
        self._look_again[key] = time.monotonic() + blind

    def _give(self, worker_id: str, request_id: str, deadline: float) -> None:
        call, worker = self._calls[request_id], self._workers[worker_id]
        worker.capture.drain()
        worker.job_id = call.asked.aws_request_id
        self._runtime_api.invoke(worker_id, call.given(deadline))
        call.given_at = time.monotonic()
        # While the worker wakes up; its output is not read before this has returned.
        self._narrator.tell(Requested(worker.who, call.words.what))

    def _over(self, request_id: str) -> Call | None:
        call = self._calls.pop(request_id, None)
        if not self._calls:
            self._answered.set()
        return call

    def _reply(self, request_id: str, answer: bytes | Fault, worker_id: str) -> None:
        call = self._over(request_id)
        if call is None:
            return
        if isinstance(answer, bytes):
            self._send(call.asked, Responded(request_id=request_id, body=answer))
            how, mood = answered(call.words, answer)
            self._tell(call, worker_id, how, mood)
        else:
            reply: Reply = Raised(request_id=request_id, error=answer.document)
            unloaded = not worker_id and call.asked.function in self.broken
            if unloaded and call.words.kind is Kind.HTTP:
                page = faults.as_page(call.asked.function, answer)
                reply = Responded(request_id=request_id, body=page)
            self._send(call.asked, reply)
            self._tell(call, worker_id, "", Mood.BAD, answer)

    def _send(self, asked: Invoke, reply: Reply) -> None:
        self._replies.keep(reply, time.monotonic())
        try:
            self._answer(asked, reply)
        except Exception:  # what else was decided is to be done all the same
            log.exception("a request of %s could not be answered", asked.function)

    def _dropped(self, request_id: str, worker_id: str) -> None:
        if call := self._over(request_id):
            when = "" if worker_id else " before it began"
            how = f"abandoned{when}: nobody waits for its answer"
            self._tell(call, worker_id, how, Mood.WARN)

    def _tell(
        self, call: Call, worker_id: str, how: str, mood: Mood, failure: Failure | None = None
    ) -> None:
        who = Who("", call.asked.function, call.asked.aws_request_id, function=True)
        if worker := self._workers.get(worker_id):
            worker.capture.drain()
            who = worker.who
        seconds = 0.0 if call.given_at is None else time.monotonic() - call.given_at
        self._narrator.tell(Answered(who, call.words.what, how, mood, seconds, failure))

    # --- workers -----------------------------------------------------------------------------

    def _launch(self, worker_id: str, function: str) -> None:
        record = self._reload.launched(function_key(function))
        try:
            starting = sum(not worker.job_id for worker in self._workers.values())
            reader, writer = self._launching.pipe(starting)
        except OSError as error:
            self._handle(events.NotStarted(worker_id, error.strerror or str(error)))
            return
        self._launching.oom_kills.forget()
        worker = self._workers[worker_id] = FunctionWorker(worker_id, function, time.time())
        self._launching.begin(worker, reader)
        worker.task = asyncio.create_task(
            self._live(worker, self._specs[function], writer, record), name=f"worker-{worker_id}"
        )

    async def _live(
        self, worker: FunctionWorker, spec: FunctionSpec, output_fd: int, record: bool
    ) -> None:
        exit_ = await self._launching.see_through(worker, spec, output_fd, record=record)
        out_of_memory = self._launching.was_out_of_memory(worker, exit_)
        try:
            failure = crash(exit_, out_of_memory=out_of_memory)
            self._handle(events.Exited(worker.id, exit_, failure, untaken=worker.untaken))
        finally:
            del self._workers[worker.id]
            self._narrator.tell(Gone(worker.who))

    def _not_loaded(self, worker: FunctionWorker, failure: Failure) -> None:
        self._handle(events.NotLoaded(worker.id, faults.not_started(failure)))

    def _lost(self, worker: FunctionWorker, failure: Failure) -> None:
        if worker.job_id:
            self._handle(events.Answered(worker.id, faults.of_failure(failure)))
        elif not self._runtime_api.is_ready(worker.id):
            self._not_loaded(worker, failure)


def _alone(function: str, failure: Failure, workers: int) -> str:
    handle = "its one worker handles" if workers == 1 else f"its {workers} workers handle"
    what = f"{failure.type}: {failure.message}"
    return f"{function}: another worker cannot be loaded ({what}): {handle} all requests"
