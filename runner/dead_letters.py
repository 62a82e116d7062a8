"""The messages of runs that have failed for good, as their dead-letter queue gets them.

Each is the original message, with its attributes and one more: ``devbridge``, a JSON text that says
which run it was, how often it was tried and why it has failed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.outcome import CRASHED, FAILED, INVALID, TIMED_OUT, Failure
from runner.triggered import Triggered, records

ATTRIBUTE = "devbridge"
"""The message's attribute that says what has become of it."""
STOPPED = "DaemonStopped"
"""The type of the failure of a run that ended because `devbridge dev` was stopped."""
_SENT = (FAILED, TIMED_OUT, CRASHED)
_ATTRIBUTES = 10
"""Of one message: SQS's quota."""
_ERROR = 1000
"""Characters of an error that are told."""


@dataclass(frozen=True)
class DeadLetter:
    """One message for a dead-letter queue."""

    queue: str
    """The ARN of the queue."""
    body: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """As SQS takes them: ``{"name": {"DataType": ..., "StringValue": ...}}``."""
    group: str = ""
    """Of a FIFO queue."""
    deduplication: str = ""

    def parameters(self, url: str = "") -> dict[str, Any]:
        """Those of SQS's SendMessage."""
        given: dict[str, Any] = {"QueueUrl": url, "MessageBody": self.body}
        given["MessageAttributes"] = dict(self.attributes)
        if self.group:
            given |= {
                "MessageGroupId": self.group,
                "MessageDeduplicationId": self.deduplication,
            }
        return given


def gives_up(state: str, failure: Failure | None) -> bool:
    """Whether the message of a run that has ended so goes there. Who cancels a run has decided
    about its message; who stops `devbridge dev` while it runs has not."""
    return state in _SENT or (failure is not None and failure.type == STOPPED)


def dead_letters(
    found: Triggered, run_id: str, state: str, failure: Failure | None, attempt: int
) -> list[DeadLetter]:
    """What is to be sent of a run that has ended so: a message for each of its records.

    Args:
        attempt: the number of the last one.
    """
    if not found.dead or not gives_up(state, failure):
        return []
    if found.delivery and (failure is None or failure.type != INVALID):
        return []  # it is delivered again, and SQS gives it up
    error = state if failure is None else f"{failure.type}: {failure.message}"
    told = {
        "run": run_id,
        "error": error[:_ERROR],
        "attempt": attempt,
        "kind": found.kind,
        "trigger": found.name,
        "source": found.source,
    }
    if found.redriven:
        told["redriven"] = found.redriven
    return [_letter(found, each, told) for each in records(found)]


@dataclass(frozen=True)
class Delivered:
    """A message that its queue holds for a run."""

    queue: str
    """The ARN of the queue."""
    receipt: str
    """What this delivery of it is known by there."""


def delivered(found: Triggered) -> list[Delivered]:
    """The messages whose queues are to hear of the run's end; none if they were deleted when it was
    accepted."""
    if not found.delivery:
        return []
    return [Delivered(found.source, str(each["receiptHandle"])) for each in records(found)]


def _letter(found: Triggered, record: Any, told: Mapping[str, Any]) -> DeadLetter:
    message = isinstance(record, Mapping) and "body" in record and "messageId" in record
    if message:
        body = str(record["body"])
        attributes = dict(list(_attributes(record).items())[: _ATTRIBUTES - 1])
    else:  # it is a message when it is redriven
        head = {"kind": found.kind, "name": found.name}
        body, attributes = json.dumps({"devbridge": head, "event": record}), {}
    known = {**told, **_before(record), "message": record["messageId"]} if message else told
    attributes[ATTRIBUTE] = {"DataType": "String", "StringValue": json.dumps(known)}
    group = deduplication = ""
    if found.dead.endswith(".fifo"):
        group = str(record.get("attributes", {}).get("MessageGroupId") or "devbridge")
        unique = f"{known['run']}/{known.get('message') or body}"
        deduplication = hashlib.sha256(unique.encode()).hexdigest()
    return DeadLetter(found.dead, body, attributes, group, deduplication)


def _before(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the message says of an earlier failure, if it was redriven."""
    text = (record.get("messageAttributes") or {}).get(ATTRIBUTE, {}).get("stringValue")
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    again = found.get("redriven") if isinstance(found, dict) else None
    return {"redriven": again} if again else {}


def _attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's attributes as SendMessage takes them."""
    attributes: dict[str, Any] = {}
    for name, value in (record.get("messageAttributes") or {}).items():
        kind = value.get("dataType", "String")
        given: dict[str, Any] = {"DataType": kind}
        if kind.startswith("Binary"):
            given["BinaryValue"] = value.get("binaryValue", "")
        else:
            given["StringValue"] = value.get("stringValue", "")
        if name != ATTRIBUTE:
            attributes[name] = given
    return attributes
