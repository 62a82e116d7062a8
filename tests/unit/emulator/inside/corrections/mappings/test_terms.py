from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.corrections.mappings.terms import missing_permission, problem_of

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
CONSUMER = f"{STREAM}/consumer/c:1"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026"
DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"


def queue(**more: Any) -> dict[str, Any]:
    return {"EventSourceArn": QUEUE, **more}


def stream(**more: Any) -> dict[str, Any]:
    return {"EventSourceArn": STREAM, "StartingPosition": "LATEST", **more}


@pytest.mark.parametrize(
    "asked",
    [
        queue(),
        queue(BatchSize=10),
        queue(BatchSize=10_000, MaximumBatchingWindowInSeconds=1),
        queue(EventSourceArn=f"{QUEUE}.fifo", BatchSize=10),
        stream(BatchSize=10_000),
        stream(MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=-1),
        stream(MaximumRetryAttempts=0, MaximumRecordAgeInSeconds=60),
    ],
)
def test_what_aws_takes(asked: dict[str, Any]) -> None:
    assert problem_of(asked, timeout=30, visibility=30) is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (queue(BatchSize=0), "batchSize"),
        (stream(BatchSize=10_001), "batchSize"),
        (queue(BatchSize=11), "greater than 0 if maximum batch size is greater than 10"),
        (queue(MaximumBatchingWindowInSeconds=301), "maximumBatchingWindowInSeconds"),
        (queue(MaximumRetryAttempts=1), "MaximumRetryAttempts"),
        (queue(EventSourceArn=f"{QUEUE}.fifo", BatchSize=11), "FIFO"),
        (queue(EventSourceArn=f"{QUEUE}.fifo", MaximumBatchingWindowInSeconds=1), "FIFO"),
        (stream(MaximumRetryAttempts=-2), "maximumRetryAttempts"),
        (stream(MaximumRecordAgeInSeconds=59), "maximumRecordAgeInSeconds"),
        ({"EventSourceArn": STREAM}, "startingPosition"),
    ],
)
def test_what_aws_refuses(asked: dict[str, Any], said: str) -> None:
    assert said in (problem_of(asked, timeout=30, visibility=30) or "")


def test_a_message_must_stay_away_for_as_long_as_its_function_may_take() -> None:
    assert problem_of(queue(), timeout=31, visibility=30) == (
        "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
    )


@pytest.mark.parametrize(
    ("asked", "allowed", "said"),
    [
        (queue(), {"sqs:DeleteMessage", "sqs:GetQueueAttributes"}, "call ReceiveMessage on SQS"),
        (queue(), {"sqs:ReceiveMessage", "sqs:GetQueueAttributes"}, "call DeleteMessage on SQS"),
        (queue(), {"sqs:ReceiveMessage", "sqs:DeleteMessage"}, "call GetQueueAttributes on SQS"),
        (stream(), {"kinesis:GetRecords", "kinesis:DescribeStream"}, "Cannot access stream"),
        (stream(EventSourceArn=TABLE), {"dynamodb:GetRecords"}, "Cannot access stream"),
        (stream(EventSourceArn=CONSUMER), {"kinesis:DescribeStream"}, "Cannot access stream"),
    ],
)
def test_the_role_must_be_allowed_to_read(
    asked: dict[str, Any], allowed: set[str], said: str
) -> None:
    assert said in (missing_permission(asked, lambda action, _on: action in allowed) or "")
    assert missing_permission(asked, lambda _action, _on: True) is None


def test_the_role_must_be_allowed_to_tell_the_destination() -> None:
    asked = stream(DestinationConfig={"OnFailure": {"Destination": DEAD}})
    said = missing_permission(asked, lambda action, _on: action.startswith("kinesis:"))
    assert said is not None
    assert f"SendMessage on {DEAD}" in said
