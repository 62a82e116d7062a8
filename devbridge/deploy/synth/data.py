"""Tables, buckets, queues and topics."""

from __future__ import annotations

from devbridge.constructs import Bucket, Queue, Table, Topic
from devbridge.deploy import names
from devbridge.deploy.policies import arn_of, document, ref, sub, tls_only
from devbridge.deploy.synth.stack import Stack, keep


def add_table(stack: Stack, table: Table) -> None:
    from troposphere import dynamodb  # noqa: PLC0415

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
    keep(resource, table.removal, stack.settings.mode)
    title = stack.add_main(table, resource)
    stack.output(table, "Table", ref(title))


def add_bucket(stack: Stack, bucket: Bucket) -> None:
    from troposphere import s3  # noqa: PLC0415

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
            ServerSideEncryptionConfiguration=[
                s3.ServerSideEncryptionRule(
                    ServerSideEncryptionByDefault=s3.ServerSideEncryptionByDefault(
                        SSEAlgorithm="AES256"
                    )
                )
            ]
        ),
    )
    if bucket.versioned:
        resource.VersioningConfiguration = s3.VersioningConfiguration(Status="Enabled")
    keep(resource, bucket.removal, stack.settings.mode)
    title = stack.add_main(bucket, resource)
    stack.output(bucket, "Bucket", ref(title))
    if stack.settings.tls:
        statement = tls_only(arn_of(title), sub(f"${{{title}.Arn}}/*"))
        policy = s3.BucketPolicy(
            names.logical(bucket, "Policy"), Bucket=ref(title), PolicyDocument=document([statement])
        )
        # A bucket that is retained stays closed.
        keep(policy, bucket.removal, stack.settings.mode)
        stack.add(str(bucket), policy)


def add_queue(stack: Stack, queue: Queue) -> None:
    from troposphere import sqs  # noqa: PLC0415

    resource = sqs.Queue(
        names.logical(queue),
        VisibilityTimeout=int(queue.visibility_timeout.total_seconds()),
        MessageRetentionPeriod=int(queue.retention.total_seconds()),
        SqsManagedSseEnabled=True,
    )
    if queue.fifo:
        resource.FifoQueue = True
    if queue.dead_letter:
        resource.RedrivePolicy = sqs.RedrivePolicy(
            deadLetterTargetArn=arn_of(names.logical(queue.dead_letter)),
            maxReceiveCount=queue.max_receives,
        )
    keep(resource, queue.removal, stack.settings.mode)
    title = stack.add_main(queue, resource)
    stack.output(queue, "Queue", ref(title))


def add_topic(stack: Stack, topic: Topic) -> None:
    from troposphere import sns  # noqa: PLC0415

    resource = sns.Topic(names.logical(topic))
    if topic.fifo:
        resource.FifoTopic = True
        # The names that CloudFormation makes have no ".fifo" at their end, which SNS wants.
        resource.TopicName = f"{topic.app.name}-{stack.stage}-{topic.name}.fifo"
    title = stack.add_main(topic, resource)
    stack.output(topic, "Topic", ref(title))
