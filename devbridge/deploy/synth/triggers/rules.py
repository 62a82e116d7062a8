"""Rules of EventBridge: what they match comes into the job's own queue, with the trigger's name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from devbridge.constructs import Job, OnEvent, OnObject, Trigger
from devbridge.constructs.triggers.objects import EVENTS
from devbridge.deploy.arns import main_arn
from devbridge.deploy.attributes import resolved
from devbridge.deploy.policies import Json
from devbridge.deploy.references import arn_of
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers import queues


def add_event(stack: Stack, job: Job, trigger: OnEvent, title: str) -> None:
    """Add the rule for the events of a pattern."""
    rule = _add(stack, job, trigger, title, dict(trigger.pattern))
    if trigger.bus is not None:
        rule.EventBusName = main_arn(trigger.bus)


def add_object(stack: Stack, job: Job, trigger: OnObject, title: str) -> None:
    """Add the rule for objects of a bucket. S3 tells EventBridge of them: so that several triggers
    may listen to one bucket, and what others have set up for it stays."""
    detail: dict[str, Any] = {
        "bucket": {"name": [resolved(trigger.bucket.bucket_name, stack.stage)]}
    }
    if keys := trigger.keys():
        detail["object"] = {"key": keys}
    pattern = {
        "source": ["aws.s3"],
        "detail-type": [EVENTS[event] for event in trigger.events],
        "detail": detail,
    }
    _add(stack, job, trigger, title, pattern)


def senders(job: Job, _trigger: Trigger, title: str) -> Iterator[Json]:
    """Who sends to the job's own queue."""
    yield queues.may_send(job, "events", arn_of(title))


def _add(stack: Stack, job: Job, trigger: Trigger, title: str, pattern: Mapping[str, Any]) -> Any:
    from troposphere import events

    head = json.dumps({"kind": trigger.kind, "name": trigger.label})
    target = events.Target(
        Id="inbox",
        Arn=arn_of(queues.inbox(job)),
        InputTransformer=events.InputTransformer(
            InputTemplate=f'{{"devbridge":{head},"event":<aws.events.event.json>}}',
        ),
    )
    rule = events.Rule(
        title,
        Description=f"starts job {job.name}: {trigger}",
        EventPattern=dict(pattern),
        State="ENABLED",
        Targets=[target],
    )
    stack.add(str(job), rule, job.tags)
    return rule
