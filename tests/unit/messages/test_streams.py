"""What Lambda has given up is read from its stream again, or is said to be gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from devbridge.messages.streams import Gone, given_up, read
from tests.unit.aws import Fake, Refused

STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/clicks-1"
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/notes-1/stream/2026-01-31T12:00:00.000"
INVOKER = "arn:aws:lambda:eu-west-1:111122223333:function:shop_ann_seen"
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def sequence(number: int) -> str:
    """As long as those of AWS at least."""
    return f"1{number:020}"


def told(first: int, last: int, size: int, arn: str = STREAM) -> dict[str, Any]:
    """As Lambda tells it."""
    info = "KinesisBatchInfo" if arn == STREAM else "DDBStreamBatchInfo"
    return {
        "requestContext": {
            "requestId": "c8",
            "functionArn": f"{INVOKER}:$LATEST",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 6,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "version": "1.0",
        "timestamp": "2026-01-31T12:00:00.000Z",
        info: {
            "shardId": "shardId-00000000000000000000",
            "startSequenceNumber": sequence(first),
            "endSequenceNumber": sequence(last),
            "approximateArrivalOfFirstRecord": "2026-01-31T12:00:00Z",
            "approximateArrivalOfLastRecord": "2026-01-31T12:00:00Z",
            "batchSize": size,
            "streamArn": arn,
        },
    }


class FakeStream(Fake):
    """A stream with records of these numbers, two a page, and an empty page before."""

    def __init__(self, service: str, numbers: range) -> None:
        self.service = service
        super().__init__()
        self.numbers = list(numbers)
        self.refused = ""

    def GetShardIterator(self, **given: Any) -> Any:  # noqa: N802
        if self.refused:
            raise Refused(self.refused)
        start = given.get("StartingSequenceNumber") or given["SequenceNumber"]
        first = int(start[1:])
        return {"ShardIterator": f"{first}/empty".ljust(30, "/")}

    def GetRecords(self, *, ShardIterator: str) -> Any:  # noqa: N802, N803
        first, _, empty = ShardIterator.strip("/").partition("/")
        if empty:
            return {"Records": [], "NextShardIterator": first.ljust(30, "/")}
        found = [each for each in self.numbers if each >= int(first)][:2]
        after = str(found[-1] + 1 if found else first).ljust(30, "/")
        return {"Records": list(map(self.record, found)), "NextShardIterator": after}

    def record(self, number: int) -> dict[str, Any]:
        if self.service == "kinesis":
            return {
                "SequenceNumber": sequence(number),
                "PartitionKey": "a",
                "Data": json.dumps({"n": number}).encode(),
                "ApproximateArrivalTimestamp": AT,
            }
        changed = {"SequenceNumber": sequence(number), "Keys": {"id": {"B": b"\0"}}}
        changed["ApproximateCreationDateTime"] = AT  # type: ignore[assignment]
        return {"eventID": f"e-{number}", "eventName": "INSERT", "dynamodb": changed}


def records(stream: FakeStream, body: dict[str, Any], *filters: str) -> list[dict[str, Any]]:
    found = given_up(body)
    assert found is not None
    return read(lambda _: stream.client, found, filters)


def test_what_lambda_tells_is_where_they_are() -> None:
    found = given_up(told(5, 9, 3))
    assert found is not None
    assert (found.kind, found.name, found.region) == ("stream", "clicks-1", "eu-west-1")
    assert (found.first, found.last, found.size) == (sequence(5), sequence(9), 3)
    assert found.function == INVOKER
    found = given_up(told(5, 9, 3, TABLE))
    assert found is not None
    assert (found.kind, found.name) == ("table", "notes-1")


@pytest.mark.parametrize(
    "body", [None, [], {}, {"requestContext": {}}, {**told(1, 1, 1), "KinesisBatchInfo": {}}]
)
def test_what_is_something_else_is_nothing(body: Any) -> None:
    assert given_up(body) is None


@pytest.mark.parametrize(
    "forged",
    [
        {"streamArn": "clicks"},
        {"streamArn": "arn:aws:kinesis:eu-west-1:111122223333:stream"},
        {"startSequenceNumber": "LATEST"},
        {"endSequenceNumber": None},
    ],
)
def test_so_is_what_no_stream_has(forged: dict[str, Any]) -> None:
    body = told(1, 1, 1)
    body["KinesisBatchInfo"] |= forged
    assert given_up(body) is None


def test_as_many_as_there_were_are_not_filtered_again() -> None:
    never = json.dumps({"data": {"n": [{"exists": False}]}})
    assert len(records(FakeStream("kinesis", range(1, 20)), told(5, 7, 3), never)) == 3


def test_nothing_is_taken_from_behind_the_last_one_though_that_is_not_there() -> None:
    there = FakeStream("kinesis", range(1, 20, 2))
    found = records(there, told(5, 8, 2))
    assert [each["kinesis"]["sequenceNumber"] for each in found] == [sequence(5), sequence(7)]


def test_records_of_a_stream_are_as_their_invoker_got_them() -> None:
    found = records(FakeStream("kinesis", range(1, 20)), told(5, 7, 3))
    assert [each["eventID"] for each in found] == [
        f"shardId-00000000000000000000:{sequence(number)}" for number in (5, 6, 7)
    ]
    assert found[0] == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "a",
            "sequenceNumber": sequence(5),
            "data": "eyJuIjogNX0=",
            "approximateArrivalTimestamp": AT.timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-00000000000000000000:{sequence(5)}",
        "eventName": "aws:kinesis:record",
        "awsRegion": "eu-west-1",
        "eventSourceARN": STREAM,
    }


def test_rows_of_a_table_are_as_their_invoker_got_them() -> None:
    (found,) = records(FakeStream("dynamodbstreams", range(1, 20)), told(5, 5, 1, TABLE))
    assert found == {
        "eventID": "e-5",
        "eventName": "INSERT",
        "dynamodb": {
            "SequenceNumber": sequence(5),
            "Keys": {"id": {"B": "AA=="}},
            "ApproximateCreationDateTime": AT.timestamp(),
        },
        "eventSourceARN": TABLE,
    }


def test_what_the_filter_has_kept_back_between_them_starts_nothing() -> None:
    stream = FakeStream("kinesis", range(1, 20))
    found = records(stream, told(5, 9, 2), '{"data": {"n": [5, 9]}}')
    assert [each["kinesis"]["sequenceNumber"] for each in found] == [
        sequence(5),
        sequence(9),
    ]
    table = FakeStream("dynamodbstreams", range(1, 20))
    with pytest.raises(Gone, match="2 of its 2 records are not in notes-1 any more"):
        records(table, told(5, 9, 2, TABLE), '{"eventName": ["REMOVE"]}')


@pytest.mark.parametrize("service", ["kinesis", "dynamodbstreams"])
def test_what_has_expired_is_gone(service: str) -> None:
    arn = STREAM if service == "kinesis" else TABLE
    with pytest.raises(Gone, match=r"2 of its 3 records are not in .* any more"):
        records(FakeStream(service, range(7, 20)), told(5, 7, 3, arn))
    with pytest.raises(Gone, match="its record is not in"):
        records(FakeStream(service, range(0)), told(5, 5, 1, arn))
    trimmed = FakeStream(service, range(7, 20))
    trimmed.refused = "TrimmedDataAccessException"
    with pytest.raises(Gone):
        records(trimmed, told(5, 5, 1, arn))
