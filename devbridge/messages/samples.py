"""What an invoker is called with, for each kind of trigger: events as AWS's services make them.

Pure, and without an account: ARNs and times are samples. `stub_lambda.sources` reads them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job, OnObject, OnQueue, OnTopic, Schedule, Trigger
from devbridge.constructs.triggers.objects import EVENTS
from devbridge.deploy.synth.triggers.queues import inbox
from devbridge.errors import PayloadError
from devbridge.messages.chosen import Content

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
_AT: Final = "2026-01-31T12:00:00Z"
_MILLIS: Final = 1_769_860_800_000
"""The same."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """What is to be shown as an event."""

    job: Job
    stage: str
    trigger: Trigger
    content: Content
    account: str = ACCOUNT
    region: str = REGION
    at: str = _AT
    """When it happened: ISO 8601 in UTC."""
    number: str = field(default_factory=lambda: str(uuid.uuid4()))
    """What is unique to this one."""

    def arn(self, service: str, title: str) -> str:
        """Of what CloudFormation made."""
        stack = names.stack(self.job.app.name, self.stage)
        return f"arn:aws:{service}:{self.region}:{self.account}:{stack}-{title}-EXAMPLE"

    @property
    def head(self) -> Json:
        """What a message of the job's own queue says of the trigger."""
        return {"kind": self.trigger.kind, "name": self.trigger.label}


def raw(samples: Sequence[Sample]) -> Json:
    """The event of one call of the invoker that brings all these, of one trigger.

    Raises:
        PayloadError: there is no sample of that kind.
    """
    first = samples[0]
    kind = first.trigger.kind
    if (alone := ALONE.get(kind)) is not None:
        return alone(first)
    if (record := RECORDS.get(kind)) is None:
        raise PayloadError(
            f"there is no sample of what {first.trigger} sends: it is of kind {kind}",
            where=str(first.job),
            remedy=f"kinds that have one: {', '.join([*RECORDS, *ALONE])}",
        )
    return {"Records": [record(each) for each in samples]}


def object_key(trigger: OnObject, content: Content, number: str) -> str:
    """The key of the object that is put."""
    return content.value or f"{trigger.prefix}devbridge-{number[:8]}{trigger.suffix}"


def delivered(sample: Sample, event: Mapping[str, Any]) -> str:
    """The message that a rule of EventBridge puts into the job's own queue."""
    return json.dumps({"devbridge": sample.head, "event": event}, ensure_ascii=False)


def event_of(sample: Sample) -> Json:
    """An event of EventBridge."""
    around = dict(sample.content.event or {})
    return {
        "version": "0",
        "id": sample.number,
        "account": sample.account,
        "time": sample.at,
        "region": sample.region,
        "resources": [],
        **around,
        "detail": sample.content.value,
    }


def scheduled(sample: Sample) -> str:
    """The message that EventBridge Scheduler puts into the job's own queue."""
    head = {**sample.head, "id": sample.number}
    trigger = sample.trigger
    assert isinstance(trigger, Schedule)  # noqa: S101
    start = f"arn:aws:scheduler:{sample.region}:{sample.account}:schedule/default"
    event = {
        "time": sample.at,
        "schedule": f"{start}/{sample.arn('scheduler', trigger.label).rpartition(':')[2]}",
        "expression": trigger.expression,
        "timezone": trigger.timezone,
    }
    told = {"devbridge": head, "event": event, "payload": sample.content.value}
    return json.dumps(told, ensure_ascii=False)


