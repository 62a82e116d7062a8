"""What the triggers of an app want of what they listen to, and of their job. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, TypeVar

from devbridge.constructs import Bucket, Job, OnObject, OnQueue, Queue, Trigger
from devbridge.constructs.app import App
from devbridge.constructs.triggers.done import TIMES, held, reading_time
from devbridge.constructs.triggers.queue import INVOKER_TIMEOUT

T = TypeVar("T", bound=Trigger)

_HIDDEN: Final = timedelta(seconds=30)
"""SQS's default."""
HIDDEN: Final = TIMES * INVOKER_TIMEOUT
"""How long a message is hidden while an invoker reads it."""


def triggers(app: App, kind: type[T]) -> Iterator[tuple[Job, T]]:
    """The triggers of that type in the whole app."""
    for job in app.of_type(Job):
        for trigger in job.triggers:
            if isinstance(trigger, kind):
                yield job, trigger


def readers(queue: Queue) -> list[Job]:
    """The jobs that a queue triggers."""
    return [job for job, trigger in triggers(queue.app, OnQueue) if trigger.queue is queue]


def holder(queue: Queue) -> Job | None:
    """The job that a queue holds messages for until their runs have succeeded, if there is one."""
    found = (job for job, trigger in triggers(queue.app, OnQueue) if trigger.queue is queue)
    return next((job for job in found if _holds(job, queue)), None)


def _holds(job: Job, queue: Queue) -> bool:
    return any(isinstance(each, OnQueue) and each.queue is queue for each in held(job.triggers))


def holds_inbox(job: Job) -> bool:
    """Whether the job's own queue holds messages until their runs have succeeded."""
    return any(trigger.queued for trigger in held(job.triggers))


def hidden_inbox(job: Job) -> timedelta:
    """How long a received message of the job's own queue is hidden."""
    return TIMES * reading_time(job, job.triggers) if holds_inbox(job) else HIDDEN


def hidden(queue: Queue) -> timedelta:
    """How long a received message of a queue is hidden."""
    if queue.visibility_timeout is not None:
        return queue.visibility_timeout
    if job := holder(queue):
        return TIMES * reading_time(job, job.triggers)
    return HIDDEN if readers(queue) else _HIDDEN


def tells_events(bucket: Bucket) -> bool:
    """Whether EventBridge is to hear of a bucket's objects."""
    return any(trigger.bucket is bucket for _, trigger in triggers(bucket.app, OnObject))


def has_inbox(job: Job) -> bool:
    """Whether a job has a queue of its own."""
    return any(trigger.queued for trigger in job.triggers)


def makes_dead_letters(job: Job) -> bool:
    """Whether a dead-letter queue is made for a job."""
    return bool(job.triggers) and job.on_failure is None
