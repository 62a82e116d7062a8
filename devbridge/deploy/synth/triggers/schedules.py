"""Schedules of EventBridge Scheduler, which send to the job's own queue."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Final

from devbridge import names
from devbridge.constructs import Job, Schedule
from devbridge.deploy.policies import KEY_USE, allow
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn_of, ref
from devbridge.deploy.synth.placement import has_invoker
from devbridge.deploy.synth.stack import Settings, Stack
from devbridge.deploy.synth.triggers import queues

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


def is_on(job: Job, trigger: Schedule, settings: Settings) -> bool:
    """Whether a schedule starts anything on that kind of stage: in development the clock does only
    where somebody has asked for it."""
    return trigger.enabled and (settings.schedules or has_invoker(job, settings))


def add(stack: Stack, job: Job, trigger: Schedule, title: str) -> None:
    """Add the schedule; with the first of a job's, the role that Scheduler sends with."""
    from troposphere import scheduler

    role = names.logical(job, "SchedulerRole")
    if role not in stack.labels:
        _add_role(stack, job, role)
    schedule = scheduler.Schedule(
        title,
        Description=f"starts job {job.name}: {trigger}",
        ScheduleExpression=trigger.expression,
        ScheduleExpressionTimezone=trigger.timezone,
        FlexibleTimeWindow=scheduler.FlexibleTimeWindow(Mode="OFF"),
        State="ENABLED" if is_on(job, trigger, stack.settings) else "DISABLED",
        Target=scheduler.Target(
            Arn=arn_of(queues.inbox(job)), RoleArn=arn_of(role), Input=told(trigger)
        ),
    )
    if trigger.start is not None:
        schedule.StartDate = trigger.start.astimezone(UTC).strftime(_TIME)
    if trigger.end is not None:
        schedule.EndDate = trigger.end.astimezone(UTC).strftime(_TIME)
    stack.add(str(job), schedule)


def told(trigger: Schedule) -> str:
    """The message, with what Scheduler replaces: each time has an id, which is the same whenever
    Scheduler tries again."""
    head = {
        "kind": trigger.kind,
        "name": trigger.label,
        "id": "<aws.scheduler.schedule-arn>/<aws.scheduler.scheduled-time>",
    }
    event = {
        "time": "<aws.scheduler.scheduled-time>",
        "schedule": "<aws.scheduler.schedule-arn>",
        "expression": trigger.expression,
        "timezone": trigger.timezone,
    }
    parts = (json.dumps(head), json.dumps(event), trigger.payload_text())
    return '{{"devbridge":{},"event":{},"payload":{}}}'.format(*parts)


def _add_role(stack: Stack, job: Job, title: str) -> None:
    trusted = {
        **trust("scheduler.amazonaws.com"),
        # Nobody else's schedules (Scheduler, Confused deputy prevention).
        "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
    }
    statements = [allow(["sqs:SendMessage"], [arn_of(queues.inbox(job))])]
    if job.encryption_key:
        statements.append(allow(KEY_USE, [job.encryption_key]))
    stack.role(str(job), title, [trusted], statements, job)
