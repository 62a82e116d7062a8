"""The pool: which request is handled by which worker, and what becomes of it; decided, no more.

Pure: events and the time go in, effects come out; `devbridge.daemon.pool.functions` performs them
in order. A function's workers are like Lambda's instances: each handles one request after the
other. A save outdates them: those with a request end with it, all others at once, and what comes
then is handled by new ones.
"""

from __future__ import annotations

import signal
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from devbridge.daemon.pool.events import (
    Abandoned,
    Alone,
    Answer,
    Answered,
    Asked,
    Dropped,
    Effect,
    Event,
    Exited,
    FunctionsChanged,
    Give,
    Halted,
    Loaded,
    NotLoaded,
    NotStarted,
    Ready,
    Saved,
    Shutdown,
    Tick,
)
from devbridge.daemon.pool.faults import Fault, exited, of_failure, timed_out
from devbridge.daemon.pool.state import Due, FunctionState, Request, Stage, Timers, WorkerState
from devbridge.daemon.pool.workers import Workers
from devbridge.daemon.told import Broken
from devbridge.runs.model import Exit, FunctionSpec
from runner.outcome import Failure

REMEMBERED: Final = 15 * 60.0
"""Seconds for which requests are known, so that none is handled twice."""
DEATHS_UNTIL_BROKEN: Final = 3
"""Workers that die this often in a row, without having been used, are not started again."""
STOPPED: Final = Failure("Stopped", "devbridge dev was stopped")


