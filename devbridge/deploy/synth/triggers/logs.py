"""Logs: a subscription filter, whose records CloudWatch calls the invoker or the function with."""

from __future__ import annotations

from typing import Any

from devbridge import names
from devbridge.constructs import Job, OnLog
from devbridge.constructs.owners import Owner
from devbridge.deploy.references import arn_of, ref
from devbridge.deploy.synth.placement import in_cloud
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.called import called
from devbridge.deploy.synth.triggers.permissions import permit


def add(stack: Stack, owner: Owner, trigger: OnLog, title: str) -> None:
    """Add the filter. A job that runs on a laptop only has no log group."""
    from troposphere import logs

    if isinstance(trigger.of, Job) and not in_cloud(trigger.of, stack.settings):
        return
    group = names.logical(trigger.of, "Logs")
    permission = permit(stack, owner, title, "logs", arn_of(group))
    made = logs.SubscriptionFilter(
        title,
        LogGroupName=ref(group),
        FilterPattern=trigger.pattern,
        DestinationArn=arn_of(called(owner)),
        # CloudWatch calls the function once, to see whether it may.
        DependsOn=permission,
    )
    stack.add(str(owner), made)


def source(stack: Stack, trigger: OnLog) -> Any:
    """What the records call the log group."""
    of = trigger.of
    if isinstance(of, Job):
        return names.job_log_group(of, stack.stage)
    return names.function_log_group(of, stack.stage)
