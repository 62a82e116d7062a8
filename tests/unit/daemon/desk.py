"""A supervisor for tests: with a clock, and what it has decided so far."""

from __future__ import annotations

from typing import TypeVar

from devbridge.daemon.events import (
    Effect,
    Event,
    Give,
    Launch,
    Record,
    Requested,
    StandbyReady,
)
from devbridge.daemon.supervisor import Supervisor
from devbridge.runs.ledger import Change
from devbridge.runs.model import JobSpec, State
from runner.outcome import Failure

START = 1_000.0
GRACE = 10.0
TIMEOUT = 60.0
OOPS = Failure("SyntaxError", "invalid syntax")


def spec(name: str, handler: str = "jobs/a.handler") -> JobSpec:
    return JobSpec(
        name=name,
        handler=handler,
        timeout=TIMEOUT,
        memory_mb=3072,
        role_arn="arn:aws:iam::000000000000:role/r",
        environment={},
    )


class Desk:
    """A supervisor with a clock, and what it has decided so far."""

    def __init__(
        self,
        *jobs: str,
        concurrency: int = 2,
        fail_when_broken: bool = True,
        standbys: bool = True,
        starts: int = 1000,
    ) -> None:
        self.now = START
        self.supervisor = Supervisor(
            {name: spec(name) for name in jobs or ("a",)},
            concurrency=concurrency,
            grace=GRACE,
            fail_when_broken=fail_when_broken,
            standbys=standbys,
            starts=starts,
        )
        self.seen: list[Effect] = self.supervisor.handle([], self.now)

    def __call__(self, *events: Event, after: float = 0.0) -> list[Effect]:
        self.now += after
        effects = self.supervisor.handle(events, self.now)
        self.seen += effects
        return effects

    def launched(self, job: str = "a") -> list[str]:
        return [e.worker_id for e in self.seen if isinstance(e, Launch) and e.job == job]

    def standby(self, job: str = "a") -> str:
        """Make the newest worker ready."""
        worker = self.launched(job)[-1]
        self(StandbyReady(worker))
        return worker

    def running(self, job_id: str = "r1", job: str = "a") -> str:
        """Start a run on a fresh standby."""
        worker = self.standby(job)
        assert only(self(Requested(job_id, job)), Give) == [
            Give(worker, job, job_id, 1, self.now + TIMEOUT)
        ]
        return worker


T = TypeVar("T")


def only(effects: list[Effect], kind: type[T]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]


def changes(effects: list[Effect]) -> list[tuple[str, State]]:
    return [(e.change.job_id, e.change.state) for e in only(effects, Record)]


def last_change(effects: list[Effect]) -> Change:
    return only(effects, Record)[-1].change