class Pool:
    """Decides. Give it each event with the time; perform what it returns, in order.

    Args:
        most: how many workers one function has at most.
        spare: whether each function has one though nothing waits for it.
    """

    def __init__(self, *, most: int, spare: bool) -> None:
        self._functions: dict[str, FunctionState] = {}
        self._requests: dict[str, Request] = {}
        self._seen: OrderedDict[str, float] = OrderedDict()
        """The requests that were asked for or abandoned, and when."""
        self._timers = Timers()
        self._workers = Workers(self._functions, self._timers, most=most, spare=spare)
        self._touched: set[str] = set()
        """The functions that something has happened to."""
        self._closing = False

    def handle(self, events: Iterable[Event], now: float) -> list[Effect]:
        """Take the events in order, then hand over and start whatever can be."""
        effects: list[Effect] = []
        for event in events:
            effects += self._take(event, now)
        while self._touched:
            name = self._touched.pop()
            if (function := self._functions.get(name)) and not self._closing:
                effects += self._advance(name, function, now)
        return effects

    def next_wakeup(self) -> float | None:
        """When to send a `Tick`, if nothing happens before."""
        return self._timers.next()

    @property
    def broken(self) -> Sequence[str]:
        """The functions that cannot be loaded."""
        return [name for name, each in self._functions.items() if each.mending.broken]

    def knows(self, request_id: str) -> bool:
        """Whether it was asked for or abandoned before."""
        return request_id in self._seen

    @property
    def waiting(self) -> int:
        """How many requests were not answered."""
        return len(self._requests)

    def _take(self, event: Event, now: float) -> list[Effect]:  # noqa: PLR0911
        match event:
            case Asked():
                return self._asked(event, now)
            case Abandoned(request_id):
                self._remember(request_id, now)
                return self._drop(request_id, now)
            case FunctionsChanged(functions):
                return self._changed(functions, now)
            case Saved(functions):
                return [e for name in functions for e in self._renew(name, now)]
            case Tick():
                return self._tick(now)
            case Shutdown():
                return self._shutdown(now)
            case _:
                return self._of_worker(event, now)

    def _of_worker(  # noqa: PLR0911
        self, event: Ready | NotLoaded | NotStarted | Answered | Exited | Halted, now: float
    ) -> list[Effect]:
        worker = self._workers.get(event.worker_id)
        if worker is None:
            return []
        self._touched.add(worker.function)
        match event:
            case Ready(worker_id):
                return self._ready(worker_id, worker, now)
            case NotLoaded(worker_id, fault):
                return self._not_loaded(worker_id, worker, fault, None, now)
            case NotStarted(worker_id, reason):
                return self._workers.not_started(worker_id, worker, reason, now)
            case Answered(worker_id, answer):
                return self._answered(worker_id, worker, answer, now)
            case Exited():
                return self._exited(event, worker, now)
            case Halted(worker_id, halted):
                self._workers.halted(worker_id, worker, halted, now)
                return []

    # --- requests ---------------------------------------------------------------------------

    def _asked(self, event: Asked, now: float) -> list[Effect]:
        if event.request_id in self._seen:
            return []
        self._remember(event.request_id, now)
        function = self._functions.get(event.function)
        if function is None:
            what = f"the app has no live function {event.function!r}"
            return [Answer(event.request_id, of_failure(Failure("UnknownFunction", what)))]
        if self._closing:
            return [Answer(event.request_id, of_failure(STOPPED))]
        request = Request(event.request_id, event.function, event.aws_request_id, event.until)
        function.mending.due(now)
        if function.mending.hopeless:
            return [Answer(request.id, function.fault(request))]
        if len(function.idle) <= len(function.queue):  # it will wait
            self._timers.add(request.until, Due.UNTIL, request.id)
        self._requests[request.id] = request
        function.queue[request.id] = None
        self._touched.add(event.function)
        return []

    def _remember(self, request_id: str, now: float) -> None:
        while self._seen and next(iter(self._seen.values())) < now - REMEMBERED:
            self._seen.popitem(last=False)
        self._seen[request_id] = now

    def _drop(self, request_id: str, now: float) -> list[Effect]:
        """Nobody waits for it any more: it is not begun, and not gone on with."""
        request = self._requests.pop(request_id, None)
        if request is None:
            return []
        self._touched.add(request.function)
        if not request.worker_id:
            self._functions[request.function].queue.pop(request_id, None)
            return [Dropped(request_id)]
        self._workers[request.worker_id].request_id = ""
        return [
            Dropped(request_id, request.worker_id),
            *self._workers.end(request.worker_id, now, signal.SIGKILL),
        ]

    def _over(self, worker: WorkerState, worker_id: str, answer: bytes | Fault) -> list[Effect]:
        """The worker's request is answered."""
        request = self._requests.pop(worker.request_id, None)
        worker.request_id = ""
        if function := self._functions.get(worker.function):
            function.deaths = 0
        return [] if request is None else [Answer(request.id, answer, worker_id)]

    def _take_back(self, function: FunctionState, worker: WorkerState) -> None:
        """The worker has ended without its request: another one gets that."""
        worker.stage = Stage.ENDING if worker.outdated else Stage.IDLE
        if request := self._requests.get(worker.request_id):
            request.worker_id = ""
            function.queue[request.id] = None
            function.queue.move_to_end(request.id, last=False)
            self._timers.add(request.until, Due.UNTIL, request.id)

    def _refuse(self, function: FunctionState) -> list[Effect]:
        """Nothing that waits can be handled: the handler cannot be loaded."""
        found = [self._requests.pop(request_id) for request_id in function.queue]
        function.queue.clear()
        return [Answer(request.id, function.fault(request)) for request in found]

    # --- what workers tell ------------------------------------------------------------------

    def _ready(self, worker_id: str, worker: WorkerState, now: float) -> list[Effect]:
        if worker.stage is not Stage.STARTING:
            return []
        function = self._functions[worker.function]
        function.mending.loaded()
        function.exit = None
        effects = self._workers.loaded(worker_id, worker, now)
        if function.announced:
            return effects
        function.announced = True
        return [*effects, Loaded(worker.function)]

    def _answered(
        self, worker_id: str, worker: WorkerState, answer: bytes | Fault, now: float
    ) -> list[Effect]:
        if worker.stage is not Stage.BUSY:
            return []
        effects = self._over(worker, worker_id, answer)
        if worker.outdated:
            return effects + self._workers.end(worker_id, now)
        self._workers.rest(worker_id, worker, now)
        return effects

    def _not_loaded(
        self, worker_id: str, worker: WorkerState, failure: Failure, exit_: Exit | None, now: float
    ) -> list[Effect]:
        function = self._functions.get(worker.function)
        if worker.stage is Stage.ENDING or function is None:
            return []
        effects = self._workers.end(worker_id, now)
        if loaded := function.current() - function.count(Stage.STARTING):
            # It may need what the others hold, a port for example; Lambda's have one each.
            told, function.alone = function.alone, True
            return effects if told else [Alone(worker.function, failure, loaded), *effects]
        new = function.mending.failed(failure, worker.beside & function.workers.keys(), now)
        function.exit = exit_
        function.announced = function.announced and not new
        effects = [Broken(worker.function, failure, worker_id, new, function=True), *effects]
        for other in [w for w, each in function.workers.items() if each.stage is Stage.STARTING]:
            effects += self._workers.end(other, now)
        return effects + self._refuse(function)

    def _exited(self, event: Exited, worker: WorkerState, now: float) -> list[Effect]:
        function = self._workers.forget(event.worker_id, worker)
        effects: list[Effect] = []
        if event.untaken and function is not None and worker.stage is Stage.BUSY:
            self._take_back(function, worker)
        elif worker.stage is Stage.BUSY and (request := self._requests.get(worker.request_id)):
            fault = exited(request.aws_request_id, event.exit, event.failure)
            effects = self._over(worker, event.worker_id, fault)
        if function is None:
            return effects
        function.alone = function.alone and not worker.loaded
        function.mending.ended(event.worker_id)
        if function.mending.hopeless:
            effects += self._refuse(function)
        if worker.stage not in (Stage.STARTING, Stage.IDLE):
            return effects
        idle = worker.stage is Stage.IDLE
        # SIGKILL comes from outside (a short of memory, a zygote that ended), not from the code.
        if idle or event.exit.signal == signal.SIGKILL:
            if worker.deaths == function.deaths:  # those that die together count once
                function.deaths += 1
            if function.deaths < DEATHS_UNTIL_BROKEN:
                return effects
        when = "while it waited" if idle else "while the handler was imported"
        died = Failure(event.failure.type, f"{event.failure.message} {when}")
        worker.stage = Stage.STARTING
        return effects + self._not_loaded(event.worker_id, worker, died, event.exit, now)

    # --- which workers there are ------------------------------------------------------------

    def _renew(self, name: str, now: float) -> list[Effect]:
        """The function's code is another one: none of its workers is of use for what comes."""
        function = self._functions.get(name)
        if function is None:
            return []
        self._touched.add(name)
        function.mending.renewed()
        function.exit, function.deaths = None, 0
        function.announced = function.alone = False
        return self._workers.outdate(function, now)

    def _changed(self, functions: Mapping[str, FunctionSpec], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for name in sorted(self._functions.keys() - functions.keys()):
            gone = of_failure(Failure("UnknownFunction", f"the app has no function {name!r} now"))
            function = self._functions[name]
            effects += self._workers.outdate(function, now)
            del self._functions[name]
            effects += [Answer(self._requests.pop(each).id, gone) for each in function.queue]
        for name, spec in functions.items():
            if name not in self._functions:
                self._functions[name] = FunctionState(spec, workers=self._workers.of(name))
            elif self._functions[name].spec != spec:
                self._functions[name].spec = spec
                effects += self._renew(name, now)
            self._touched.add(name)
        return effects

    def _shutdown(self, now: float) -> list[Effect]:
        self._closing = True
        stopped, open_ = of_failure(STOPPED), self._requests.values()
        effects: list[Effect] = [Answer(each.id, stopped, each.worker_id) for each in open_]
        self._requests.clear()
        for function in self._functions.values():
            function.queue.clear()
        return effects + self._workers.end_all(now)

    def _advance(self, name: str, function: FunctionState, now: float) -> list[Effect]:
        """Hand over what can be, and start the workers that are missing."""
        effects: list[Effect] = []
        while function.queue and function.idle:
            request_id, _ = function.queue.popitem(last=False)
            if self._requests[request_id].until <= now:
                effects += self._drop(request_id, now)
            else:
                effects.append(self._give(function, request_id, now))
        return effects + [
            self._workers.launch(name, function)
            for _ in range(self._workers.missing(function, now))
        ]

    def _give(self, function: FunctionState, request_id: str, now: float) -> Give:
        worker_id = function.idle.pop()
        request, worker = self._requests[request_id], self._workers[worker_id]
        request.worker_id, worker.request_id = worker_id, request_id
        worker.stage = Stage.BUSY
        worker.allowed = function.spec.timeout
        worker.deadline = now + worker.allowed
        self._timers.add(worker.deadline, Due.DEADLINE, worker_id)
        return Give(worker_id, request_id, worker.deadline)

    # --- time -------------------------------------------------------------------------------

    def _tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        while (found := self._timers.pop(now)) is not None:
            effects += self._due(*found, now)
        return effects

    def _due(self, due: Due, whose: str, now: float) -> list[Effect]:
        if due is Due.AGAIN:
            self._touched.add(whose)
        elif request := self._requests.get(whose):
            return [] if request.worker_id else self._drop(whose, now)
        elif worker := self._workers.get(whose):
            match due:
                case Due.DEADLINE:
                    return self._out_of_time(whose, worker, now)
                case Due.IDLE:
                    return self._workers.idle(whose, worker, now)
                case Due.KILL:
                    return [self._workers.kill(whose, now)]
        return []

    def _out_of_time(self, worker_id: str, worker: WorkerState, now: float) -> list[Effect]:
        request = self._requests.get(worker.request_id)
        halted = worker.halted_at is not None
        if request is None or halted or now < worker.deadline or worker.stage is not Stage.BUSY:
            return []
        self._touched.add(worker.function)
        fault = timed_out(request.aws_request_id, worker.allowed)
        return [
            *self._over(worker, worker_id, fault),
            *self._workers.end(worker_id, now, signal.SIGKILL),
        ]
