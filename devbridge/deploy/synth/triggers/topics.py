"""Topics: the job's own queue is subscribed, or the function itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from devbridge.constructs import Job, OnTopic
from devbridge.constructs.owners import Owner
from devbridge.deploy.arns import main_arn
from devbridge.deploy.references import arn_of
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers import queues
from devbridge.deploy.synth.triggers.called import called
from devbridge.deploy.synth.triggers.permissions import permit


def add(stack: Stack, owner: Owner, trigger: OnTopic, title: str) -> None:
    """Add the subscription."""
    from troposphere import sns

    subscription = sns.SubscriptionResource(title, TopicArn=main_arn(trigger.topic))
    if isinstance(owner, Job):
        subscription.Protocol, subscription.Endpoint = "sqs", arn_of(queues.inbox(owner))
    else:
        subscription.Protocol, subscription.Endpoint = "lambda", arn_of(called(owner))
        subscription.RedrivePolicy = {"deadLetterTargetArn": queues.dead_letters(owner)}
        subscription.DependsOn = permit(stack, owner, title, "sns", main_arn(trigger.topic))
    if trigger.filter is not None:
        subscription.FilterPolicy = dict(trigger.filter)
        if trigger.filter_on == "body":
            subscription.FilterPolicyScope = "MessageBody"
    stack.add(str(owner), subscription)


def senders(trigger: OnTopic, _title: str) -> Iterator[tuple[str, Any]]:
    """Which service sends for which of its resources, to the queue of a job's own; or sends what
    cannot be delivered to a function."""
    yield "sns", main_arn(trigger.topic)
