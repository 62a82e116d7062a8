"""What a message of a queue says: which trigger it came by, its payload, and which run it is.

For the invoker, which starts a run for each message, as for the function of a job that reads its
queue itself. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from runner.dead_letters import ATTRIBUTE
from runner.triggered import Triggered

VARIABLE = "DEVBRIDGE_TRIGGERS"
"""The environment variable with what must be known of a job's triggers."""
_BLANKS = " \t\r\n"
"""What JSON allows around a value."""
MAX_KEY = 1024
"""Characters of what names a run."""


@dataclass(frozen=True)
class Listening:
    """What must be known of a job's triggers."""

    inbox: str = ""
    """The ARN of the job's own queue."""
    dead: str = ""
    """The ARN of the queue for what has failed for good."""
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By the ARN of what it reads: ``name``; ``dead``, where that is another one; ``together``, if
    all records that come at once are one run; ``held``, if a message is deleted only when its run
    has succeeded."""

    invoker: str = ""
    """This function's own ARN: it is called again with what was in no queue."""

    @staticmethod
    def from_environment(invoked: str = "") -> Listening:
        """What this function's environment variables say.

        Args:
            invoked: the ARN that it was called by; a version's number is left out.
        """
        told = json.loads(os.environ.get(VARIABLE) or "{}")
        own = ":".join(invoked.split(":")[:7])
        return Listening(told.get("inbox", ""), told.get("dead", ""), told.get("sources", {}), own)

    def name(self, arn: str) -> str:
        """What the trigger is called that listens to it."""
        return str(self._of(arn).get("name") or last(arn))

    def dead_of(self, arn: str) -> str:
        """The ARN of the queue for what has come from there and failed for good."""
        return str(self._of(arn).get("dead") or self.dead)

    def together(self, arn: str) -> bool:
        """Whether all that comes from there at once is one run."""
        return bool(self._of(arn).get("together"))

    def held(self, arn: str) -> bool:
        """Whether what comes from there is deleted only when its run has succeeded."""
        return bool(self._of(arn).get("held"))

    def _of(self, arn: str) -> Mapping[str, Any]:
        return self.sources.get(arn, {})


@dataclass(frozen=True)
class Read:
    """What a record says."""

    id: str
    """What AWS calls it."""
    key: str
    """What the run's key is made of, beside the trigger's name."""
    payload: bytes
    """A JSON text."""
    kind: str
    name: str
    """Of the trigger."""
    dead: str = ""
    source: str = ""
    delivery: int = 0
    """As `Triggered` has them."""
    alone: bool = False
    """It starts nothing while the run of another record of that trigger goes on."""

    @property
    def run_key(self) -> str:
        """What names the run."""
        return limited(self.name, self.key)

    def wrapped(self, event: Any) -> bytes:
        """The payload of the run that it asks for, having come as that event."""
        found = Triggered(self.kind, self.name, self.payload, dump(event), self.dead, self.source)
        return found._replace(delivery=self.delivery).text()


def limited(name: str, key: str) -> str:
    """What names a run: that of an S3 object may be as long as a key alone."""
    whole = f"{name}/{key}"
    if len(whole) <= MAX_KEY:
        return whole
    return f"{whole[: MAX_KEY // 2]}/{hashlib.sha256(whole.encode()).hexdigest()}"


def together(read: Sequence[Read]) -> Read:
    """The one run that several records ask for. Its id is that of the first."""
    first = read[0]
    digest = hashlib.sha256("\n".join(sorted(each.key for each in read)).encode()).hexdigest()
    payload = b"[" + b",".join(each.payload for each in read) + b"]"
    last_delivery = max(each.delivery for each in read)
    known = (first.kind, first.name, first.dead, first.source, last_delivery)
    return Read(first.id, digest, payload, *known)


