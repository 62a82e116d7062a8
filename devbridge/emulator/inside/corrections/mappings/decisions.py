"""What becomes of a batch of a stream's records that a function was given. Pure.

A shard goes on when its batch has ended well, or was given up: "How Lambda processes records from
stream and queue-based event sources", AWS Lambda's developer guide.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ...machines.events import iso
from ..destinations import LATEST

Json = Mapping[str, Any]

EXHAUSTED: Final = "RetryAttemptsExhausted"
AGED: Final = "RecordAgeExceeded"
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_THROTTLED_PAUSE: Final = 1.0
_KINDS: Final = {"kinesis": "KinesisBatchInfo", "dynamodb": "DDBStreamBatchInfo"}


@dataclass(frozen=True)
class Rules:
    """When a mapping gives up."""

    retries: float = math.inf
    age: float = math.inf
    """Seconds."""
    bisect: bool = False


def rules(mapping: Json, retention: float) -> Rules:
    """A mapping's; -1, or nothing, is without end, but for the stream's own retention."""
    retries, age = mapping.get("MaximumRetryAttempts"), mapping.get("MaximumRecordAgeInSeconds")
    return Rules(
        retries=math.inf if retries is None or int(retries) < 0 else int(retries),
        age=retention if age is None or int(age) < 0 else min(int(age), retention),
        bisect=mapping.get("BisectBatchOnFunctionError") in (True, "true"),
    )


@dataclass(frozen=True)
class Batch:
    """Records of one shard, in order, which a function gets at once."""

    records: tuple[Json, ...]
    """Without those that a filter holds back."""
    end: str
    """The sequence number until where the shard is done with when they are."""
    tries: int = 0
    """How often they were given to the function."""


@dataclass(frozen=True)
class Step:
    """What is next."""

    batches: tuple[Batch, ...]
    """What is left of the batch, in order."""
    done: str = ""
    """The sequence number until where the shard is done with; empty: it has not moved."""
    dropped: Batch | None = None
    condition: str = ""
    """Why it was given up."""
    pause: float = 0.0
    """Seconds until then."""


def sequence(record: Json) -> str:
    """An event's sequence number."""
    found = record.get("kinesis")
    return str(found["sequenceNumber"] if found else record["dynamodb"]["SequenceNumber"])


def arrived(record: Json) -> float:
    """When an event's record came into its stream."""
    found = record.get("kinesis")
    if found:
        return float(found["approximateArrivalTimestamp"])
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


def succeeded(batch: Batch) -> Step:
    """After an invocation that ended well."""
    return Step((), batch.end)


def failed(batch: Batch, first: int, rule: Rules, now: float) -> Step:
    """After one that did not.

    Args:
        first: which record is the first that failed; what is before it is done.
    """
    done = sequence(batch.records[first - 1]) if first else ""
    rest = replace(batch, records=batch.records[first:])
    if rule.bisect and (first or len(rest.records) > 1):  # it does not count as a retry
        parts = (rest,) if first else _halves(rest)
        return _given(Step(parts, done, pause=_FIRST_PAUSE), rule, now)
    rest = replace(rest, tries=batch.tries + 1)
    if rest.tries > rule.retries:
        return Step((), batch.end, rest, EXHAUSTED)
    pause = min(_FIRST_PAUSE * 2 ** min(batch.tries, 10), _LONGEST_PAUSE)
    return _given(Step((rest,), done, pause=pause), rule, now)


def throttled(batch: Batch, rule: Rules, now: float) -> Step:
    """After one that did not begin: it is no retry."""
    return _given(Step((batch,), pause=_THROTTLED_PAUSE), rule, now)


def aged(batch: Batch, rule: Rules, now: float) -> Step | None:
    """Without the records that are too old, if any is."""
    step = _given(Step((batch,)), rule, now)
    return step if step.dropped else None


def _given(step: Step, rule: Rules, now: float) -> Step:
    """The step without what is too old at its beginning."""
    first, *others = step.batches
    old = tuple(itertools.takewhile(lambda each: now - arrived(each) > rule.age, first.records))
    if not old:
        return step
    left = replace(first, records=first.records[len(old) :])
    end = sequence(old[-1]) if left.records else first.end
    batches = (*([left] if left.records else ()), *others)
    return Step(batches, end, Batch(old, end, first.tries), AGED)


def _halves(batch: Batch) -> tuple[Batch, ...]:
    middle = len(batch.records) // 2
    first = batch.records[:middle]
    return (
        replace(batch, records=first, end=sequence(first[-1])),
        replace(batch, records=batch.records[middle:]),
    )


def told(
    dropped: Batch,
    condition: str,
    *,
    function_arn: str,
    request_id: str,
    source_arn: str,
    shard: str,
    result: Json | None,
    version: str = LATEST,
    now: float,
) -> dict[str, Any]:
    """What a destination is told of records that were given up; the records are not in it.

    "Retain discarded batch records for a Kinesis Data Streams event source in Lambda".
    """
    first, last = dropped.records[0], dropped.records[-1]
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": dropped.tries,
        },
    }
    if result is not None:
        error = result.get("function_error") or ("Unhandled" if result.get("error") else None)
        context = {"statusCode": 200, "executedVersion": version, "functionError": error}
        record["responseContext"] = context
    return {
        **record,
        "version": "1.0",
        "timestamp": iso(now),
        _KINDS[source_arn.split(":")[2]]: {
            "shardId": shard,
            "startSequenceNumber": sequence(first),
            "endSequenceNumber": sequence(last),
            "approximateArrivalOfFirstRecord": iso(arrived(first)),
            "approximateArrivalOfLastRecord": iso(arrived(last)),
            "batchSize": len(dropped.records),
            "streamArn": source_arn.partition("/consumer/")[0],
        },
    }
