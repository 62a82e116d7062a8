"""Schedules of EventBridge Scheduler, which send to the job's own queue, or call the function."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job, Schedule
from devbridge.constructs.owners import Owner
from devbridge.deploy.policies import KEY_USE, allow
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn_of, ref
from devbridge.deploy.synth.stack import Settings, Stack
from devbridge.deploy.synth.triggers import queues
from devbridge.deploy.synth.triggers.called import called, what

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


def is_on(owner: Owner, trigger: Schedule, settings: Settings) -> bool:
    """Whether a schedule starts anything on that kind of stage: in development the clock does only
    where somebody has asked for it, but of jobs that never run on a laptop."""
    asked = settings.schedules or settings.mode == "deployed"
    return trigger.enabled and (asked or (isinstance(owner, Job) and not owner.live))


def add(stack: Stack, owner: Owner, trigger: Schedule, title: str) -> None:
    """Add the schedule; with the first of its owner's, the role that Scheduler has for it."""
    from troposphere import scheduler

    role = names.logical(owner, "SchedulerRole")
    if role not in stack.labels:
        _add_role(stack, owner, role)
    schedule = scheduler.Schedule(
        title,
        Description=f"{what(owner)}: {trigger}",
        ScheduleExpression=trigger.expression,
        ScheduleExpressionTimezone=trigger.timezone,
        FlexibleTimeWindow=scheduler.FlexibleTimeWindow(Mode="OFF"),
        State="ENABLED" if is_on(owner, trigger, stack.settings) else "DISABLED",
        Target=_target(owner, trigger, role),
    )
    if trigger.start is not None:
        schedule.StartDate = trigger.start.astimezone(UTC).strftime(_TIME)
    if trigger.end is not None:
        schedule.EndDate = trigger.end.astimezone(UTC).strftime(_TIME)
    stack.add(str(owner), schedule)


def _target(owner: Owner, trigger: Schedule, role: str) -> Any:
    from troposphere import scheduler

    if isinstance(owner, Job):
        inbox = arn_of(queues.inbox(owner))
        return scheduler.Target(Arn=inbox, RoleArn=arn_of(role), Input=told(trigger))
    target = scheduler.Target(
        Arn=arn_of(called(owner)),
        RoleArn=arn_of(role),
        DeadLetterConfig=scheduler.DeadLetterConfig(Arn=queues.dead_letters(owner)),
    )
    if trigger.payload is not None:  # else Scheduler has an event of its own
        target.Input = trigger.payload_text()
    return target


def told(trigger: Schedule) -> str:
    """The message, with what Scheduler replaces: each time has an id, which is the same whenever
    Scheduler tries again."""
    head = {
        "kind": trigger.kind,
        "name": trigger.label,
        "id": "<aws.scheduler.schedule-arn>/<aws.scheduler.scheduled-time>",
        "alone": not (trigger.overlap or trigger.held),
    }
    event = {
        "time": "<aws.scheduler.scheduled-time>",
        "schedule": "<aws.scheduler.schedule-arn>",
        "expression": trigger.expression,
        "timezone": trigger.timezone,
    }
    parts = (json.dumps(head), json.dumps(event), trigger.payload_text())
    return '{{"devbridge":{},"event":{},"payload":{}}}'.format(*parts)


def _add_role(stack: Stack, owner: Owner, title: str) -> None:
    trusted = {
        **trust("scheduler.amazonaws.com"),
        # Nobody else's schedules (Scheduler, Confused deputy prevention).
        "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
    }
    if isinstance(owner, Job):
        statements = [allow(["sqs:SendMessage"], [arn_of(queues.inbox(owner))])]
        keys = [owner.encryption_key] if owner.encryption_key else []
    else:
        statements = [
            allow(["lambda:InvokeFunction"], [arn_of(called(owner))]),
            allow(["sqs:SendMessage"], [queues.dead_letters(owner)]),
        ]
        keys = queues.dead_letter_keys(owner)
    if keys:
        statements.append(allow(KEY_USE, keys))
    stack.role(str(owner), title, [trusted], statements, owner)
