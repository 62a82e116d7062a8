"""The shards of a mapping's stream, and their records as events."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...host import ministack

Json = Mapping[str, Any]

TRIM_HORIZON: Final = "TRIM_HORIZON"
TABLE_SHARD: Final = "shardId-00000000000000000000-00000000"
"""ministack's streams of tables have one shard."""
_DAY: Final = 24 * 3600.0


@dataclass(frozen=True)
class Shard:
    """One shard's records, the oldest first."""

    records: Sequence[Json]
    key: Callable[[Json], int]
    """A record's sequence number."""
    event: Callable[[Json], dict[str, Any]]
    parents: tuple[str, ...] = ()
    """The shards that must have been read before."""

    def newer(self, than: str, limit: int) -> Sequence[Json]:
        """The records after that sequence number; empty: the first ones."""
        begin = bisect.bisect_right(self.records, int(than), key=self.key) if than else 0
        return self.records[begin : begin + limit]

    def end(self) -> str:
        """The last record's sequence number; empty: there is none."""
        return str(self.key(self.records[-1])) if self.records else ""


@dataclass(frozen=True)
class Stream:
    """A stream as it is now."""

    shards: Mapping[str, Shard]
    retention: float
    """Seconds."""


def stream_of(source_arn: str, role: str) -> Stream | None:
    """The stream of a mapping; None: it is not there, or not ready.

    Args:
        source_arn: the stream's, or a consumer's.
        role: the function's, which events have in them.
    """
    spec = ministack("core.arn").parse_arn(source_arn.partition("/consumer/")[0])
    if spec.service == "kinesis":
        return _kinesis(spec, source_arn, role)
    name = spec.resource.split("/")[1]
    tables = ministack("services.dynamodb")
    table = tables._tables.get(name)
    if not table or table.get("LatestStreamArn") != source_arn:
        return None
    records = tables.stream_live_records(name)
    shard = Shard(records, lambda each: int(each["dynamodb"]["SequenceNumber"]), dict)
    return Stream({TABLE_SHARD: shard}, _DAY)


def _kinesis(spec: Any, source_arn: str, role: str) -> Stream | None:
    kinesis = ministack("services.kinesis")
    name = spec.resource.partition("/")[2]
    stream = kinesis._streams.get_scoped(spec.account_id, spec.region, name)
    if not stream or stream["StreamStatus"] != "ACTIVE":
        return None
    if "/consumer/" in source_arn and not kinesis._consumer_from_arn(source_arn):
        return None

    def made(shard_id: str) -> Callable[[Json], dict[str, Any]]:
        return lambda record: _event(record, shard_id, source_arn, role, spec.region)

    shards = {
        shard_id: Shard(
            shard["records"],
            lambda each: int(each["SequenceNumber"]),
            made(shard_id),
            tuple(
                parent
                for key in ("parent_shard_id", "adjacent_parent_shard_id")
                if (parent := shard.get(key))
            ),
        )
        for shard_id, shard in list(stream["shards"].items())
    }
    return Stream(shards, stream["RetentionPeriodHours"] * 3600.0)


def _event(record: Json, shard_id: str, source_arn: str, role: str, region: str) -> dict[str, Any]:
    data = ministack("services.kinesis")._ensure_base64(record["Data"])
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": data,
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role,
        "awsRegion": region,
        "eventSourceARN": source_arn,
    }


def start(stream: Stream, position: str) -> dict[str, str]:
    """Where a mapping begins in each shard."""
    horizon = position == TRIM_HORIZON
    return {name: "" if horizon else shard.end() for name, shard in stream.shards.items()}
