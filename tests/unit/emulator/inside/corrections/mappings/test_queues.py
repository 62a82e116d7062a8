from __future__ import annotations

import math
from typing import Any

from devbridge.emulator.inside.corrections.mappings.queues import fitting, ready, record

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


def message(name: str, visible_at: float = 0, group: str | None = None, count: int = 0) -> Any:
    return {"id": name, "visible_at": visible_at, "group_id": group, "receive_count": count}


def names(messages: list[Any]) -> list[str]:
    return [each["id"] for each in messages]


def test_a_message_that_is_away_is_due_when_it_comes_back() -> None:
    found, due = ready([message("a", 7, count=1), message("b")], False, 5)
    assert (names(found), due) == (["b"], 7)
    assert ready([], False, 5) == ([], math.inf)


def test_a_group_waits_while_one_of_its_messages_is_away() -> None:
    messages = [
        message("a1", 9, "a", count=1),
        message("a2", 0, "a"),
        message("b1", 0, "b"),
        message("b2", 0, "b"),
    ]
    assert names(ready(messages, True, 5)[0]) == ["b1", "b2"]
    assert names(ready(messages, True, 9)[0]) == ["a1", "a2", "b1", "b2"]


def test_an_invocation_has_as_many_messages_as_fit_and_one_at_least() -> None:
    large = [{"body": "x" * (1 << 20)}] * 9
    assert fitting(large, 9) == 5
    assert fitting(large, 3) == 3
    assert fitting([{"body": "x" * (7 << 20)}], 1) == 1


def test_a_record_is_as_aws_makes_it() -> None:
    made = record(
        {
            "id": "m",
            "receipt_handle": "h",
            "body": "text",
            "md5_body": "5",
            "sent_at": 1.0,
            "first_receive_at": 2.0,
            "receive_count": 3,
            "group_id": "g",
            "seq": 8,
            "sys": {"SenderId": "AIDA", "DeadLetterQueueSourceArn": QUEUE},
            "message_attributes": {"n": {"StringValue": "v", "DataType": "String"}},
        },
        QUEUE,
        "000000000000",
        "us-east-1",
    )
    assert made == {
        "messageId": "m",
        "receiptHandle": "h",
        "body": "text",
        "attributes": {
            "ApproximateReceiveCount": "3",
            "SentTimestamp": "1000",
            "SenderId": "AIDA",
            "ApproximateFirstReceiveTimestamp": "2000",
            "DeadLetterQueueSourceArn": QUEUE,
            "MessageGroupId": "g",
            "SequenceNumber": "8",
        },
        "messageAttributes": {"n": {"stringValue": "v", "dataType": "String"}},
        "md5OfBody": "5",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        "awsRegion": "us-east-1",
    }
