"""What tasks can read that never stop: one queue, as SQS itself hands its messages out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from devbridge.constructs.triggering import Trigger
from devbridge.constructs.triggers.done import Runs, held
from devbridge.constructs.triggers.queue import OnQueue
from devbridge.sources.base import Problem

_LAMBDAS: Final = ("batch_size", "window_seconds", "max_concurrency", "filter")
"""Options of what Lambda reads for others."""


def workers_problem(job: Runs, triggers: Sequence[Trigger]) -> Problem | None:
    """What of a job's triggers its workers could not read, and what is allowed."""
    if not job.compute.workers:
        return None
    own = list(held(triggers))
    read = [each for each in own if isinstance(each, OnQueue)]
    queues = len(read) + any(each.queued for each in own)
    if queues != 1:
        which = f"{queues} queues to read" if queues else "no trigger"
        if not queues and triggers:
            which = f"{triggers[0]} without done='succeeded'"
        allowed = (
            "exactly one: triggers=[OnQueue(queue, done='succeeded')], or others with"
            " done='succeeded', which come to the job's own queue"
        )
        return f"{job.compute.workers} with {which}", allowed
    for trigger in read:
        for name in _LAMBDAS:
            if getattr(trigger, name):
                option = name.removesuffix("_seconds")
                allowed = f"no {option}: it is Lambda's, which does not read for workers"
                return f"workers with {trigger} and its {option}", allowed
    return None
