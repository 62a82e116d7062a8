"""Queues that a job's invoker or a function reads: the app's, and the job's own; and dead-letter
queues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Construct, Function, Job, OnQueue
from devbridge.constructs.dead_letters import KEPT
from devbridge.constructs.owners import Owner
from devbridge.constructs.triggers.done import held
from devbridge.deploy.arns import main_arn
from devbridge.deploy.attributes import resolved
from devbridge.deploy.policies import KEY_USE, Json, allow, document, of_service, tls_only
from devbridge.deploy.references import arn_of, attribute, dump, ref
from devbridge.deploy.synth.stack import Stack, keep
from devbridge.deploy.synth.triggers.mappings import (
    add_mapping,
    filters,
    reads_itself,
    scaling,
)
from devbridge.deploy.synth.triggers.wanted import (
    has_inbox,
    hidden_inbox,
    holds_inbox,
    makes_dead_letters,
    may_give_up,
)

RETENTION: Final = int(KEPT.total_seconds())
"""Seconds that a job's own queues keep a message."""
MAX_RECEIVES: Final = 5
"""How often a message whose run cannot be started is read: AWS advises 5 or more for a queue that
Lambda reads (Lambda, Using SQS)."""
AT_ONCE: Final = 10
CONCURRENCY: Final = 5
"""Messages that one invoker gets of a job's own queue, and invokers that read it at a time."""
_READS: Final = of_service("sqs", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_SENDS: Final = ("sqs:SendMessage", "sqs:GetQueueUrl")


def encryption(key: str | None) -> Json:
    """How SQS is to encrypt a queue, as its properties say it: with that key, or with its own."""
    return {"KmsMasterKeyId": key} if key else {"SqsManagedSseEnabled": True}


def inbox(job: Job) -> str:
    """The title of the queue of a job's own."""
    return names.logical(job, "Inbox")


def dead_letters(owner: Owner) -> Any:
    """The ARN of the queue for what has failed for good."""
    own = owner.on_failure
    return arn_of(own_dead_letters(owner)) if own is None else main_arn(own)


def dead_letters_of(owner: Owner, trigger: OnQueue) -> Any:
    """The ARN of that of a queue which triggers a job or function."""
    own = trigger.queue.dead_letter
    return dead_letters(owner) if own is None else main_arn(own)


def own_dead_letters(owner: Construct) -> str:
    """The title of the dead-letter queue that is made for a job or function, if one is."""
    return names.logical(owner, "DeadLetters")


def add_dead_letters(stack: Stack, owner: Owner, senders: Sequence[Json]) -> None:
    """Add the dead-letter queue of its own, if it needs one.

    Args:
        senders: the statements of who may send to it beside those who have a role for that.
    """
    if makes_dead_letters(owner):
        title = own_dead_letters(owner)
        _add_queue(stack, owner, title)
        _add_policy(stack, owner, title, senders)


def add_inbox(stack: Stack, job: Job, senders: Sequence[Json]) -> None:
    """Add the queue of a job's own, if its triggers need it.

    Args:
        senders: the statements of who may send to it.
    """
    from troposphere import sqs

    if not has_inbox(job):
        return
    title, attempts = inbox(job), job.retries + 1 if holds_inbox(job) else MAX_RECEIVES
    _add_queue(
        stack,
        job,
        title,
        VisibilityTimeout=int(hidden_inbox(job).total_seconds()),
        RedrivePolicy=sqs.RedrivePolicy(
            deadLetterTargetArn=dead_letters(job), maxReceiveCount=attempts
        ),
    )
    _add_policy(stack, job, title, senders)
    itself = holds_inbox(job) and reads_itself(stack, job)
    add_mapping(
        stack,
        job,
        names.logical(job, "ReadsInbox"),
        itself=itself,
        EventSourceArn=arn_of(title),
        BatchSize=1 if itself else AT_ONCE,
        ScalingConfig=scaling(CONCURRENCY),
    )


def add_on_queue(stack: Stack, owner: Owner, trigger: OnQueue, title: str) -> None:
    """Have the invoker or the function get the messages of a queue of the app's."""
    more: dict[str, Any] = {}
    if trigger.window_seconds:
        more["MaximumBatchingWindowInSeconds"] = trigger.window_seconds
    if trigger.max_concurrency is not None:
        more["ScalingConfig"] = scaling(trigger.max_concurrency)
    if (criteria := trigger.criteria()) is not None:
        more["FilterCriteria"] = filters(criteria)
    queue, size = trigger.queue, trigger.at_once
    itself = trigger.held and reads_itself(stack, owner)
    if trigger.held and not itself and not trigger.batch:
        # The runs do not follow each other in one invocation, and nothing may overtake in a group.
        size = 1 if queue.fifo else AT_ONCE
    add_mapping(
        stack, owner, title, itself=itself, EventSourceArn=main_arn(queue), BatchSize=size, **more
    )


def grants(stack: Stack, jobs: Sequence[Job]) -> list[Json]:
    """What the invokers of these jobs need of queues: to read them, and to give messages up."""
    read, sent = list[Any](), list[Any]()
    for job in jobs:
        sent += _given_up(job)
        others = _held(job) if reads_itself(stack, job) else []
        read += [arn for arn in _read(job) if arn not in others]
    statements = []
    if read:
        statements.append(allow(_READS, _once(read)))
    if sent:
        statements.append(allow(_SENDS, _once(sent)))
    if keys := sorted({key for job in jobs for key in _keys(job)}):
        statements.append(allow(KEY_USE, keys))
    return statements


def holds(stack: Stack, job: Job) -> list[Json]:
    """What a job's own role needs of the queues that hold messages until their runs have succeeded:
    to read them where its function does that, and to tell them of the end."""
    if not (arns := _once(_held(job))):
        return []
    actions = _READS if reads_itself(stack, job) else ("sqs:DeleteMessage", "sqs:GetQueueUrl")
    return [allow((*actions, "sqs:ChangeMessageVisibility"), arns)]


def _read(job: Job) -> list[Any]:
    """The ARNs of the queues that are read for a job."""
    own = [arn_of(inbox(job))] if has_inbox(job) else []
    return [*own, *(main_arn(each.queue) for each in job.triggers if isinstance(each, OnQueue))]


def _held(job: Job) -> list[Any]:
    """Of those, the ones that hold messages until their runs have succeeded."""
    own = [arn_of(inbox(job))] if holds_inbox(job) else []
    return [
        *own,
        *(main_arn(each.queue) for each in held(job.triggers) if isinstance(each, OnQueue)),
    ]


def read_by_workers(stack: Stack, job: Job) -> tuple[Any, Any, int]:
    """Of the queue that a job's workers read: its ARN, its name, and how many messages are a run.
    There is exactly one."""
    if holds_inbox(job):
        return arn_of(inbox(job)), attribute(inbox(job), "QueueName"), 1
    (trigger,) = (each for each in held(job.triggers) if isinstance(each, OnQueue))
    name = resolved(trigger.queue.queue_name, stack.stage)
    return main_arn(trigger.queue), name, trigger.batch or 1


def function_grants(function: Function) -> list[Json]:
    """What a function needs of queues: to be given what is read of them, and to have given up what
    is read of streams, or called with and not waited for."""
    queues = [each.queue for each in function.triggers if isinstance(each, OnQueue)]
    statements = [allow(_READS, _once([main_arn(each) for each in queues]))] if queues else []
    keys = {str(each.encryption_key) for each in queues if each.encryption_key}
    if any(not each.answered and not isinstance(each, OnQueue) for each in function.triggers):
        statements.append(allow(_SENDS[:1], [dead_letters(function)]))
        keys.update(dead_letter_keys(function))
    return [*statements, allow(KEY_USE, sorted(keys))] if keys else statements


def dead_letter_keys(owner: Owner) -> list[str]:
    """The ARN of the key that the queue for what has failed for good is encrypted with, if any."""
    key = (owner.on_failure or owner).encryption_key
    return [key] if key else []


def _keys(job: Job) -> Iterator[str]:
    """Of queues that are not encrypted as the job is."""
    given = [each.queue for each in job.triggers if isinstance(each, OnQueue)]
    dead = [queue.dead_letter for queue in given]
    for queue in (*given, *dead, job.on_failure):
        if queue is not None and queue.encryption_key not in (None, job.encryption_key):
            yield str(queue.encryption_key)


def gives_up(job: Job) -> list[Json]:
    """What a job's own role needs to give messages up."""
    sent, keys = _given_up(job), sorted(set(_keys(job)))
    statements = [allow(_SENDS, _once(sent))] if sent else []
    return [*statements, allow(KEY_USE, keys)] if keys else statements


def _given_up(job: Job) -> list[Any]:
    """Where its messages may end."""
    if not may_give_up(job):
        return []
    own = [dead_letters_of(job, each) for each in job.triggers if isinstance(each, OnQueue)]
    return [dead_letters(job), *own]


def _once(arns: Sequence[Any]) -> list[Any]:
    known = {each if isinstance(each, str) else dump(each.to_dict()): each for each in arns}
    return list(known.values())


def _add_queue(stack: Stack, owner: Owner, title: str, **properties: Any) -> None:
    from troposphere import sqs

    properties |= encryption(owner.encryption_key)
    queue = sqs.Queue(title, MessageRetentionPeriod=RETENTION, **properties)
    keep(queue, None, stack.settings.mode)
    stack.add(str(owner), queue, owner.tags)


def _add_policy(stack: Stack, owner: Owner, title: str, senders: Sequence[Json]) -> None:
    from troposphere import sqs

    tls = [tls_only(arn_of(title), action="sqs:*")] if stack.settings.tls else []
    if statements := [*senders, *tls]:
        policy = sqs.QueuePolicy(
            f"{title}Policy", Queues=[ref(title)], PolicyDocument=document(statements)
        )
        keep(policy, None, stack.settings.mode)
        stack.add(str(owner), policy)
