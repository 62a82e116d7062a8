"""A message of a dead-letter queue: what it says of how it came there, and what is sent back. Pure.

That of a run which has failed for good says so itself (`runner.dead_letters`). One whose run could
not be started was moved by SQS, and has only what SQS tells of each message; so has one of a queue
that holds it until its run has succeeded, whose runs are looked up (`deliveries`). Of a stream's
records that could not be started, Lambda tells where they are (`streams`).
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devbridge.errors import UnknownMessage, did_you_mean
from devbridge.messages.streams import GivenUp, given_up
from devbridge.runs.text import iso
from devbridge.words import many
from runner.dead_letters import ATTRIBUTE

_ATTRIBUTES: Final = 10
"""Of one message: SQS's quota."""
_NOT_STARTED: Final = "its run could not be started"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message."""

    id: str
    receipt: str
    """What SQS wants to know to delete it."""
    body: str
    attributes: Mapping[str, Any]
    """The message's own, as SQS has them."""
    told: Mapping[str, Any]
    """What the attribute `devbridge` says."""
    sent_at: float
    """In seconds since the epoch."""
    receives: int
    """How often it was received, the look that has found it included."""
    moved_from: str = ""
    """The ARN of the queue that SQS has moved it from."""
    group: str = ""
    """Of a FIFO queue."""

    @property
    def run(self) -> str:
        """The id of the run that has failed; "" if none was started."""
        return str(self.told.get("run") or "")

    @property
    def error(self) -> str:
        """Why it is here."""
        if self.run or "error" in self.told:
            return str(self.told.get("error") or "")
        if (found := self.given_up) is None:
            return _of_a_function(self.body) or _NOT_STARTED
        return f"{many(found.size, 'record')} could not be started: {found.why}"

    @property
    def given_up(self) -> GivenUp | None:
        """The records that it tells of, if it is of Lambda's that reads a stream."""
        return None if self.run else given_up(_told(self.body))

    @property
    def invoker(self) -> str:
        """The ARN of the invoker that is to start a run for it; "": its queue is read."""
        source = self.source
        return source if source.split(":")[2:3] == ["lambda"] else ""

    @property
    def event(self) -> dict[str, Any]:
        """What an invoker was called with, for what was in no queue."""
        event = _told(self.body).get("event")
        if self.told.get("kind") == "log":
            packed = gzip.compress(json.dumps(event).encode(), mtime=0)
            return {"awslogs": {"data": base64.b64encode(packed).decode()}}
        return {"Records": [event]}

    @property
    def attempt(self) -> int | None:
        """The number of the run's last attempt."""
        found = self.told.get("attempt")
        return found if self.run and isinstance(found, int) else None

    @property
    def trigger(self) -> str:
        """The kind and the name of the trigger: ``topic news``; of a message that SQS has moved,
        the name of the queue that it was in."""
        told = self.told if "kind" in self.told else _head(self.body)
        if kind := told.get("kind"):
            return f"{kind} {told.get('trigger') or told.get('name') or ''}".rstrip()
        if (found := self.given_up) is not None:
            return f"{found.kind} {found.name}"
        return f"queue {_last(self.source)}" if self.source else ""

    @property
    def source(self) -> str:
        """The ARN of the queue that it is sent back to, or of the invoker that is called with what
        was in none; "" if it does not say."""
        found = self.given_up
        return str(self.told.get("source") or (found.function if found else self.moved_from))

    @property
    def redriven(self) -> str:
        """The key that it was sent back with before, if it was."""
        return str(self.told.get("redriven") or "")

    @property
    def key(self) -> str:
        """What makes the key of the run that this message starts when it is sent back: the same
        however often that happens to this message, and another one for the next failure. Of one run
        there may be several messages, so it is made of both."""
        if not self.run:
            # If a run was started with the earlier key all the same, it is to stay the only one.
            return self.redriven or self.id
        message = str(self.told.get("message") or self.body)
        return f"{self.run}/{hashlib.sha256(message.encode('utf-8', 'replace')).hexdigest()[:16]}"

    def back(self, url: str) -> dict[str, Any]:
        """The parameters of the SendMessage that sends it back to that queue."""
        attributes = {key: value for key, value in self.attributes.items() if key != ATTRIBUTE}
        if len(attributes) < _ATTRIBUTES:
            value = json.dumps({"redriven": self.key})
            attributes[ATTRIBUTE] = {"DataType": "String", "StringValue": value}
        given = {"QueueUrl": url, "MessageBody": self.body, "MessageAttributes": attributes}
        if url.endswith(".fifo"):
            given["MessageGroupId"] = self.group or "devbridge"
            # Not of the key alone: what comes here again within minutes would be swallowed.
            unique = f"{self.id}/{self.key}"
            given["MessageDeduplicationId"] = hashlib.sha256(unique.encode()).hexdigest()
        return given

    def as_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "id": self.id,
            "sentAt": iso(self.sent_at),
            "receives": self.receives,
            "run": self.run or None,
            "error": self.error,
            "attempt": self.attempt,
            "trigger": self.trigger or None,
            "source": self.source or None,
            "group": self.group or None,
            "redriven": self.redriven or None,
            "records": None if self.given_up is None else dataclasses.asdict(self.given_up),
            "attributes": {key: shown(each) for key, each in self.attributes.items()},
            "body": self.body,
        }


