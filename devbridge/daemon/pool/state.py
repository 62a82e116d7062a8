"""What the pool remembers: functions, their workers, their requests, and what time will change."""

from __future__ import annotations

import enum
import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count

from devbridge.daemon.mending import Mending
from devbridge.daemon.pool.faults import Fault, exited, of_failure
from devbridge.runs.model import Exit, FunctionSpec
from runner.outcome import Failure


class Stage(enum.Enum):
    """A worker's life."""

    STARTING = enum.auto()
    IDLE = enum.auto()
    BUSY = enum.auto()
    ENDING = enum.auto()
    """It was told to go, or killed: it gets no request any more."""


@dataclass(slots=True)
class Request:
    """One call that was not answered."""

    id: str
    function: str
    aws_request_id: str
    until: float
    """When nobody waits for an answer any more."""
    worker_id: str = ""
    """Who handles it; empty: it waits."""


@dataclass(slots=True)
class WorkerState:
    """One process."""

    function: str
    deaths: int
    """How often workers had died unused when it was launched."""
    beside: frozenset[str]
    """The other workers of the function that were there then."""
    stage: Stage = Stage.STARTING
    loaded: bool = False
    """It has loaded the handler."""
    outdated: bool = False
    """It ends with the request that it has."""
    request_id: str = ""
    deadline: float = 0.0
    """When its request is out of time; while a debugger halts it, that does not come nearer."""
    allowed: float = 0.0
    """Seconds that its request may take."""
    halted_at: float | None = None
    idle_since: float = 0.0
    watched: bool = False
    """It will be looked at whether it has been idle for long."""


@dataclass(slots=True)
class FunctionState:
    """One function."""

    spec: FunctionSpec
    queue: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """The requests that wait for a worker, the oldest first."""
    workers: dict[str, WorkerState] = field(default_factory=dict)
    """All that there are, also those that end."""
    idle: list[str] = field(default_factory=list)
    """Those that wait, the one that has worked last at the end: it is the next."""
    mending: Mending = field(default_factory=Mending)
    exit: Exit | None = None
    """How the worker ended that could not load the handler, if that is what is known of it."""
    announced: bool = False
    """It was told that the function has a worker."""
    deaths: int = 0
    """How often in a row workers have died unused."""
    alone: bool = False
    """No further worker can be loaded beside those that there are."""

    def count(self, stage: Stage) -> int:
        """How many workers there are in a stage of life."""
        return sum(worker.stage is stage for worker in self.workers.values())

    def current(self) -> int:
        """How many workers have, or are about to have, the code as it is now."""
        return sum(
            worker.stage is not Stage.ENDING and not worker.outdated
            for worker in self.workers.values()
        )

    def room(self, most: int) -> int:
        """How many more workers there may be, of `most` that may have a request at once."""
        limit = most if self.spec.reserved is None else min(most, max(1, self.spec.reserved))
        return limit - (len(self.workers) - self.count(Stage.ENDING))

    def fault(self, request: Request) -> Fault:
        """Why the function cannot be loaded, as one request is told."""
        failure = self.mending.failure or Failure("InternalError", "nothing is known against it")
        if self.exit is not None:
            return exited(request.aws_request_id, self.exit, failure)
        return of_failure(failure)


class Due(enum.Enum):
    """What time will change."""

    UNTIL = enum.auto()
    """Nobody waits for a waiting request any more."""
    DEADLINE = enum.auto()
    """A worker's request is out of time."""
    IDLE = enum.auto()
    """A worker may have been idle for long."""
    KILL = enum.auto()
    """A worker that was told to go may still be there."""
    AGAIN = enum.auto()
    """Of a function: a worker may be started again."""


class Timers:
    """What is due when. What was over before is found by whoever takes it."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Due, str]] = []
        self._order = count()

    def add(self, at: float, due: Due, whose: str) -> None:
        """`whose` is a request's, a worker's or a function's id."""
        heapq.heappush(self._heap, (at, next(self._order), due, whose))

    def next(self) -> float | None:
        """When something is due, in seconds since the epoch."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> tuple[Due, str] | None:
        """The first that is due now."""
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, due, whose = heapq.heappop(self._heap)
        return due, whose
