"""What a trigger's record becomes on its way to the handler: its payload, the event that it came
as, and where both belong if the run fails.

All that carries payloads (the bridge, the ledger, S3, a rerun) carries these as it carries others:
they are one JSON text, ``{"devbridge:trigger": {...}, "payload": ..., "event": ...}``, which is
taken apart where the handler is called, and where it is shown. The payload's text stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

MARK = b'{"devbridge:trigger":'
"""What such a text begins with."""
HELD = MARK + b'{"delivery":'
"""What it begins with if its message is deleted only when the run has succeeded."""
_PAYLOAD = ',"payload":'
_EVENT = ',"event":'
MAX_VARIABLE = 96 * 1024
"""Bytes of an event that DEVBRIDGE_EVENT holds: Linux takes 128 KiB in one variable."""


class Triggered(NamedTuple):
    """A record, or several that are one run."""

    kind: str
    """``queue``, ``topic``, ``object`` ...: see the job's triggers in app.py."""
    name: str
    """Of the trigger."""
    payload: bytes
    """A JSON text."""
    event: bytes
    """The record as AWS has handed it over, a JSON text."""
    dead: str = ""
    """The ARN of the queue for what has failed for good; "" if there is none."""
    source: str = ""
    """The ARN of the queue that a message goes back to when it is redriven; of what was in none,
    that of the invoker."""
    redriven: str = ""
    """What it was sent back with before, if it was, and was in no queue then."""
    delivery: int = 0
    """Which delivery of its message the run is, the first one being 1, if the message is deleted
    only when the run has succeeded; 0: it was deleted when the run was accepted."""

    def text(self) -> bytes:
        """As it is carried."""
        head: dict[str, Any] = {"delivery": self.delivery} if self.delivery else {}
        head |= {"kind": self.kind, "name": self.name}
        more = {"dead": self.dead, "source": self.source, "redriven": self.redriven}
        head |= {key: value for key, value in more.items() if value}
        parts = (MARK, _dump(head), _PAYLOAD.encode(), self.payload, _EVENT.encode(), self.event)
        return b"".join(parts) + b"}"


def triggered(body: bytes) -> Triggered | None:
    """What such a text has; None if it is another payload."""
    if not body.startswith(MARK):
        return None
    decoder = json.JSONDecoder()
    try:
        text = body.decode("utf-8", "surrogatepass")
        head, at = decoder.raw_decode(text, len(MARK))
        payload, at = _value(decoder, text, at, _PAYLOAD)
        event, at = _value(decoder, text, at, _EVENT)
    except (ValueError, RecursionError):
        return None
    if text[at:] != "}" or not isinstance(head, Mapping):
        return None
    known = {key: str(head.get(key, "")) for key in ("kind", "name", "dead", "source", "redriven")}
    count = head.get("delivery")
    held = count if type(count) is int else 0
    return Triggered(payload=payload, event=event, delivery=held, **known)


def delivery_of(body: bytes) -> int:
    """See `Triggered.delivery`; 0 of another payload."""
    found = triggered(body) if body.startswith(HELD) else None
    return found.delivery if found else 0


def message_ids(body: bytes) -> frozenset[str]:
    """The messages that are held for such a run."""
    found = triggered(body) if body.startswith(HELD) else None
    return (
        frozenset(str(each.get("messageId")) for each in records(found)) if found else frozenset()
    )


def records(found: Triggered) -> list[Any]:
    """What a run is of, each as AWS has handed it over: one record, or those of a batch."""
    event = json.loads(found.event)
    several = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(several, list) or found.kind == "event":
        return [event]
    return several


def let_go(body: bytes) -> bytes:
    """The same for a run that is none of the message's own: one that is run again by hand."""
    found = triggered(body) if body.startswith(HELD) else None
    return found._replace(delivery=0).text() if found else body


def beginning_of(kind: str, name: str) -> bytes:
    """What the text of every record of a trigger begins with."""
    return MARK + _dump({"kind": kind, "name": name})[:-1]


def payload_of(body: bytes) -> bytes:
    """The payload alone, of any run."""
    found = triggered(body)
    return body if found is None else found.payload


def variables(found: Triggered | None) -> dict[str, str]:
    """What a handler's environment says of the event: DEVBRIDGE_EVENT, if it is not too large."""
    if found is None or len(found.event) > MAX_VARIABLE:
        return {}
    return {"DEVBRIDGE_EVENT": found.event.decode("utf-8", "backslashreplace")}


def _value(decoder: json.JSONDecoder, text: str, at: int, name: str) -> tuple[bytes, int]:
    """The text of the value that has this name, and where it ends.

    Raises:
        ValueError, RecursionError: there is none.
    """
    if not text.startswith(name, at):
        raise ValueError(name)
    begin = at + len(name)
    _, end = decoder.raw_decode(text, begin)
    return text[begin:end].encode("utf-8", "surrogatepass"), end


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