def letter(message: Mapping[str, Any]) -> Letter:
    """A message as ReceiveMessage has it, with all its attributes."""
    system = message.get("Attributes") or {}
    attributes = {
        name: {key: value for key, value in each.items() if not key.endswith("ListValues")}
        for name, each in (message.get("MessageAttributes") or {}).items()
    }
    return Letter(
        message["MessageId"],
        message["ReceiptHandle"],
        message["Body"],
        attributes,
        _told(attributes.get(ATTRIBUTE, {}).get("StringValue")),
        int(system.get("SentTimestamp", 0)) / 1000,
        int(system.get("ApproximateReceiveCount", 1)),
        system.get("DeadLetterQueueSourceArn", ""),
        system.get("MessageGroupId", ""),
    )


def whole_ids(found: Sequence[str], given: Sequence[str]) -> list[str]:
    """The ids that these unambiguous beginnings mean, each once.

    Raises:
        UnknownMessage: one means none, or several.
    """
    meant: dict[str, None] = {}
    for text in given:
        matching = [each for each in found if each.startswith(text)]
        if len(matching) != 1:
            raise _unknown(text, matching, found)
        meant[matching[0]] = None
    return list(meant)


def shown(attribute: Mapping[str, Any]) -> str:
    """A message's attribute as text: what is binary is its base64."""
    value = attribute.get("StringValue", attribute.get("BinaryValue", ""))
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _unknown(text: str, matching: Sequence[str], found: Sequence[str]) -> UnknownMessage:
    if matching:
        return UnknownMessage(
            f"{len(matching)} messages have ids that begin with {text!r}",
            where=", ".join(matching[:3]),
            remedy="give more of the id",
        )
    return UnknownMessage(
        f"no message has an id that begins with {text!r}{did_you_mean(text, found)}",
        where=f"{len(found):,} messages were seen",
        remedy="see `devbridge dlq list`; what somebody else looks at now is hidden for a moment",
    )


def _told(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _head(body: str) -> Mapping[str, Any]:
    """What a message of a job's own queue says of its trigger."""
    found = _told(body)
    if found.get("Type") == "Notification" and isinstance(found.get("TopicArn"), str):
        return {"kind": "topic", "name": _last(found["TopicArn"])}
    head = found.get("devbridge")
    return head if isinstance(head, Mapping) else {}


def _of_a_function(body: str) -> str:
    """What a function has failed with, as Lambda tells its destination; "" if that is not what it
    is ("Capturing records of Lambda asynchronous invocations")."""
    found = _told(body)
    asked, failed = found.get("requestContext"), found.get("responsePayload")
    if not isinstance(asked, Mapping) or "requestPayload" not in found:
        return ""
    if isinstance(failed, Mapping) and failed.get("errorMessage"):
        return f"{failed.get('errorType') or 'Error'}: {failed['errorMessage']}"
    return str(asked.get("condition") or "")


def _last(arn: str) -> str:
    return arn.rpartition(":")[2]
