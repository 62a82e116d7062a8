"""What AWS's services call an invoker with, and what each wants for an answer: one row a kind.

A record becomes the start of a run, whose key is the record's own id: what AWS delivers twice runs
once. A record that could not be started is never answered as if it were: a queue or a stream
gets its id back and keeps it, an asynchronous caller gets an error, and calls again.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbridge.protocol.codec import dump_json
from runner.dead_letters import ATTRIBUTE
from stub_lambda import requests
from stub_lambda.records import (
    Listening,
    NotStarted,
    Outcome,
    Read,
    Record,
    Source,
    batch,
    of_bytes,
    of_item,
    of_text,
)


def source_of(event: object) -> Source | None:
    """The kind of an event; None: it is a call by devbridge, or nothing that is known."""
    if not isinstance(event, Mapping) or "devbridge" in event:
        return None
    return next((source for source in SOURCES if source.matches(event)), None)


# --- queues and streams -------------------------------------------------------------------------


class _Records:
    """What Lambda reads for the function: the answer names what is to come again."""

    ordered = False
    event_source = ""

    def matches(self, event: Mapping[str, Any]) -> bool:
        return _event_source(event) == self.event_source

    def starts(self, event: Mapping[str, Any], listening: Listening) -> Sequence[Record]:
        records = event["Records"]
        told = listening.sources.get(_arn(records[0]), {})
        read = [self.read(record, listening) for record in records]
        if told.get("together"):
            return [batch(read, records)]
        return [each.record(record) for each, record in zip(read, records, strict=True)]

    def read(self, record: Mapping[str, Any], listening: Listening) -> Read:
        """What one of them says."""
        raise NotImplementedError

    def answer(self, outcomes: Sequence[Outcome]) -> Any:
        failed = [each for outcome in outcomes if outcome.failed for each in outcome.record.ids]
        return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


class _Queue(_Records):
    """A queue of the app's, or the job's own, where what other triggers tell waits."""

    event_source = "aws:sqs"

    def read(self, record: Mapping[str, Any], listening: Listening) -> Read:
        arn, body, number = _arn(record), str(record["body"]), record["messageId"]
        dead, again = listening.dead_of(arn), _redriven(record)
        if arn == listening.inbox and (found := _delivered(body, listening)) is not None:
            kind, name, payload, own, alone = found
            key = again or own or number
            return Read(number, key, payload, kind, name, dead, arn, alone=alone and not again)
        name = listening.name(arn)
        return Read(number, again or number, of_text(body), "queue", name, dead, arn)


class _Fifo(_Queue):
    ordered = True

    def matches(self, event: Mapping[str, Any]) -> bool:
        return super().matches(event) and _arn(event["Records"][0]).endswith(".fifo")


class _Stream(_Records):
    """A shard is read in order: Lambda comes again with the first that was not started."""

    ordered = True
    kind = ""

    def read(self, record: Mapping[str, Any], listening: Listening) -> Read:
        arn, number = _arn(record), self.number(record)
        return Read(
            number,
            str(record.get("eventID") or number),
            self.payload(record),
            self.kind,
            listening.name(arn),
            listening.dead_of(arn),
            listening.invoker,
        )

    def number(self, record: Mapping[str, Any]) -> str:
        """Its sequence number."""
        raise NotImplementedError

    def payload(self, record: Mapping[str, Any]) -> bytes:
        """What it says, a JSON text."""
        raise NotImplementedError


class _Kinesis(_Stream):
    kind = "stream"
    event_source = "aws:kinesis"

    def number(self, record: Mapping[str, Any]) -> str:
        return str(record["kinesis"]["sequenceNumber"])

    def payload(self, record: Mapping[str, Any]) -> bytes:
        return of_bytes(base64.b64decode(record["kinesis"]["data"]))


class _Rows(_Stream):
    kind = "table"
    event_source = "aws:dynamodb"

    def number(self, record: Mapping[str, Any]) -> str:
        return str(record["dynamodb"]["SequenceNumber"])

    def payload(self, record: Mapping[str, Any]) -> bytes:
        found = record["dynamodb"]
        images = {"keys": "Keys", "new": "NewImage", "old": "OldImage"}
        told = ",".join(f'"{name}":{of_item(found.get(own))}' for name, own in images.items())
        text = f'{{"event":{json.dumps(record["eventName"])},{told}}}'
        return text.encode("utf-8", "surrogatepass")


# --- asynchronous callers -----------------------------------------------------------------------


class _Asynchronous:
    """A service that does not wait: an error makes Lambda call again, twice by default, and then
    hand the event to the function's destination."""

    ordered = False

    def answer(self, outcomes: Sequence[Outcome]) -> Any:
        failed = [outcome for outcome in outcomes if outcome.failed]
        if failed:
            raise NotStarted("; ".join(f"{each.code}: {each.error}" for each in failed))
        return {"runs": [dict(outcome.answer or {}) for outcome in outcomes]}


