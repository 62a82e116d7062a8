"""One row for each type of trigger: what it adds, and who then sends to its owner's queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devbridge.constructs import (
    Job,
    OnEvent,
    OnLoadBalancer,
    OnLog,
    OnObject,
    OnQueue,
    OnRequest,
    OnStream,
    OnTable,
    OnTopic,
    Schedule,
    Trigger,
)
from devbridge.constructs.owners import Owner
from devbridge.constructs.triggers.batching import Batched
from devbridge.deploy.arns import main_arn
from devbridge.deploy.policies import Json, sends
from devbridge.deploy.references import arn_of
from devbridge.deploy.synth.messaging import allow_sending
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers import (
    balancers,
    invocations,
    logs,
    queues,
    requests,
    rules,
    schedules,
    streams,
    topics,
)
from devbridge.deploy.synth.triggers.titles import title_of
from devbridge.deploy.synth.triggers.wanted import has_inbox, holds_inbox


def _nobody(_trigger: Any, _title: str) -> Iterator[tuple[str, Any]]:
    return iter(())


def _unnamed(_stack: Stack, _trigger: Any) -> Any:
    return None


@dataclass(frozen=True, slots=True)
class Row:
    """A type of trigger."""

    trigger: type[Trigger]
    add: Callable[[Stack, Owner, Any, str], None]
    """Adds what it is made of; the title is that of the main resource."""
    senders: Callable[[Any, str], Iterable[tuple[str, Any]]] = _nobody
    """The services that send to the job's own queue, or to a function's dead-letter queue, each
    with the ARN of what it sends for."""
    source: Callable[[Stack, Any], Any] = _unnamed
    """What its records call what they come from; None where the record names the trigger."""


ROWS: Final = (
    Row(
        OnQueue,
        queues.add_on_queue,
        source=lambda _, trigger: main_arn(trigger.queue),
    ),
    Row(
        OnTopic,
        topics.add,
        topics.senders,
        source=lambda _, trigger: main_arn(trigger.topic),
    ),
    Row(OnObject, rules.add_object, rules.senders),
    Row(OnEvent, rules.add_event, rules.senders),
    Row(Schedule, schedules.add),
    Row(OnTable, streams.add_table, source=streams.source_of_table),
    Row(OnStream, streams.add_stream, source=streams.source_of_stream),
    Row(
        OnLoadBalancer,
        balancers.add,
        source=balancers.target_group,
    ),
    Row(OnLog, logs.add, source=logs.source),
    Row(OnRequest, requests.add, source=lambda _, trigger: trigger.route),
)


def row_of(trigger: Trigger) -> Row:
    """What is known of a trigger's type."""
    return next(row for row in ROWS if row.trigger is type(trigger))


def add_triggers(stack: Stack, owner: Owner) -> None:
    """Add all that starts a job, or calls a function, by itself."""
    titled = [(trigger, title_of(owner, trigger)) for trigger in owner.triggers]
    senders = [
        (f"{service}.amazonaws.com", source)
        for trigger, title in titled
        for service, source in row_of(trigger).senders(trigger, title)
    ]
    if isinstance(owner, Job):
        queues.add_dead_letters(stack, owner, [])
        queues.add_inbox(stack, owner, _sending(queues.inbox(owner), senders))
    else:
        queues.add_dead_letters(stack, owner, _sending(queues.own_dead_letters(owner), senders))
        if owner.on_failure is not None:
            for service, source in senders:
                allow_sending(stack, owner.on_failure, service, source)
        invocations.add(stack, owner)
    for trigger, title in titled:
        row_of(trigger).add(stack, owner, trigger, title)


def _sending(queue: str, senders: Iterable[tuple[str, Any]]) -> list[Json]:
    return [sends(arn_of(queue), service, source) for service, source in senders]


def listening(stack: Stack, job: Job) -> Any:
    """What must be known of a job's triggers where messages are read: see
    `runner.messages.Listening`."""
    if not job.triggers:
        return None
    parts: list[Any] = ['{"dead":"', queues.dead_letters(job), '"']
    if has_inbox(job):
        parts += [',"inbox":"', arn_of(queues.inbox(job)), '"']
    parts.append(',"sources":{')
    known = list(_sources(stack, job))
    for number, source in enumerate(known):
        parts += [*([","] if number else []), *source]
    return {"Fn::Join": ["", [*parts, "}}"]]}


def _sources(stack: Stack, job: Job) -> Iterator[Sequence[Any]]:
    for trigger in job.triggers:
        if (source := row_of(trigger).source(stack, trigger)) is None:
            continue
        parts: list[Any] = ['"', source, f'":{{"name":{json.dumps(trigger.label)}']
        if isinstance(trigger, Batched) and trigger.batch:
            parts.append(',"together":true')
        if isinstance(trigger, OnQueue) and trigger.held:
            parts.append(',"held":true')
        if isinstance(trigger, OnQueue) and trigger.queue.dead_letter is not None:
            parts += [',"dead":"', queues.dead_letters_of(job, trigger), '"']
        yield [*parts, "}"]
    if holds_inbox(job):
        yield ['"', arn_of(queues.inbox(job)), '":{"held":true}']
