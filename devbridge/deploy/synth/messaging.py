"""Queues and topics, who may send to them, and who gets what is published.

AWS keeps one policy of a queue or topic: another takes its place. So whoever has a service send to
one says so here, and the policy is written when all have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Bindable, Queue, Topic
from devbridge.constructs.messaging import RECEIVES, Subscriber, is_mail
from devbridge.deploy.arns import main_arn
from devbridge.deploy.policies import Json, document, sends, tls_only
from devbridge.deploy.references import arn_of, ref
from devbridge.deploy.synth.data import has_policy
from devbridge.deploy.synth.permissions import permit
from devbridge.deploy.synth.stack import Stack, keep
from devbridge.deploy.synth.triggers.queues import dead_letters, encryption
from devbridge.deploy.synth.triggers.wanted import hidden, holder, readers

SNS: Final = "sns.amazonaws.com"
_OWNER_MAY: Final = (
    "AddPermission",
    "DeleteTopic",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "Publish",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
)
"""Of the policy that SNS gives a topic which is made without one (SNS, access control)."""
_QUEUE_POLICIES: Final = ("AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy")
_TOPIC_POLICIES: Final = ("AWS::SNS::TopicPolicy", "AWS::SNS::TopicInlinePolicy")


# --- queues ---------------------------------------------------------------------------------------


def add_queue(stack: Stack, queue: Queue) -> None:
    """Add a queue; its policy follows, see `add_queue_policies`."""
    from troposphere import sqs

    resource = sqs.Queue(
        names.logical(queue),
        VisibilityTimeout=int(hidden(queue).total_seconds()),
        MessageRetentionPeriod=int(queue.retention.total_seconds()),
        **encryption(queue.encryption_key),
    )
    if queue.fifo:
        resource.FifoQueue = True
    if dead := _dead_letters(queue):
        job = holder(queue)
        resource.RedrivePolicy = sqs.RedrivePolicy(
            deadLetterTargetArn=dead,
            maxReceiveCount=job.retries + 1 if job else queue.max_receives or RECEIVES,
        )
    keep(resource, queue.removal, stack.settings.mode)
    stack.add_main(queue, resource)


def _dead_letters(queue: Queue) -> Any:
    """The ARN of a queue's dead-letter queue: its own, or that of the job that it triggers."""
    if queue.dead_letter:
        return main_arn(queue.dead_letter)
    jobs = readers(queue)
    return dead_letters(jobs[0]) if jobs else None


def allow_sending(stack: Stack, queue: Queue, service: str, source: Any) -> str | None:
    """Let a service of AWS send messages to a queue, for one of its resources.

    Args:
        service: ``sns.amazonaws.com``
        source: the ARN of the topic, rule ... for which it sends.

    Returns:
        The logical id of the queue's policy, for who must not send before (DependsOn); None if
        the queue exists, or app.py has added a policy of its own for it: that is the only one then.
    """
    if queue.known or has_policy(stack, names.logical(queue), *_QUEUE_POLICIES):
        return None
    sources = stack.senders.setdefault(names.logical(queue), {}).setdefault(service, [])
    if source not in sources:
        sources.append(source)
    return names.logical(queue, "Policy")


def sending(queue: str, service: str, sources: Sequence[Any]) -> Json:
    """The statement of a queue's policy that lets a service send to it for those resources.

    Args:
        queue: its logical id.
    """
    return sends(arn_of(queue), service, list(sources))


def add_queue_policies(stack: Stack, queues: Sequence[Queue]) -> None:
    """Add the policies that close queues to what is not TLS and open them to those who may send:
    after all that may have asked for it."""
    from troposphere import sqs

    for queue in queues:
        title = names.logical(queue)
        statements = [
            sending(title, service, sources)
            for service, sources in sorted(stack.senders.get(title, {}).items())
        ]
        if stack.settings.tls:
            statements.append(tls_only(arn_of(title), action="sqs:*"))
        if not statements or has_policy(stack, title, *_QUEUE_POLICIES):
            continue
        policy = sqs.QueuePolicy(
            names.logical(queue, "Policy"), Queues=[ref(title)], PolicyDocument=document(statements)
        )
        keep(policy, queue.removal, stack.settings.mode)
        stack.add(str(queue), policy)


