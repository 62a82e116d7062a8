"""Records that Lambda has given up: what it tells of them is where they are in their stream, which
keeps them for a day or longer. Read again, they are as their invoker was called with them.

"Retain discarded batch records" (Lambda, Using Lambda with Kinesis; with DynamoDB).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from devbridge.messages.patterns import matches

Json = dict[str, Any]
_INFO: Final = {"KinesisBatchInfo": "stream", "DDBStreamBatchInfo": "table"}
_GONE: Final = (
    "TrimmedDataAccessException",
    "ResourceNotFoundException",
    "InvalidArgumentException",
    "ValidationException",
)
_STREAM: Final = re.compile(r"arn:[\w-]+:(kinesis|dynamodb):[\w-]*:\d*:(stream|table)/.")
_EMPTY: Final = 20
"""Answers without a record, one after the other, before it is believed that no more comes."""


class Gone(Exception):
    """Records are not in their stream any more."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Some records, of one shard, one after the other."""

    kind: str
    """Of the trigger: ``stream`` or ``table``."""
    stream: str
    """The ARN of the stream."""
    shard: str
    first: str
    last: str
    """Their sequence numbers."""
    size: int
    """How many they are; others between them, the filter has kept back."""
    function: str
    """The ARN of the function that could not take them."""
    why: str
    """``RetryAttemptsExhausted``, ``RecordAgeExceeded``."""

    @property
    def name(self) -> str:
        """What AWS calls the stream or the table."""
        return self.stream.split(":", 5)[-1].split("/")[1]

    @property
    def region(self) -> str:
        """Where it is."""
        return self.stream.split(":")[3]


def given_up(body: Any) -> GivenUp | None:
    """What Lambda tells a function's destination on failure; None: it is something else.

    Args:
        body: the message's, as JSON.
    """
    asked = body.get("requestContext") if isinstance(body, Mapping) else None
    found = next((key for key in _INFO if isinstance(body.get(key), Mapping)), "") if asked else ""
    if not found or not isinstance(asked, Mapping):
        return None
    info = body[found]
    try:
        stream, first, last = (
            str(info[key]) for key in ("streamArn", "startSequenceNumber", "endSequenceNumber")
        )
        if not (_STREAM.match(stream) and first.isdecimal() and last.isdecimal()):
            return None  # anybody may have written it
        return GivenUp(
            _INFO[found],
            stream,
            str(info["shardId"]),
            first,
            last,
            int(info["batchSize"]),
            ":".join(str(asked["functionArn"]).split(":")[:7]),
            str(asked.get("condition", "")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def read(client: Callable[[str], Any], found: GivenUp, filters: Sequence[str]) -> list[Json]:
    """The records, as Lambda hands them over.

    Args:
        client: gives botocore's client for a service.
        filters: those of Lambda's event filtering that let records through; none: all come.

    Raises:
        Gone: not all of them are there.
        ClientError, BotoCoreError: the stream cannot be read.
    """
    pages = _of_table if found.kind == "table" else _of_stream
    records = list[Json]()
    try:
        for record, number in pages(client, found):
            if int(number) > int(found.last):
                break
            records.append(record)
            if number == found.last:
                break
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
    if len(records) > found.size:
        records = [each for each in records if _passes(each, filters)]
    if len(records) < found.size:
        lost = found.size - len(records)
        what = "its record is" if found.size == 1 else f"{lost} of its {found.size} records are"
        raise Gone(f"{what} not in {found.name} any more")
    return records


def _of_stream(client: Callable[[str], Any], found: GivenUp) -> Iterator[tuple[Json, str]]:
    """Records of a Kinesis stream from the first on, with their sequence numbers."""
    kinesis = client("kinesis")
    place = {"StreamName": found.name, "ShardId": found.shard}
    start = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": found.first}
    for record in _pages(kinesis, kinesis.get_shard_iterator(**place, **start)):
        number = record["SequenceNumber"]
        told = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": number,
                "data": base64.b64encode(record["Data"]).decode(),
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{found.shard}:{number}",
            "eventName": "aws:kinesis:record",
            "awsRegion": found.region,
            "eventSourceARN": found.stream,
        }
        yield told, number


def _of_table(client: Callable[[str], Any], found: GivenUp) -> Iterator[tuple[Json, str]]:
    """The same of a table's stream."""
    streams = client("dynamodbstreams")
    place = {"StreamArn": found.stream, "ShardId": found.shard}
    start = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": found.first}
    for record in _pages(streams, streams.get_shard_iterator(**place, **start)):
        told = json.loads(json.dumps({**record, "eventSourceARN": found.stream}, default=_as_json))
        yield told, record["dynamodb"]["SequenceNumber"]


def _pages(streams: Any, begin: Mapping[str, Any]) -> Iterator[Any]:
    at, empty = begin["ShardIterator"], 0
    while at is not None and empty < _EMPTY:
        answer = streams.get_records(ShardIterator=at)
        yield from answer["Records"]
        if not answer["Records"] and not answer.get("MillisBehindLatest", 1):
            return
        empty = 0 if answer["Records"] else empty + 1
        at = answer.get("NextShardIterator")


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())
    return base64.b64encode(value).decode()


def _passes(record: Json, filters: Sequence[str]) -> bool:
    """Whether Lambda's event filtering lets a record through."""
    seen = record
    if (of_stream := record.get("kinesis")) is not None:
        data = base64.b64decode(of_stream["data"]).decode("utf-8", "replace")
        try:
            seen = {**of_stream, "data": json.loads(data)}
        except ValueError:
            seen = {**of_stream, "data": data}
    return not filters or any(matches(json.loads(each), seen) for each in filters)
