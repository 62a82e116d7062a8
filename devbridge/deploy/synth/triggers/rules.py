"""Rules of EventBridge: what they match comes into the job's own queue, with the trigger's
name, or to the function itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from devbridge.constructs import Job, OnEvent, OnObject, Trigger
from devbridge.constructs.owners import Owner
from devbridge.constructs.triggers.objects import EVENTS
from devbridge.deploy.arns import main_arn
from devbridge.deploy.attributes import resolved
from devbridge.deploy.references import arn_of
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers import queues
from devbridge.deploy.synth.triggers.called import called, what
from devbridge.deploy.synth.triggers.permissions import permit


def add_event(stack: Stack, owner: Owner, trigger: OnEvent, title: str) -> None:
    """Add the rule for the events of a pattern."""
    rule = _add(stack, owner, trigger, title, dict(trigger.pattern))
    if trigger.bus is not None:
        rule.EventBusName = main_arn(trigger.bus)


def add_object(stack: Stack, owner: Owner, trigger: OnObject, title: str) -> None:
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
    _add(stack, owner, trigger, title, pattern)


def senders(_trigger: Trigger, title: str) -> Iterator[tuple[str, Any]]:
    """See `topics.senders`."""
    yield "events", arn_of(title)


def _add(
    stack: Stack, owner: Owner, trigger: Trigger, title: str, pattern: Mapping[str, Any]
) -> Any:
    from troposphere import events

    rule = events.Rule(
        title,
        Description=f"{what(owner)}: {trigger}",
        EventPattern=dict(pattern),
        State="ENABLED",
        Targets=[_target(owner, trigger)],
    )
    stack.add(str(owner), rule, owner.tags)
    if not isinstance(owner, Job):
        permit(stack, owner, title, "events", arn_of(title))
    return rule


def _target(owner: Owner, trigger: Trigger) -> Any:
    from troposphere import events

    if not isinstance(owner, Job):
        dead = events.DeadLetterConfig(Arn=queues.dead_letters(owner))
        return events.Target(Id="function", Arn=arn_of(called(owner)), DeadLetterConfig=dead)
    head = json.dumps({"kind": trigger.kind, "name": trigger.label})
    return events.Target(
        Id="inbox",
        Arn=arn_of(queues.inbox(owner)),
        InputTransformer=events.InputTransformer(
            InputTemplate=f'{{"devbridge":{head},"event":<aws.events.event.json>}}',
        ),
    )
