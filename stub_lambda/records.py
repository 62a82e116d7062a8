"""What is read out of the events of AWS's services, and what becomes of it. See `sources`."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from devbridge.protocol.codec import dump_json, load_json
from devbridge.protocol.errors import Malformed
from runner.triggered import Triggered, triggered
from stub_lambda.events import MAX_KEY, Start

VARIABLE: Final = "DEVBRIDGE_TRIGGERS"
"""The environment variable with what an invoker must know of its job's triggers."""


@dataclass(frozen=True, slots=True)
class Listening:
    """What an invoker must know of its job's triggers."""

    inbox: str = ""
    """The ARN of the job's own queue."""
    dead: str = ""
    """The ARN of the queue for what has failed for good."""
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By the ARN of what it reads: ``name``; ``dead``, where that is another one; and ``together``,
    if all records that come at once are one run."""
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
        return str(self.sources.get(arn, {}).get("name") or last(arn))

    def dead_of(self, arn: str) -> str:
        """The ARN of the queue for what has come from there and failed for good."""
        return str(self.sources.get(arn, {}).get("dead") or self.dead)


@dataclass(frozen=True, slots=True)
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
    """As `Triggered` has them."""
    alone: bool = False
    """It starts nothing while the run of another record of that trigger goes on."""

    def record(self, event: Any, *, remember: bool = True) -> Record:
        """The run that it asks for, having come as that."""
        wrapped = Triggered(
            self.kind, self.name, self.payload, dump_json(event), self.dead, self.source
        )
        key, alone = _limited(self.name, self.key), self.name if self.alone else ""
        return Record((self.id,), Start(wrapped.text(), key, remember, alone=alone))


@dataclass(frozen=True, slots=True)
class Record:
    """What is to become a run, and how AWS calls it: the ids that the answer may have to name."""

    ids: tuple[str, ...]
    start: Start

    def again(self, key: str) -> Record:
        """The same, of which a run has failed before: another run, of that key."""
        found = triggered(self.start.payload)
        assert found is not None  # noqa: S101 - it was made here
        text = found._replace(redriven=key).text()
        own = _limited(found.name, f"redriven/{key}")
        return replace(self, start=replace(self.start, payload=text, key=own))


def batch(read: Sequence[Read], records: Sequence[Any]) -> Record:
    """The one run that several records ask for."""
    first, ids = read[0], tuple(each.id for each in read)
    digest = hashlib.sha256("\n".join(sorted(each.key for each in read)).encode()).hexdigest()
    payload = b"[" + b",".join(each.payload for each in read) + b"]"
    event = dump_json({"Records": list(records)})
    wrapped = Triggered(first.kind, first.name, payload, event, first.dead, first.source)
    return Record(ids, Start(wrapped.text(), _limited(first.name, digest), True))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of a record."""

    record: Record
    answer: Mapping[str, Any] | None = None
    """The invoker's, if the run is accepted."""
    code: str = ""
    error: str = ""
    """Why it is not."""

    @property
    def failed(self) -> bool:
        """Whether it was not started."""
        return self.answer is None


class NotStarted(Exception):
    """Whoever has called the invoker is to call again: a run could not be started."""


class Source(Protocol):
    """A kind of event."""

    @property
    def ordered(self) -> bool:
        """What follows a record that was not started is not to be started before it."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether it is of this kind."""

    def starts(self, event: Mapping[str, Any], listening: Listening) -> Sequence[Record]:
        """The runs that it asks for."""

    def answer(self, outcomes: Sequence[Outcome]) -> Any:
        """What Lambda returns.

        Raises:
            NotStarted: the caller learns of a failure by an error only.
        """


# --- values -------------------------------------------------------------------------------------


def of_text(text: str) -> bytes:
    """The JSON text that somebody has sent, as it is; of what is none, the text as JSON has it."""
    sent = text.encode("utf-8", "surrogatepass")
    try:
        load_json(sent)
    except Malformed:
        return dump_json(text)
    return sent


def of_bytes(data: bytes) -> bytes:
    """The same of bytes; what is no text either is its base64."""
    try:
        return of_text(data.decode())
    except UnicodeDecodeError:
        return dump_json(base64.b64encode(data).decode())


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
    return dump_json(value).decode("utf-8", "surrogatepass")


def _limited(name: str, key: str) -> str:
    """A key that an invoker takes: that of an S3 object may be as long as that alone."""
    whole = f"{name}/{key}"
    if len(whole) <= MAX_KEY:
        return whole
    return f"{whole[: MAX_KEY // 2]}/{hashlib.sha256(whole.encode()).hexdigest()}"