# --- topics ---------------------------------------------------------------------------------------


def add_topic(stack: Stack, topic: Topic) -> None:
    """Add a topic and its subscriptions; its policy follows, see `add_topic_policies`."""
    from troposphere import sns

    resource = sns.Topic(names.logical(topic))
    if topic.fifo:
        resource.FifoTopic = True
        # The names that CloudFormation makes have no ".fifo" at their end, which SNS wants.
        resource.TopicName = names.fifo_topic(topic, stack.stage)
    if topic.encryption_key:
        resource.KmsMasterKeyId = topic.encryption_key
    stack.add_main(topic, resource)
    for subscriber in topic.subscribers:
        _add_subscription(stack, topic, subscriber)


def _add_subscription(stack: Stack, topic: Topic, subscriber: Subscriber) -> None:
    from troposphere import sns

    title, label = names.logical(topic), f"{topic}, subscriber {_called(subscriber)}"
    made = sns.SubscriptionResource(f"{title}To{_id(subscriber)}", TopicArn=ref(title))
    if isinstance(subscriber, str):
        made.Protocol, made.Endpoint = ("email" if is_mail(subscriber) else "https"), subscriber
    elif isinstance(subscriber, Queue):
        made.Protocol, made.Endpoint = "sqs", main_arn(subscriber)
        if policy := allow_sending(stack, subscriber, SNS, ref(title)):
            made.DependsOn = policy
    else:
        made.Protocol, made.Endpoint = "lambda", main_arn(subscriber)
        made.DependsOn = _add_permission(stack, topic, subscriber, label)
    stack.add(label, made)


def _called(subscriber: Subscriber) -> str:
    return repr(subscriber) if isinstance(subscriber, str) else str(subscriber)


def _id(subscriber: Subscriber) -> str:
    if isinstance(subscriber, str):
        return hashlib.sha256(subscriber.encode()).hexdigest()[:8]
    return names.logical(subscriber)


def _add_permission(stack: Stack, topic: Topic, function: Bindable, label: str) -> str:
    title, target = names.logical(topic), names.logical(function)
    return permit(stack, label, f"{title}May{target}", ref(target), SNS, ref(title))


def allow_publishing(stack: Stack, topic: Topic, service: str) -> None:
    """Let a service of AWS publish to a topic, for what this account has there.

    Args:
        service: ``cloudwatch.amazonaws.com``
    """
    # That of a topic that exists is not written: see `add_topic_policies`.
    stack.senders.setdefault(names.logical(topic), {}).setdefault(service, [])


def add_topic_policies(stack: Stack, topics: Sequence[Topic]) -> None:
    """Add the policies that close topics to what is not TLS and open them to those who may publish:
    after all that may have asked for it."""
    from troposphere import sns

    for topic in topics:
        title = names.logical(topic)
        services = sorted(stack.senders.get(title, {}))
        wanted = stack.settings.tls or services
        if not wanted or has_policy(stack, title, *_TOPIC_POLICIES):
            continue
        # A topic's policy takes no wildcards that mean more than SNS has for topics.
        closed = [tls_only(ref(title), action="sns:Publish")] if stack.settings.tls else []
        admitted = [_publishing(title, service) for service in services]
        statements = [_default(title), *admitted, *closed]
        policy = sns.TopicPolicy(
            names.logical(topic, "Policy"), Topics=[ref(title)], PolicyDocument=document(statements)
        )
        stack.add(str(topic), policy)


def _default(title: str) -> Json:
    """What a topic without a policy allows, which a policy replaces."""
    return {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"sns:{action}" for action in _OWNER_MAY],
        "Resource": ref(title),
        "Condition": {"StringEquals": {"AWS:SourceOwner": ref("AWS::AccountId")}},
    }


def _publishing(title: str, service: str) -> Json:
    return {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sns:Publish",
        "Resource": ref(title),
        "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
    }
