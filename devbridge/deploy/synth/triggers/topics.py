"""Topics: the job's own queue is subscribed."""

from __future__ import annotations

from collections.abc import Iterator

from devbridge.constructs import Job, OnTopic
from devbridge.deploy.arns import main_arn
from devbridge.deploy.policies import Json
from devbridge.deploy.references import arn_of
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers import queues


def add(stack: Stack, job: Job, trigger: OnTopic, title: str) -> None:
    """Add the subscription."""
    from troposphere import sns

    subscription = sns.SubscriptionResource(
        title,
        TopicArn=main_arn(trigger.topic),
        Protocol="sqs",
        Endpoint=arn_of(queues.inbox(job)),
    )
    if trigger.filter is not None:
        subscription.FilterPolicy = dict(trigger.filter)
        if trigger.filter_on == "body":
            subscription.FilterPolicyScope = "MessageBody"
    stack.add(str(job), subscription)


def senders(job: Job, trigger: OnTopic, _title: str) -> Iterator[Json]:
    """Who sends to the job's own queue."""
    yield queues.may_send(job, "sns", main_arn(trigger.topic))
