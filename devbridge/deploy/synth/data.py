"""Tables and buckets."""

from __future__ import annotations

from typing import Any

from devbridge import names
from devbridge.constructs import Bucket, Table
from devbridge.deploy.policies import document, tls_only
from devbridge.deploy.references import arn_of, attribute, ref, references, sub
from devbridge.deploy.synth.stack import Stack, is_kept, keep
from devbridge.deploy.synth.triggers.wanted import tells_events


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
    if stack.settings.tls and not has_policy(stack, title, "AWS::S3::BucketPolicy"):
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


def has_policy(stack: Stack, title: str, *kinds: str) -> bool:
    """Whether the user has added a policy for this resource, which then is the only one."""
    return any(
        resource.resource_type in kinds and title in references(resource.to_dict())
        for resource in stack.app.resources
    )
