"""One row for each type of trigger: what it adds, and who then sends to the job's own queue."""

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
from devbridge.constructs.triggers.batching import Batched
from devbridge.deploy.arns import main_arn
from devbridge.deploy.policies import Json
from devbridge.deploy.references import arn_of
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers import (
    balancers,
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


def _nobody(_job: Job, _trigger: Any, _title: str) -> Iterator[Json]:
    return iter(())


def _unnamed(_stack: Stack, _trigger: Any) -> Any:
    return None


@dataclass(frozen=True, slots=True)
class Row:
    """A type of trigger."""

    trigger: type[Trigger]
    add: Callable[[Stack, Job, Any, str], None]
    """Adds what it is made of; the title is that of the main resource."""
    senders: Callable[[Job, Any, str], Iterable[Json]] = _nobody
    """The statements of who sends to the job's own queue."""
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


def add_triggers(stack: Stack, job: Job) -> None:
    """Add all that starts a job by itself."""
    titled = [(trigger, title_of(job, trigger)) for trigger in job.triggers]
    senders = [
        statement
        for trigger, title in titled
        for statement in row_of(trigger).senders(job, trigger, title)
    ]
    queues.add_own(stack, job, senders)
    for trigger, title in titled:
        row_of(trigger).add(stack, job, trigger, title)


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