class _Notification(_Asynchronous):
    """SNS, where a topic has the invoker itself for a subscriber."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        return _event_source(event) == "aws:sns"

    def starts(self, event: Mapping[str, Any], listening: Listening) -> Sequence[Record]:
        found = []
        for record in event["Records"]:
            said, dead = record["Sns"], listening.dead
            name, number = listening.name(said["TopicArn"]), said["MessageId"]
            payload = of_text(said["Message"])
            read = Read(number, number, payload, "topic", name, dead, listening.inbox)
            found.append(read.record(record))
        return found


class _Event(_Asynchronous):
    """EventBridge, where a rule has the invoker itself for a target."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        return "detail-type" in event and "source" in event and "id" in event

    def starts(self, event: Mapping[str, Any], listening: Listening) -> Sequence[Record]:
        number, payload = str(event["id"]), dump_json(event.get("detail"))
        name, dead = str(event["source"]), listening.dead
        return [Read(number, number, payload, "event", name, dead, listening.inbox).record(event)]


class _Logs(_Asynchronous):
    """CloudWatch Logs, by a subscription filter: what it sends at once is one run."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        return isinstance(event.get("awslogs"), Mapping)

    def starts(self, event: Mapping[str, Any], listening: Listening) -> Sequence[Record]:
        said = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
        if said.get("messageType") == "CONTROL_MESSAGE":  # Logs asks whether it gets through
            return []
        name, dead = listening.name(said["logGroup"]), listening.dead
        number = said["logEvents"][0]["id"]
        read = Read(number, number, dump_json(said), "log", name, dead, listening.invoker)
        return [read.record(said)]


# --- what is sent back ----------------------------------------------------------------------------


class _Redriven:
    """What was in no queue and comes once more: ``{"redriven": key, "event": as it came}``. Without
    a key, no run was started then, and a record's own id is its run's."""

    ordered = False

    def matches(self, event: Mapping[str, Any]) -> bool:
        return isinstance(event.get("redriven"), str) and source_of(event.get("event")) is not None

    def starts(self, event: Mapping[str, Any], listening: Listening) -> Sequence[Record]:
        source = source_of(event["event"])
        assert source is not None  # noqa: S101 - or it would not match
        found = source.starts(event["event"], listening)
        again = event["redriven"]
        return [each.again(again) for each in found] if again else found

    def answer(self, outcomes: Sequence[Outcome]) -> Any:
        refused = [
            {"id": outcome.record.ids[0], "code": outcome.code, "error": outcome.error}
            for outcome in outcomes
            if outcome.failed
        ]
        runs = [dict(outcome.answer) for outcome in outcomes if outcome.answer is not None]
        return {"runs": runs, "refused": refused}


SOURCES: Final[tuple[Source, ...]] = (
    _Redriven(),
    _Fifo(),
    _Queue(),
    _Kinesis(),
    _Rows(),
    _Notification(),
    _Event(),
    _Logs(),
    requests.HttpApi(),
    requests.LoadBalancer(),
)


# --- what the job's own queue has ---------------------------------------------------------------


def _delivered(body: str, listening: Listening) -> tuple[str, str, bytes, str, bool] | None:
    """What a message of the job's own queue tells: the kind and the name of the trigger, the
    payload, the id of what has happened, if it has one, and whether it starts nothing while the run
    of another one goes on. None: it tells of no trigger."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, Mapping):
        return None
    if found.get("Type") == "Notification" and "TopicArn" in found:
        name = listening.name(found["TopicArn"])
        return "topic", name, of_text(found["Message"]), found["MessageId"], False
    head = found.get("devbridge")
    if not isinstance(head, Mapping) or "kind" not in head:
        return None
    kind, name, event = str(head["kind"]), str(head.get("name", "")), found.get("event") or {}
    if kind == "object":
        payload, own = _object(event)
    elif kind == "event":
        payload, own = dump_json(event.get("detail")), str(event.get("id", ""))
    else:
        payload, own = dump_json(found.get("payload")), str(head.get("id", ""))
    return kind, name, payload, own, head.get("alone") is True


def _object(event: Mapping[str, Any]) -> tuple[bytes, str]:
    """What S3 tells of an object by EventBridge, and what is unique to that change of it."""
    bucket, said = event["detail"]["bucket"]["name"], event["detail"]["object"]
    deleted = event.get("detail-type") == "Object Deleted"
    payload = {
        "bucket": bucket,
        "key": said["key"],
        "size": said.get("size"),
        "etag": said.get("etag"),
        "version": said.get("version-id"),
        "event": "deleted" if deleted else "created",
    }
    sequence = said.get("sequencer") or event.get("id", "")
    return dump_json(payload), f"{bucket}/{said['key']}/{sequence}"


def _redriven(record: Mapping[str, Any]) -> str:
    """What makes the key of a message that was redriven: the run that has failed."""
    told = record.get("messageAttributes", {}).get(ATTRIBUTE, {}).get("stringValue")
    try:
        found = json.loads(told or "null")
    except ValueError:
        return ""
    again = found.get("redriven") if isinstance(found, Mapping) else None
    return f"redriven/{again}" if again else ""


def _arn(record: Mapping[str, Any]) -> str:
    """Of what the record comes from: of a stream, whoever has read it."""
    return str(record.get("eventSourceARN", "")).partition("/consumer/")[0]


def _event_source(event: Mapping[str, Any]) -> str:
    records = event.get("Records")
    if not isinstance(records, list) or not records or not isinstance(records[0], Mapping):
        return ""
    return str(records[0].get("eventSource") or records[0].get("EventSource") or "")
