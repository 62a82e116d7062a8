"""Messages to bytes and back.

A message is one line of JSON (the *head*), a newline, and the *body*: a run's payload or a
result, byte for byte as it came; behind a run's payload its checkpoint, if it has one, whose size
the head tells. The body is never parsed or encoded again on the way, so every
JSON value arrives unchanged. The head is small and is checked strictly; fields that this version
does not know are ignored.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final, NoReturn, get_type_hints

from devbridge.protocol.errors import Malformed, NewerVersion, TooLarge
from devbridge.protocol.ids import is_id
from devbridge.protocol.messages import (
    VERSION,
    Abandoned,
    Accepted,
    Cancel,
    Cancelled,
    Invoke,
    Message,
    Presence,
    Raised,
    Rejected,
    Responded,
    Run,
    Status,
    StatusReply,
    Taken,
)
from runner.claims import run_uuid

MAX_BODY: Final = 6 * 1024 * 1024
"""Bytes: Lambda's own limit for a synchronous request and response. As `runner.outcome.MAX_BODY`,
which the live stub does not load."""
MAX_HEAD: Final = 64 * 1024
MAX_CHECKPOINT: Final = 256 * 1024
"""Bytes. As `runner.outcome.MAX_CHECKPOINT`."""
MAX_MESSAGE: Final = MAX_HEAD + 1 + MAX_BODY + MAX_CHECKPOINT


def new_id() -> str:
    """A fresh id for a request, a stub or a daemon."""
    return str(uuid.uuid4())


def job_id(app: str, stage: str, job: str, key: str) -> str:
    """The id of the run of a job that a key (of idempotency, or of a Lambda request) names.

    The same key always gives the same id, whoever computes it.
    """
    return run_uuid(app, stage, job, key)


def dump_json(value: object) -> bytes:
    """JSON, compact, as UTF-8; lone surrogates (legal in JSON) survive.

    Raises:
        ValueError: the value has NaN, an infinity or a cycle, or is nested too deeply.
        TypeError: the value has something that JSON has not.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return text.encode("utf-8", "surrogatepass")


def load_json(data: bytes) -> Any:
    """The inverse of `dump_json`.

    Raises:
        Malformed: not JSON, or not UTF-8, or nested too deeply. NaN is not JSON.
    """
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"), parse_constant=_refuse_constant)
    except RecursionError:
        raise Malformed("json is nested too deeply") from None
    except ValueError as error:
        raise Malformed(f"not json: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not json")


def encode(message: Message) -> bytes:
    """The bytes of a message.

    Raises:
        TooLarge: the body is over `MAX_BODY`, a checkpoint is over `MAX_CHECKPOINT`, or the rest is
            over `MAX_HEAD`.
    """
    kind = _KIND_OF[type(message)]
    head: dict[str, object] = {"v": kind.version, "type": kind.name}
    for name in kind.checks:
        value = getattr(message, name)
        if value is not None:
            head[name] = value
    body: bytes | None = getattr(message, kind.body) if kind.body else None
    if body is not None:
        head["body"] = True
        if len(body) > MAX_BODY:
            raise TooLarge(f"the {kind.body} has {len(body)} bytes, the limit is {MAX_BODY}")
    more: bytes | None = getattr(message, kind.more) if kind.more else None
    if more is not None:
        head.update({"v": 2, str(kind.more): len(more)})
        if len(more) > MAX_CHECKPOINT:
            what = f"the {kind.more} has {len(more)} bytes, the limit is {MAX_CHECKPOINT}"
            raise TooLarge(what)
    line = dump_json(head)
    if len(line) > MAX_HEAD:
        raise TooLarge(f"the head has {len(line)} bytes, the limit is {MAX_HEAD}")
    return b"%b\n%b%b" % (line, body or b"", more or b"")


