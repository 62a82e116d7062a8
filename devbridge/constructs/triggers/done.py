"""When the message that has started a run is deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, Protocol, cast

from devbridge.constructs.app import Construct
from devbridge.constructs.code import Code
from devbridge.constructs.compute import Compute
from devbridge.constructs.triggering import Trigger
from devbridge.durations import spelled
from devbridge.sources.base import Problem

Done = Literal["started", "succeeded"]
TIMES: Final = 6
"""AWS advises a visibility timeout of so many times the function's (Lambda, Using SQS)."""
_SPARE: Final = timedelta(seconds=30)
"""For what a function does beside running the job, of each run."""


class Runs(Protocol):
    """A job, as far as its runs are concerned."""

    compute: Compute
    timeout: timedelta
    retries: int
    concurrency: int | None


@dataclass(frozen=True, kw_only=True)
class InQueue(Trigger):
    """A trigger whose records wait in a queue.

    Args:
        done: when a message is deleted. "started": when its run is accepted; the job's `retries`
            are attempts of that run. "succeeded": when its run has succeeded; one that fails comes
            again from the queue after the job's `retry_delay`, as a run of its own, `retries`
            times, and then SQS moves it to the dead-letter queue. With compute=Lambda(), whose
            function reads the queue itself, or Fargate(workers=Workers(...)), whose tasks do.
    """

    done: Done = "started"

    @property
    def held(self) -> bool:
        """Whether the message stays in its queue until its run has succeeded."""
        return self.done == "succeeded"

    @property
    def in_turn(self) -> int:
        """How many runs one invocation of what reads it has, one after the other."""
        return 1

    def problem_beside(self, owner: Construct, triggers: Sequence[Trigger]) -> Problem | None:
        """See `Trigger.problem_beside`."""
        if self.done not in ("started", "succeeded"):
            return f"done {self.done!r}", "'started' or 'succeeded'"
        if self.held and isinstance(owner, Code) and owner.raw_events:
            allowed = "of a Job only: a function's message is always deleted when it has returned"
            return "done='succeeded'", allowed
        own = [each for each in triggers if isinstance(each, InQueue) and each.queued]
        others = [each for each in own if not each.held]
        if self.held and self.queued and others:
            allowed = "the same for both: they come to the job's own queue, which has one reader"
            return f"done='succeeded' beside {others[0]} with another one", allowed
        return _run_problem(runs_of(owner), self) if self.held else None


def runs_of(owner: Construct) -> Runs:
    """A job, seen so."""
    job: Any = owner
    return cast(Runs, job)


def held(triggers: Sequence[Trigger]) -> Iterator[InQueue]:
    """Those whose messages stay in their queue until their run has succeeded."""
    return (each for each in triggers if isinstance(each, InQueue) and each.held)


def reading_time(job: Runs, triggers: Sequence[Trigger]) -> timedelta:
    """How long one invocation of a job's function may take that reads its queues itself."""
    most = job.compute.reads or timedelta()
    runs = max((each.in_turn for each in held(triggers)), default=1)
    return min(most, runs * (job.timeout + _SPARE))


def _run_problem(job: Runs, trigger: InQueue) -> Problem | None:
    place = type(job.compute).__name__
    if (most := job.compute.reads) is None:
        return (
            f"done='succeeded' with compute={place}()",
            "with compute=Lambda(), whose function reads the queue itself, or with"
            " workers=Workers(...), whose tasks do; elsewhere 'started', for runs of any length",
        )
    runs = 1 if job.compute.workers else trigger.in_turn
    if runs > 1 and runs * (job.timeout + _SPARE) > most:
        return (
            f"done='succeeded' with {runs} runs of {spelled(job.timeout)}",
            f"{spelled(most)} at most for all of them, which one invocation may take, and"
            f" {spelled(_SPARE)} more for each: a smaller batch_size, or a shorter timeout",
        )
    if job.timeout > most:
        return (
            f"done='succeeded' with a timeout of {spelled(job.timeout)}",
            f"{spelled(most)} at most, which one {_reader(job)} may take: a shorter timeout of the"
            " job, or done='started'",
        )
    if job.concurrency is not None:
        return (
            f"done='succeeded' with concurrency={job.concurrency}",
            f"{job.compute.bounded}: messages wait in their queue, not runs",
        )
    return None


def _reader(job: Runs) -> str:
    return "message" if job.compute.workers else "invocation"
