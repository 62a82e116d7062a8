"""Streams of Kinesis."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from devbridge import names
from devbridge.constructs import Stream
from devbridge.deploy.synth.stack import Stack, keep

_OWN_KEY: Final = "alias/aws/kinesis"
"""AWS's own, which costs nothing."""


def add_stream(stack: Stack, stream: Stream) -> None:
    """Add a stream, encrypted."""
    from troposphere import kinesis

    resource = kinesis.Stream(
        names.logical(stream),
        RetentionPeriodHours=stream.retention // timedelta(hours=1),
        StreamEncryption=kinesis.StreamEncryption(
            EncryptionType="KMS", KeyId=stream.encryption_key or _OWN_KEY
        ),
        StreamModeDetails=kinesis.StreamModeDetails(
            StreamMode="ON_DEMAND" if stream.shards is None else "PROVISIONED"
        ),
    )
    if stream.shards is not None:
        resource.ShardCount = stream.shards
    keep(resource, stream.removal, stack.settings.mode)
    stack.add_main(stream, resource)
