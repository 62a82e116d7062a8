"""Which workers there are to be: decided and nothing else.

A function has as many workers as it has requests at once, up to a limit; those that have nothing to
do for long end, but for one. Pure; times are seconds since the epoch.
"""

from __future__ import annotations

import signal
from itertools import count
from typing import Final

from devbridge.daemon.pool.events import Effect, Launch, Signal
from devbridge.daemon.pool.state import Due, FunctionState, Stage, Timers, WorkerState
from devbridge.daemon.told import Short
from runner.outcome import KILL_AGAIN

IDLE: Final = 60.0
"""Seconds without a request after which a worker ends, unless it is the last."""
GRACE: Final = 2.0
"""Seconds that a worker without a request has to end when it is told to, as in Lambda."""
SHORT_PAUSE: Final = 1.0
"""Seconds after which a worker is started again that the system had no descriptor, process or
memory for."""


class Workers:
    """All workers, by their ids.

    Args:
        functions: those of the app; shared with the pool, which adds and removes them.
        most: how many workers one function has at most.
        spare: whether each function has one though nothing waits for it.
    """

    def __init__(
        self, functions: dict[str, FunctionState], timers: Timers, *, most: int, spare: bool
    ) -> None:
        self._functions = functions
        self._timers = timers
        self._most = max(1, most)
        self._spare = spare
        self._all: dict[str, WorkerState] = {}
        self._names = count(1)
        self._short_until: float | None = None
        """Until when no worker is started, for the system has none to give; None: it has."""

    def get(self, worker_id: str) -> WorkerState | None:
        """The worker of this id, until its end."""
        return self._all.get(worker_id)

    def __getitem__(self, worker_id: str) -> WorkerState:
        return self._all[worker_id]

    def of(self, name: str) -> dict[str, WorkerState]:
        """Those of a function, which may have been no part of the app meanwhile."""
        return {each: worker for each, worker in self._all.items() if worker.function == name}

    # --- their lives ------------------------------------------------------------------------

    def launch(self, name: str, function: FunctionState) -> Launch:
        """A new one."""
        worker_id = f"{name}()-{next(self._names)}"
        worker = WorkerState(name, function.deaths, frozenset(function.workers))
        self._all[worker_id] = function.workers[worker_id] = worker
        return Launch(worker_id, name)

    def loaded(self, worker_id: str, worker: WorkerState, now: float) -> list[Effect]:
        """It has loaded its handler."""
        worker.loaded = True
        short, self._short_until = self._short_until, None
        self.rest(worker_id, worker, now)
        return [] if short is None else [Short()]

    def rest(self, worker_id: str, worker: WorkerState, now: float) -> None:
        """It waits for a request."""
        worker.stage, worker.idle_since = Stage.IDLE, now
        self._functions[worker.function].idle.append(worker_id)
        if not worker.watched:
            worker.watched = True
            self._timers.add(now + IDLE, Due.IDLE, worker_id)

    def not_started(
        self, worker_id: str, worker: WorkerState, reason: str, now: float
    ) -> list[Effect]:
        """It is no failure of the function's: its requests wait until there is a worker."""
        self.forget(worker_id, worker)
        told, self._short_until = self._short_until, now + SHORT_PAUSE
        self._timers.add(self._short_until, Due.AGAIN, worker.function)
        return [] if told else [Short(reason)]

    def forget(self, worker_id: str, worker: WorkerState) -> FunctionState | None:
        """It is gone; whose it was, if that is still there."""
        del self._all[worker_id]
        function = self._functions.get(worker.function)
        if function is None or function.workers.pop(worker_id, None) is None:
            return None
        if worker_id in function.idle:
            function.idle.remove(worker_id)
        return function

    def halted(self, worker_id: str, worker: WorkerState, halted: bool, now: float) -> None:
        """A debugger has stopped it, or lets it go on: meanwhile its request's time does not
        pass."""
        if halted and worker.halted_at is None:
            worker.halted_at = now
        elif not halted and worker.halted_at is not None:
            worker.deadline += now - worker.halted_at
            worker.halted_at = None
            if worker.stage is Stage.BUSY:
                self._timers.add(worker.deadline, Due.DEADLINE, worker_id)

    # --- their ends -------------------------------------------------------------------------

    def end(
        self, worker_id: str, now: float, number: signal.Signals = signal.SIGTERM
    ) -> list[Effect]:
        """It gets nothing more to do, and is told to go."""
        worker = self._all.get(worker_id)
        if worker is None or worker.stage is Stage.ENDING:
            return []
        if worker.stage is Stage.IDLE:
            self._functions[worker.function].idle.remove(worker_id)
        worker.stage = Stage.ENDING
        again = GRACE if number == signal.SIGTERM else KILL_AGAIN
        self._timers.add(now + again, Due.KILL, worker_id)
        return [Signal(worker_id, number)]

    def end_all(self, now: float) -> list[Effect]:
        """Nothing more is handled."""
        return [effect for worker_id in self._all for effect in self.end(worker_id, now)]

    def outdate(self, function: FunctionState, now: float) -> list[Effect]:
        """Those with a request end with it, all others now."""
        effects: list[Effect] = []
        for worker_id, worker in function.workers.items():
            if worker.stage is Stage.BUSY:
                worker.outdated = True
            else:
                effects += self.end(worker_id, now)
        return effects

    def idle(self, worker_id: str, worker: WorkerState, now: float) -> list[Effect]:
        """It may have been idle for long: then it ends, if it is not the last."""
        worker.watched = False
        if worker.stage is not Stage.IDLE:
            return []
        if now < worker.idle_since + IDLE:
            worker.watched = True
            self._timers.add(worker.idle_since + IDLE, Due.IDLE, worker_id)
            return []
        last = self._functions[worker.function].current() == 1
        return [] if last and self._spare else self.end(worker_id, now)

    def kill(self, worker_id: str, now: float) -> Signal:
        """It was told to go, and is still there."""
        self._timers.add(now + KILL_AGAIN, Due.KILL, worker_id)
        return Signal(worker_id, signal.SIGKILL)

    # --- how many ---------------------------------------------------------------------------

    def missing(self, function: FunctionState, now: float) -> int:
        """How many are to be started."""
        starting, current = function.count(Stage.STARTING), function.current()
        if function.mending.hopeless or (function.alone and current):
            return 0
        wanted = max(len(function.queue) - starting, int(self._spare and not current))
        if function.mending.broken:
            wanted = int(not starting)
        if self._short_until is not None:  # one at a time, to see whether there is room again
            wanted = min(wanted, int(now >= self._short_until))
        return max(0, min(wanted, function.room(self._most)))
