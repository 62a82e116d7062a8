"""What the supervisor remembers of jobs, their runs and their workers.

Times are seconds since the epoch.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field

from devbridge.daemon.events import Record, Requested, Shutdown
from devbridge.daemon.mending import Mending
from devbridge.runs.ledger import Change
from devbridge.runs.model import Exit, JobSpec, State
from runner.outcome import Failure


class Why(enum.Enum):
    """Why a running job is being stopped."""

    CANCELLED = enum.auto()
    TIMED_OUT = enum.auto()
    SHUTDOWN = enum.auto()
    LOST = enum.auto()
    """The daemon cannot go on."""

    @property
    def state(self) -> State:
        """What the run will be when it has ended."""
        others = {Why.TIMED_OUT: State.TIMED_OUT, Why.LOST: State.CRASHED}
        return others.get(self, State.CANCELLED)

    @property
    def detail(self) -> str | None:
        """More than the state says, for the ledger."""
        return "devbridge dev was stopped" if self is Why.SHUTDOWN else None


@dataclass(slots=True)
class WorkerState:
    """One worker process."""

    job: str
    launched_at: float
    """Seconds since the epoch."""
    deaths: int
    """The job's `idle_deaths` when it was launched."""
    beside: frozenset[str] = frozenset()
    """The workers of the job that had loaded the handler then, and were still there."""
    ready_at: float | None = None
    """When it had loaded the handler; None: not yet."""
    aged: bool = False
    """It has waited for so long that another is to take its place."""
    job_id: str | None = None
    retired: bool = False
    kill_at: float | None = None
    spared: float | None = None
    """Seconds that it had left until it is killed, when a debugger has stopped it: in place of
    `kill_at` for as long."""

    @property
    def ready(self) -> bool:
        """Whether it has loaded its handler."""
        return self.ready_at is not None


@dataclass(slots=True)
class JobState:
    """One job of the app."""

    spec: JobSpec
    announced: bool = False
    """It was said that it is ready, and nothing else since."""
    mending: Mending = field(default_factory=Mending)
    idle_deaths: int = 0
    queue: deque[str] = field(default_factory=deque)
    waiting: list[str] = field(default_factory=list)
    """Workers that are not taken yet, ready or not, without those that are retired."""
    crowded: float | None = None
    """Until when it gets no more workers that it should have, for enough are loading."""


@dataclass(slots=True)
class RunState:
    """What is queued, waits for its next attempt, or runs."""

    job: str
    attempt: int
    order: int
    worker_id: str = ""
    deadline: float = 0.0
    left: float | None = None
    """Seconds that it had left when its worker was halted, for as long as it is."""
    stopping: Why | None = None
    told: bool = False
    """It was said which limit it waits for."""
    begun: bool = False
    """It has, with an earlier daemon."""
    once: bool = False
    """It has this attempt only."""

    @classmethod
    def of(cls, asked: Requested, order: int) -> RunState:
        """One that was asked for."""
        return cls(asked.job, asked.attempt, order, begun=asked.goes_on, once=asked.once)

    @property
    def expires(self) -> bool:
        """Whether its deadline counts: it is not being stopped, and not halted."""
        return self.stopping is None and self.left is None

    def halt(self, halted: bool, now: float) -> None:
        """Its time does not pass from now on, or passes again."""
        if halted:
            self.left = self.deadline - now if self.left is None else self.left
        elif self.left is not None:
            self.deadline, self.left = now + self.left, None

    def told_as(
        self, state: State, failure: Failure | None, closing: Shutdown | None
    ) -> tuple[State, str | None, Failure | None]:
        """How an end is told, with its detail: of one that was stopped, why that was."""
        if self.stopping is None:
            return state, None, failure
        if closing and self.stopping in (Why.SHUTDOWN, Why.LOST):
            failure = closing.failure
        return self.stopping.state, self.stopping.detail, failure


def record(
    job_id: str,
    state: State,
    now: float,
    attempt: int,
    *,
    exit: Exit | None = None,
    result: bytes | None = None,
    failure: Failure | None = None,
    detail: str | None = None,
    worker_id: str = "",
) -> Record:
    """The effect that writes such a change; `worker_id`: whose attempt it ends, if any."""
    return Record(
        Change(
            job_id=job_id,
            state=state,
            at=now,
            attempt=attempt,
            exit=exit,
            result=result,
            failure=failure,
            detail=detail,
        ),
        worker_id,
    )