def read_message(record: Mapping[str, Any], listening: Listening) -> Read:
    """What a message says: of a queue of the app's, or of the job's own, where what other triggers
    tell waits."""
    arn, body, number = source_arn(record), str(record["body"]), record["messageId"]
    dead, again = listening.dead_of(arn), _redriven(record)
    kind, name, payload, own, alone = "queue", "", b"", "", False
    if arn == listening.inbox and (found := _delivered(body, listening)) is not None:
        kind, name, payload, own, alone = found
    else:
        name, payload = listening.name(arn), of_text(body)
    if listening.held(arn):  # each delivery is a run
        count = delivery(record)
        return Read(number, f"{number}/{count}", payload, kind, name, dead, arn, count)
    key, alone = again or own or number, alone and not again
    return Read(number, key, payload, kind, name, dead, arn, alone=alone)


def delivery(record: Mapping[str, Any]) -> int:
    """Which delivery of a message it is, the first one being 1."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount") or 1)


def group(record: Mapping[str, Any]) -> str:
    """The group of a FIFO queue's message; "" of any other."""
    return str(record.get("attributes", {}).get("MessageGroupId") or "")


def source_arn(record: Mapping[str, Any]) -> str:
    """Of what the record comes from: of a stream, whoever has read it."""
    return str(record.get("eventSourceARN", "")).partition("/consumer/")[0]


def event_source(event: Mapping[str, Any]) -> str:
    """What the event's records come from: ``aws:sqs``; "" of another event."""
    records = event.get("Records")
    if not isinstance(records, list) or not records or not isinstance(records[0], Mapping):
        return ""
    return str(records[0].get("eventSource") or records[0].get("EventSource") or "")


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
        payload, own = dump(event.get("detail")), str(event.get("id", ""))
    else:
        payload, own = dump(found.get("payload")), str(head.get("id", ""))
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
    return dump(payload), f"{bucket}/{said['key']}/{sequence}"


def of_kinesis(record: Mapping[str, Any]) -> bytes:
    """The payload that a stream's record has."""
    return of_bytes(base64.b64decode(record["kinesis"]["data"]))


def of_row(record: Mapping[str, Any]) -> bytes:
    """The payload that the change of a table's row is."""
    found = record["dynamodb"]
    images = {"keys": "Keys", "new": "NewImage", "old": "OldImage"}
    told = ",".join(f'"{name}":{of_item(found.get(own))}' for name, own in images.items())
    text = f'{{"event":{json.dumps(record["eventName"])},{told}}}'
    return text.encode("utf-8", "surrogatepass")


def _redriven(record: Mapping[str, Any]) -> str:
    """What makes the key of a message that was redriven: the run that has failed."""
    told = record.get("messageAttributes", {}).get(ATTRIBUTE, {}).get("stringValue")
    try:
        found = json.loads(told or "null")
    except ValueError:
        return ""
    again = found.get("redriven") if isinstance(found, Mapping) else None
    return f"redriven/{again}" if again else ""


# --- values -------------------------------------------------------------------------------------


def dump(value: object) -> bytes:
    """Compact JSON. Raises ValueError, TypeError: there is something in it that JSON has not."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def of_text(text: str) -> bytes:
    """The JSON text that somebody has sent, without the blanks around it; of what is none, the text
    as JSON has it."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return dump(text)
    return text.strip(_BLANKS).encode("utf-8", "surrogatepass")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not json")


def of_bytes(data: bytes) -> bytes:
    """The same of bytes; what is no text either is its base64."""
    try:
        return of_text(data.decode())
    except UnicodeDecodeError:
        return dump(base64.b64encode(data).decode())


def of_item(item: Mapping[str, Any] | None) -> str:
    """An item of DynamoDB as a JSON text: numbers keep their digits, binaries are base64."""
    if item is None:
        return "null"
    return f"{{{','.join(f'{_dump(key)}:{_of_value(value)}' for key, value in item.items())}}}"


def _of_value(value: Mapping[str, Any]) -> str:
    ((kind, held),) = value.items()
    match kind:
        case "NULL":
            return "null"
        case "N":
            return str(held)
        case "NS":
            return f"[{','.join(held)}]"
        case "L":
            return f"[{','.join(map(_of_value, held))}]"
        case "M":
            return of_item(held)
        case _:  # S, B, BOOL, SS, BS
            return _dump(held)


def last(arn: str) -> str:
    """What an ARN ends with: the name of what it names."""
    return arn.rpartition(":")[2].rpartition("/")[2]


def _dump(value: object) -> str:
    return dump(value).decode("utf-8", "surrogatepass")