def decode(data: bytes) -> Message:
    """The message in these bytes.

    Raises:
        Malformed: not a message.
        NewerVersion: a message, but of a newer protocol.
        TooLarge: over `MAX_MESSAGE`.
    """
    if len(data) > MAX_MESSAGE:
        raise TooLarge(f"the message has {len(data)} bytes, the limit is {MAX_MESSAGE}")
    end = data.find(b"\n", 0, MAX_HEAD + 1)
    if end < 0:
        raise Malformed("the head has no end")
    head = load_json(data[:end])
    if not isinstance(head, dict):
        raise Malformed("the head is not an object")
    version = head.get("v")
    if type(version) is not int or version < 1:
        raise Malformed("the head has no version")
    if version > VERSION:
        raise NewerVersion(f"protocol version {version}; this devbridge knows {VERSION}")
    name = head.get("type")
    kind = _KIND_NAMED.get(name) if isinstance(name, str) else None
    if kind is None:
        raise Malformed(f"unknown message type {name!r}")
    return kind.build(head, data[end + 1 :])


def _is_string(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    return type(value) is int


def _is_number(value: object) -> bool:
    # The range keeps infinity (JSON's 1e999) and integers that no float can hold away.
    return isinstance(value, int | float) and not _is_boolean(value) and -1e15 < value < 1e15


def _is_boolean(value: object) -> bool:
    return type(value) is bool


_CHECK_OF_TYPE: Final[Mapping[object, Callable[[object], bool]]] = {
    str: _is_string,
    str | None: _is_string,
    int: _is_integer,
    float: _is_number,
    bool: _is_boolean,
}
# Ids become parts of topics and of file names: nothing but a UUID may pass.
_IDS: Final = frozenset({"request_id", "stub_id", "job_id", "daemon_id", "aws_request_id"})


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    make: Callable[..., Message]
    body: str | None
    more: str | None
    """What stands behind the body."""
    checks: Mapping[str, Callable[[object], bool]]
    required: frozenset[str]
    version: int
    """The first one that has it."""

    def build(self, head: dict[str, Any], rest: bytes) -> Message:
        values: dict[str, object] = {}
        for name, check in self.checks.items():
            if name in head:
                if not check(head[name]):
                    raise Malformed(f"{self.name} has a bad {name}")
                values[name] = head[name]
            elif name in self.required:
                raise Malformed(f"{self.name} has no {name}")
        if self.more is not None and (size := head.get(self.more)) is not None:
            if type(size) is not int or not 0 < size <= min(len(rest), MAX_CHECKPOINT):
                raise Malformed(f"{self.name} has a bad {self.more}")
            rest, values[self.more] = rest[:-size], rest[-size:]
        if head.get("body") is True and self.body is not None:
            values[self.body] = rest
        elif rest:
            raise Malformed(f"{self.name} has bytes after its head")
        elif self.body is not None and self.body in self.required:
            raise Malformed(f"{self.name} has no {self.body}")
        return self.make(**values)


def _kind(
    name: str,
    make: type[Message],
    body: str | None = None,
    more: str | None = None,
    *,
    version: int = 1,
) -> _Kind:
    types = get_type_hints(make)
    return _Kind(
        name=name,
        make=make,
        body=body,
        more=more,
        checks={
            field.name: is_id if field.name in _IDS else _CHECK_OF_TYPE[types[field.name]]
            for field in fields(make)
            if field.name not in (body, more)
        },
        required=frozenset(field.name for field in fields(make) if field.default is MISSING),
        version=version,
    )


_KIND_OF: Final[Mapping[type[Message], _Kind]] = {
    Run: _kind("run", Run, "payload", "checkpoint"),
    Cancel: _kind("cancel", Cancel),
    Status: _kind("status", Status),
    Accepted: _kind("accepted", Accepted),
    Rejected: _kind("rejected", Rejected),
    Cancelled: _kind("cancelled", Cancelled),
    StatusReply: _kind("status_reply", StatusReply, "result"),
    Presence: _kind("presence", Presence),
    Invoke: _kind("invoke", Invoke, "event", version=3),
    Abandoned: _kind("abandoned", Abandoned, version=3),
    Taken: _kind("taken", Taken, version=3),
    Responded: _kind("responded", Responded, "body", version=3),
    Raised: _kind("raised", Raised, "error", version=3),
}
_KIND_NAMED: Final[Mapping[object, _Kind]] = {kind.name: kind for kind in _KIND_OF.values()}
