"""What runs for a later time need: a group of schedules, the role that Scheduler calls invokers
with, and a queue for what could not be delivered. Only where a job asks for it, and all but free.

Invokers are named, not referred to: their role may pass a role that may call them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job
from devbridge.deploy.policies import Json, allow, of_service, tls_only
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.queues import RETENTION, encryption

GROUP: Final = "Schedules"
ROLE: Final = "SchedulerRole"
UNDELIVERED: Final = "Undelivered"
_LABEL: Final = "runs for a later time"


def add_shared(stack: Stack, jobs: Sequence[Job]) -> None:
    """Add what the jobs share, if one of them takes runs for a later time."""
    from troposphere import scheduler, sqs

    if not (taking := [job for job in jobs if job.later]):
        return
    group = names.schedules(stack.app.name, stack.stage)
    stack.add(_LABEL, scheduler.ScheduleGroup(GROUP, Name=group))
    queue = sqs.Queue(UNDELIVERED, MessageRetentionPeriod=RETENTION, **encryption(None))
    queue.DeletionPolicy = queue.UpdateReplacePolicy = "Delete"
    stack.add(_LABEL, queue)
    policy = sqs.QueuePolicy(
        f"{UNDELIVERED}Policy",
        Queues=[ref(UNDELIVERED)],
        PolicyDocument={
            "Version": "2012-10-17",
            "Statement": [tls_only(arn_of(UNDELIVERED), action="sqs:*")],
        },
    )
    stack.add(_LABEL, policy)
    # AWS: the group, not the schedule (Scheduler, Confused deputy prevention).
    trusted = {
        **trust("scheduler.amazonaws.com"),
        "Condition": {"ArnEquals": {"aws:SourceArn": arn("scheduler", f"schedule-group/{group}")}},
    }
    invokers = [arn("lambda", f"function:{names.invoker(job, stack.stage)}") for job in taking]
    statements = [
        allow(["lambda:InvokeFunction"], invokers),
        allow(["sqs:SendMessage"], [arn_of(UNDELIVERED)]),
    ]
    stack.role(_LABEL, ROLE, [trusted], statements)


def grants(stack: Stack, jobs: Sequence[Job]) -> list[Json]:
    """What the invokers of these jobs need to schedule runs."""
    if not any(job.later for job in jobs):
        return []
    actions = of_service("scheduler", "CreateSchedule", "DeleteSchedule", "GetSchedule")
    group = names.schedules(stack.app.name, stack.stage)
    return [
        allow(actions, [arn("scheduler", f"schedule/{group}/*")]),
        allow(
            ["iam:PassRole"],
            [arn_of(ROLE)],
            {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        ),
        allow(["sqs:SendMessage"], [arn_of(UNDELIVERED)]),
    ]


def variables(job: Job, stage: str) -> dict[str, Any]:
    """What a job's invoker is told of them."""
    if not job.later:
        return {}
    return {
        "DEVBRIDGE_SCHEDULES": names.schedules(job.app.name, stage),
        "DEVBRIDGE_SCHEDULER_ROLE": arn_of(ROLE),
        "DEVBRIDGE_UNDELIVERED": arn_of(UNDELIVERED),
    }
