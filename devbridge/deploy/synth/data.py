"""Tables, buckets, queues and topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Bucket, Queue, Table, Topic
from devbridge.deploy.arns import main_arn
from devbridge.deploy.policies import Json, document, tls_only
from devbridge.deploy.references import arn_of, attribute, ref, references, sub
from devbridge.deploy.synth.stack import Stack, is_kept, keep
from devbridge.deploy.synth.triggers.queues import dead_letters
from devbridge.deploy.synth.triggers.wanted import hidden, readers, tells_events

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


def add_table(stack: Stack, table: Table) -> None:
    """Add a table."""
    from troposphere import dynamodb

    keys = [key for key in (table.partition_key, table.sort_key) if key]
    resource = dynamodb.Table(
        names.logical(table),
        AttributeDefinitions=[
            dynamodb.AttributeDefinition(AttributeName=key, AttributeType="S") for key in keys
        ],
        KeySchema=[
            dynamodb.KeySchema(AttributeName=key, KeyType=kind)
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    if table.encryption_key:
        resource.SSESpecification = dynamodb.SSESpecification(
            SSEEnabled=True, SSEType="KMS", KMSMasterKeyId=table.encryption_key
        )
    if table.point_in_time_recovery:
        resource.PointInTimeRecoverySpecification = dynamodb.PointInTimeRecoverySpecification(
            PointInTimeRecoveryEnabled=True
        )
    # What is to go could not.
    if table.deletion_protection and is_kept(table.removal, stack.settings.mode):
        resource.DeletionProtectionEnabled = True
    if table.stream:
        view = table.stream.upper()
        resource.StreamSpecification = dynamodb.StreamSpecification(StreamViewType=view)
    keep(resource, table.removal, stack.settings.mode)
    title = stack.add_main(table, resource)
    if table.stream:
        stack.output(table, "TableStream", attribute(title, "StreamArn"))


def add_bucket(stack: Stack, bucket: Bucket) -> None:
    """Add a bucket, and the policy that closes it to what is not TLS."""
    from troposphere import s3

    resource = s3.Bucket(
        names.logical(bucket),
        PublicAccessBlockConfiguration=s3.PublicAccessBlockConfiguration(
            BlockPublicAcls=True,
            BlockPublicPolicy=True,
            IgnorePublicAcls=True,
            RestrictPublicBuckets=True,
        ),
        OwnershipControls=s3.OwnershipControls(
            Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
        ),
        BucketEncryption=s3.BucketEncryption(
            ServerSideEncryptionConfiguration=[_encryption(bucket.encryption_key)]
        ),
    )
    if tells_events(bucket):
        resource.NotificationConfiguration = s3.NotificationConfiguration(
            EventBridgeConfiguration=s3.EventBridgeConfiguration(EventBridgeEnabled=True)
        )
    if bucket.versioned:
        resource.VersioningConfiguration = s3.VersioningConfiguration(Status="Enabled")
    keep(resource, bucket.removal, stack.settings.mode)
    title = stack.add_main(bucket, resource)
    if stack.settings.tls and not _has_policy(stack, title, "AWS::S3::BucketPolicy"):
        statement = tls_only(arn_of(title), sub(f"${{{title}.Arn}}/*"))
        policy = s3.BucketPolicy(
            names.logical(bucket, "Policy"), Bucket=ref(title), PolicyDocument=document([statement])
        )
        # A bucket that is retained stays closed.
        keep(policy, bucket.removal, stack.settings.mode)
        stack.add(str(bucket), policy)


def _encryption(key: str | None) -> Any:
    from troposphere import s3

    if key is None:
        default = s3.ServerSideEncryptionByDefault(SSEAlgorithm="AES256")
        return s3.ServerSideEncryptionRule(ServerSideEncryptionByDefault=default)
    default = s3.ServerSideEncryptionByDefault(SSEAlgorithm="aws:kms", KMSMasterKeyID=key)
    # One key a bucket, not one request to KMS an object: it is cheaper.
    return s3.ServerSideEncryptionRule(ServerSideEncryptionByDefault=default, BucketKeyEnabled=True)


def _has_policy(stack: Stack, title: str, *kinds: str) -> bool:
    """Whether the user has added a policy for this resource, which then is the only one."""
    return any(
        resource.resource_type in kinds and title in references(resource.to_dict())
        for resource in stack.app.resources
    )


def add_queue(stack: Stack, queue: Queue) -> None:
    """Add a queue, and the policy that closes it to what is not TLS."""
    from troposphere import sqs

    resource = sqs.Queue(
        names.logical(queue),
        VisibilityTimeout=int(hidden(queue).total_seconds()),
        MessageRetentionPeriod=int(queue.retention.total_seconds()),
    )
    if queue.encryption_key:
        resource.KmsMasterKeyId = queue.encryption_key
    else:
        resource.SqsManagedSseEnabled = True
    if queue.fifo:
        resource.FifoQueue = True
    if dead := _dead_letters(queue):
        resource.RedrivePolicy = sqs.RedrivePolicy(
            deadLetterTargetArn=dead, maxReceiveCount=queue.max_receives
        )
    keep(resource, queue.removal, stack.settings.mode)
    title = stack.add_main(queue, resource)
    kinds = ("AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy")
    if stack.settings.tls and not _has_policy(stack, title, *kinds):
        policy = sqs.QueuePolicy(
            names.logical(queue, "Policy"),
            Queues=[ref(title)],
            PolicyDocument=document([tls_only(arn_of(title), action="sqs:*")]),
        )
        keep(policy, queue.removal, stack.settings.mode)
        stack.add(str(queue), policy)


def _dead_letters(queue: Queue) -> Any:
    """The ARN of a queue's dead-letter queue: its own, or that of the job that it triggers."""
    if queue.dead_letter:
        return main_arn(queue.dead_letter)
    jobs = readers(queue)
    return dead_letters(jobs[0]) if jobs else None


def add_topic(stack: Stack, topic: Topic) -> None:
    """Add a topic, and the policy that closes it to what is not TLS."""
    from troposphere import sns

    resource = sns.Topic(names.logical(topic))
    if topic.fifo:
        resource.FifoTopic = True
        # The names that CloudFormation makes have no ".fifo" at their end, which SNS wants.
        resource.TopicName = names.fifo_topic(topic, stack.stage)
    if topic.encryption_key:
        resource.KmsMasterKeyId = topic.encryption_key
    title = stack.add_main(topic, resource)
    kinds = ("AWS::SNS::TopicPolicy", "AWS::SNS::TopicInlinePolicy")
    if stack.settings.tls and not _has_policy(stack, title, *kinds):
        policy = sns.TopicPolicy(
            names.logical(topic, "Policy"),
            Topics=[ref(title)],
            PolicyDocument=document(_topic_statements(title)),
        )
        stack.add(str(topic), policy)


def _topic_statements(title: str) -> Sequence[Json]:
    """What a topic without a policy allows, which a policy replaces, and nothing without TLS."""
    owner = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"sns:{action}" for action in _OWNER_MAY],
        "Resource": ref(title),
        "Condition": {"StringEquals": {"AWS:SourceOwner": ref("AWS::AccountId")}},
    }
    # A topic's policy takes no wildcards that mean more than SNS has for topics.
    return [owner, tls_only(ref(title), action="sns:Publish")]
