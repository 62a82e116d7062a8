"""Streams, of Kinesis and of tables, that a job's invoker or a function is called with
the records of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job, OnStream, OnTable, Table
from devbridge.constructs.owners import Owner
from devbridge.constructs.triggers.streaming import Streamed
from devbridge.deploy.arns import main_arn
from devbridge.deploy.policies import KEY_USE, Json, allow, of_service
from devbridge.deploy.references import attribute, ref
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers import queues
from devbridge.deploy.synth.triggers.mappings import add_mapping, filters
from devbridge.deploy.synth.triggers.titles import title_of

_OF_TABLE: Final = of_service(
    "dynamodb", "DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"
)
_OF_STREAM: Final = of_service(
    "kinesis",
    *("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"),
)
_OF_CONSUMER: Final = of_service("kinesis", "DescribeStreamConsumer", "SubscribeToShard")
"""What Lambda reads with (Lambda, Using Lambda with Kinesis; with DynamoDB)."""


def add_table(stack: Stack, owner: Owner, trigger: OnTable, title: str) -> None:
    """Have it called with a table's changes."""
    _add(stack, owner, trigger, title, stream_of(trigger.table))


def add_stream(stack: Stack, owner: Owner, trigger: OnStream, title: str) -> None:
    """Have it called with a stream's records."""
    from troposphere import kinesis

    if not trigger.consumer:
        _add(stack, owner, trigger, title, main_arn(trigger.stream))
        return
    consumer = kinesis.StreamConsumer(
        _consumer(owner, trigger),
        ConsumerName=f"{_named(owner, stack.stage)}_{title}"[:128],
        StreamARN=main_arn(trigger.stream),
    )
    _add(stack, owner, trigger, title, ref(stack.add(str(owner), consumer)))


def stream_of(table: Table) -> Any:
    """The ARN of a table's stream."""
    return table.known.get("stream_arn") or attribute(names.logical(table), "StreamArn")


def source_of_table(_stack: Stack, trigger: OnTable) -> Any:
    """What the records call the stream."""
    return stream_of(trigger.table)


def source_of_stream(_stack: Stack, trigger: OnStream) -> Any:
    """The same; records that a consumer has read name the stream, too."""
    return main_arn(trigger.stream)


def grants(owners: Sequence[Owner]) -> list[Json]:
    """What the invokers of these jobs need of streams, or the functions."""
    statements = []
    for owner in owners:
        for trigger in owner.triggers:
            if isinstance(trigger, OnTable):
                statements.append(allow(_OF_TABLE, [stream_of(trigger.table)]))
                key = trigger.table.encryption_key
            elif isinstance(trigger, OnStream):
                statements.append(allow(_OF_STREAM, [main_arn(trigger.stream)]))
                if trigger.consumer:
                    statements.append(allow(_OF_CONSUMER, [ref(_consumer(owner, trigger))]))
                key = trigger.stream.encryption_key
            else:
                continue
            if key:
                statements.append(allow(KEY_USE, [key]))
    return statements


def _consumer(owner: Owner, trigger: OnStream) -> str:
    return f"{title_of(owner, trigger)}Consumer"


def _named(owner: Owner, stage: str) -> str:
    is_job = isinstance(owner, Job)
    return names.project(owner, stage) if is_job else names.function(owner, stage)


def _add(stack: Stack, owner: Owner, trigger: Streamed, title: str, source: Any) -> None:
    from troposphere import awslambda

    more: dict[str, Any] = {}
    if trigger.window_seconds:
        more["MaximumBatchingWindowInSeconds"] = trigger.window_seconds
    if (criteria := trigger.criteria()) is not None:
        more["FilterCriteria"] = filters(criteria)
    add_mapping(
        stack,
        owner,
        title,
        EventSourceArn=source,
        BatchSize=trigger.at_once,
        StartingPosition=trigger.starting.upper(),
        MaximumRetryAttempts=trigger.most_retries,
        BisectBatchOnFunctionError=True,
        DestinationConfig=awslambda.DestinationConfig(
            OnFailure=awslambda.OnFailure(Destination=queues.dead_letters(owner))
        ),
        **more,
    )