def message_attributes(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """As SNS's Publish takes them."""
    found = {}
    for name, value in values.items():
        kind = "Number" if isinstance(value, int | float) and type(value) is not bool else "String"
        text = value if isinstance(value, str) else json.dumps(value)
        found[name] = {"DataType": kind, "StringValue": text}
    return found


def _sqs(sample: Sample, body: str, arn: str, **more: str) -> Json:
    return {
        "messageId": sample.number,
        "receiptHandle": "AQEBexample",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(_MILLIS),
            "SenderId": sample.account,
            "ApproximateFirstReceiveTimestamp": str(_MILLIS + 1),
            **more,
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(
            body.encode("utf-8", "replace"), usedforsecurity=False
        ).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": sample.region,
    }


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _queue(sample: Sample) -> Json:
    trigger = sample.trigger
    assert isinstance(trigger, OnQueue)  # noqa: S101
    arn, more = sample.arn("sqs", names.logical(trigger.queue)), {}
    if trigger.queue.fifo:
        arn += ".fifo"
        more = {
            "SequenceNumber": "18849496460467696128",
            "MessageGroupId": "devbridge",
            "MessageDeduplicationId": sample.number,
        }
    record = _sqs(sample, sample.content.body, arn, **more)
    for name, each in message_attributes(sample.content.attributes or {}).items():
        told = {"stringValue": each["StringValue"], "dataType": each["DataType"]}
        record["messageAttributes"][name] = told
    return record


def _inbox(body: Callable[[Sample], str]) -> Callable[[Sample], Json]:
    """In the job's own queue, where that puts it."""

    def record(sample: Sample) -> Json:
        return _sqs(sample, body(sample), sample.arn("sqs", inbox(sample.job)))

    return record


def _notification(sample: Sample) -> str:
    assert isinstance(sample.trigger, OnTopic)  # noqa: S101
    attributes = message_attributes(sample.content.attributes or {})
    told = {
        name: {"Type": each["DataType"], "Value": each["StringValue"]}
        for name, each in attributes.items()
    }
    envelope = {
        "Type": "Notification",
        "MessageId": sample.number,
        "TopicArn": sample.arn("sns", names.logical(sample.trigger.topic)),
        "Message": sample.content.body,
        "Timestamp": _AT,
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": f"https://sns.{sample.region}.amazonaws.com/example.pem",
        "UnsubscribeURL": f"https://sns.{sample.region}.amazonaws.com/?Action=Unsubscribe",
    }
    if told:
        envelope["MessageAttributes"] = told  # type: ignore[assignment]
    return json.dumps(envelope, ensure_ascii=False)


def _object(sample: Sample) -> str:
    trigger, data = sample.trigger, sample.content.data
    assert isinstance(trigger, OnObject)  # noqa: S101
    stack = names.stack(sample.job.app.name, sample.stage)
    bucket = f"{stack}-{names.logical(trigger.bucket)}-example".lower()
    changed: Json = {"key": object_key(trigger, sample.content, sample.number)}
    if trigger.events[0] == "created":
        changed |= {"size": len(data), "etag": _md5(data)}
    changed["sequencer"] = f"00{sample.number.replace('-', '')[:16].upper()}"
    event = event_of(sample) | {
        "detail-type": EVENTS[trigger.events[0]],
        "source": "aws.s3",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": changed,
            "request-id": "EXAMPLE",
            "requester": sample.account,
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject" if trigger.events[0] == "created" else "DeleteObject",
        },
    }
    return delivered(sample, event)


def _stream(sample: Sample) -> Json:
    number = "49590338271490256608559692538361571095921575989136588898"
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": sample.number,
            "sequenceNumber": number,
            "data": base64.b64encode(sample.content.body.encode()).decode(),
            "approximateArrivalTimestamp": _MILLIS / 1000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000006:{number}",
        "eventName": "aws:kinesis:record",
        "awsRegion": sample.region,
        "eventSourceARN": _other(sample, "kinesis", "stream/"),
    }


def _table(sample: Sample) -> Json:
    row = sample.content.value
    row = row.get("new") or row if isinstance(row, Mapping) else {"id": row}
    image = {key: _attribute(value) for key, value in row.items()}
    return {
        "eventID": sample.number.replace("-", ""),
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": sample.region,
        "dynamodb": {
            "ApproximateCreationDateTime": _MILLIS // 1000,
            "Keys": dict(list(image.items())[:1]),
            "NewImage": image,
            "SequenceNumber": "111",
            "SizeBytes": len(sample.content.body),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": f"{_other(sample, 'dynamodb', 'table/')}/stream/2026-01-31T12:00:00.000",
    }


def _other(sample: Sample, service: str, kind: str) -> str:
    start, _, name = sample.arn(service, sample.trigger.label).rpartition(":")
    return f"{start}:{kind}{name}"


def _attribute(value: Any) -> Json:
    """A JSON value as DynamoDB has it."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": json.dumps(value)}
        case str():
            return {"S": value}
        case list():
            return {"L": [_attribute(each) for each in value]}
        case _:
            return {"M": {key: _attribute(each) for key, each in value.items()}}


def _logs(sample: Sample) -> Json:
    said = {
        "messageType": "DATA_MESSAGE",
        "owner": sample.account,
        "logGroup": f"/aws/lambda/{sample.trigger.label}",
        "logStream": "2026/01/31/[$LATEST]example",
        "subscriptionFilters": [sample.trigger.label],
        "logEvents": [
            {
                "id": "36858672311120633630098786383886689203484013407063113728",
                "timestamp": _MILLIS,
                "message": sample.content.body,
            }
        ],
    }
    packed = gzip.compress(json.dumps(said).encode(), mtime=0)
    return {"awslogs": {"data": base64.b64encode(packed).decode()}}


def _request(sample: Sample) -> Json:
    path = f"/{sample.job.name}"
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "idempotency-key": sample.number},
        "requestContext": {
            "accountId": sample.account,
            "apiId": "example",
            "domainName": f"example.execute-api.{sample.region}.amazonaws.com",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "devbridge",
            },
            "requestId": sample.number,
            "routeKey": f"POST {path}",
            "stage": "$default",
            "time": "31/Jan/2026:12:00:00 +0000",
            "timeEpoch": _MILLIS,
        },
        "body": sample.content.body,
        "isBase64Encoded": False,
    }


RECORDS: Final[Mapping[str, Callable[[Sample], Json]]] = {
    "queue": _queue,
    "topic": _inbox(_notification),
    "object": _inbox(_object),
    "event": _inbox(lambda sample: delivered(sample, event_of(sample))),
    "schedule": _inbox(scheduled),
    "stream": _stream,
    "table": _table,
}
"""One record, by the trigger's kind: of those, one call has several."""

ALONE: Final[Mapping[str, Callable[[Sample], Json]]] = {"log": _logs, "request": _request}
"""What is a call of its own."""
