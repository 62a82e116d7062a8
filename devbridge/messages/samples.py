"""What an invoker is called with, for each kind of trigger: events as AWS's services make them.

Pure, and without an account: ARNs and times are samples. `stub_lambda.sources` reads them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devbridge import names
from devbridge.constructs import (
    Job,
    OnLoadBalancer,
    OnObject,
    OnQueue,
    OnRequest,
    OnTopic,
    Schedule,
    Trigger,
)
from devbridge.constructs.triggers.objects import EVENTS
from devbridge.deploy.synth.triggers.queues import inbox
from devbridge.messages.chosen import Content

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
_AT: Final = "2026-01-31T12:00:00Z"
_MILLIS: Final = 1_769_860_800_000
"""The same."""
_PLACES: Final = re.compile(r"\{[^}]*\}|\*")

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
    head = {**sample.head, "id": sample.number, "alone": False}  # who tries it wants a run
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


def queue(sample: Sample) -> Json:
    """A message of a queue."""
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


def in_inbox(body: Callable[[Sample], str]) -> Callable[[Sample], Json]:
    """A message of the job's own queue, where what has happened puts this body."""

    def record(sample: Sample) -> Json:
        return _sqs(sample, body(sample), sample.arn("sqs", inbox(sample.job)))

    return record


def notification(sample: Sample) -> str:
    """What SNS tells a queue."""
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


def object_(sample: Sample) -> str:
    """What S3 tells of an object, by EventBridge."""
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


def stream(sample: Sample) -> Json:
    """A record of a Kinesis stream."""
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


def table(sample: Sample) -> Json:
    """A record of a table's stream."""
    told = sample.content.value
    new, old = ({**told["keys"], **told[name]} for name in ("new", "old"))
    keys = told["keys"] or dict(list((new or old or {"id": sample.number}).items())[:1])
    images = {"INSERT": {"NewImage": new}, "REMOVE": {"OldImage": old or new}}
    shown = images.get(told["event"], {"NewImage": new, "OldImage": old})
    return {
        "eventID": sample.number.replace("-", ""),
        "eventName": told["event"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": sample.region,
        "dynamodb": {
            "ApproximateCreationDateTime": _MILLIS // 1000,
            "Keys": item(keys),
            **{name: item({**keys, **row}) for name, row in shown.items()},
            "SequenceNumber": "111",
            "SizeBytes": len(sample.content.body),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": f"{_other(sample, 'dynamodb', 'table/')}/stream/2026-01-31T12:00:00.000",
    }


def _other(sample: Sample, service: str, kind: str) -> str:
    start, _, name = sample.arn(service, sample.trigger.label).rpartition(":")
    return f"{start}:{kind}{name}"


def item(row: Mapping[str, Any]) -> Json:
    """A row, as DynamoDB has it."""
    return {name: _attribute(value) for name, value in row.items()}


def _attribute(value: Any) -> Json:
    """A JSON value, or a binary key, as DynamoDB has it."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": json.dumps(value)}
        case str() | bytes():
            return {"S" if isinstance(value, str) else "B": value}
        case list():
            return {"L": [_attribute(each) for each in value]}
        case _:
            return {"M": item(value)}


def log(sample: Sample) -> Json:
    """What CloudWatch Logs sends of a log."""
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
                "message": sample.content.line,
            }
        ],
    }
    packed = gzip.compress(json.dumps(said).encode(), mtime=0)
    return {"awslogs": {"data": base64.b64encode(packed).decode()}}


def path_of(pattern: str) -> str:
    """A path that a route's or a rule's has: something in place of ``{id}``, ``*`` and ``?``."""
    return _PLACES.sub("example", pattern).replace("?", "x")


def request(sample: Sample) -> Json:
    """A request to a route, payload format 2.0."""
    method, path = asked(sample.trigger)
    return {
        "version": "2.0",
        "routeKey": getattr(sample.trigger, "route", f"{method} {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "idempotency-key": sample.number},
        "requestContext": {
            "accountId": sample.account,
            "apiId": "example",
            "domainName": f"example.execute-api.{sample.region}.amazonaws.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "devbridge",
            },
            "requestId": sample.number,
            "stage": "$default",
            "time": "31/Jan/2026:12:00:00 +0000",
            "timeEpoch": _MILLIS,
        },
        "body": sample.content.body,
        "isBase64Encoded": False,
    }


def load_balancer(sample: Sample) -> Json:
    """A request to a load balancer."""
    method, path = asked(sample.trigger)
    group = f"targetgroup/{sample.trigger.label}-EXAMPLE/0123456789abcdef"
    arn = f"arn:aws:elasticloadbalancing:{sample.region}:{sample.account}:{group}"
    return {
        "requestContext": {"elb": {"targetGroupArn": arn}},
        "httpMethod": method,
        "path": path,
        "queryStringParameters": {},
        "headers": {
            "content-type": "application/json",
            "idempotency-key": sample.number,
            "x-amzn-trace-id": f"Root=1-67000000-{sample.number.replace('-', '')[:24]}",
        },
        "body": sample.content.body,
        "isBase64Encoded": False,
    }


def asked(trigger: Trigger) -> tuple[str, str]:
    """The method and the path of a request that starts the job."""
    if isinstance(trigger, OnRequest):
        method, _, path = trigger.route.rpartition(" ")
        path = path if method else "/"  # $default
        return ("POST" if method in ("", "ANY") else method), path_of(path)
    assert isinstance(trigger, OnLoadBalancer)  # noqa: S101
    method, path = next(iter(trigger.methods), "POST"), next(iter(trigger.paths), "/")
    return path_of(method), path_of(path)
