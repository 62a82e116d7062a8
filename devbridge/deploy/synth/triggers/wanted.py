"""What the triggers of an app want of what they listen to, and of whom they call. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from devbridge.constructs import Bucket, Job, OnObject, OnQueue, Queue, Trigger
from devbridge.constructs.owners import Owner, triggers
from devbridge.constructs.triggers.done import TIMES, held, reading_time
from devbridge.constructs.triggers.queue import INVOKER_TIMEOUT

_HIDDEN: Final = timedelta(seconds=30)
"""SQS's default."""
HIDDEN: Final = TIMES * INVOKER_TIMEOUT
"""How long a message is hidden while an invoker reads it."""


def readers(queue: Queue) -> list[Owner]:
    """The jobs and functions that a queue triggers."""
    return [owner for owner, trigger in triggers(queue.app, OnQueue) if trigger.queue is queue]


def holder(queue: Queue) -> Job | None:
    """The job that a queue holds messages for until their runs have succeeded, if there is one."""
    for owner in readers(queue):
        if isinstance(owner, Job) and _holds(owner, queue):
            return owner
    return None


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
    return max((TIMES * owner.call_limit for owner in readers(queue)), default=_HIDDEN)


def tells_events(bucket: Bucket) -> bool:
    """Whether EventBridge is to hear of a bucket's objects."""
    return any(trigger.bucket is bucket for _, trigger in triggers(bucket.app, OnObject))


def has_inbox(owner: Owner) -> bool:
    """Whether it has a queue of its own: a function is called by AWS itself."""
    return isinstance(owner, Job) and any(trigger.queued for trigger in owner.triggers)


def may_give_up(owner: Owner) -> bool:
    """Whether anything of its triggers may have to go to its dead-letter queue."""
    if isinstance(owner, Job):
        return bool(owner.triggers)
    return any(not trigger.answered and not _of_its_own(trigger) for trigger in owner.triggers)


def _of_its_own(trigger: Trigger) -> bool:
    """Whether SQS itself knows where messages go that nobody can take."""
    if not isinstance(trigger, OnQueue):
        return False
    return trigger.queue.dead_letter is not None or bool(trigger.queue.known)


def makes_dead_letters(owner: Owner) -> bool:
    """Whether a dead-letter queue is made for a job or function."""
    return may_give_up(owner) and owner.on_failure is None
