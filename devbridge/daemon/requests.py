"""The words for a request of a live function: what it is about, and how it was answered. Pure.

Events are told apart as AWS documents them: https://docs.aws.amazon.com/lambda/latest/dg/ and
https://docs.aws.amazon.com/apigateway/latest/developerguide/.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devbridge import printable
from devbridge.daemon.told import Mood
from devbridge.palette import Style
from devbridge.words import many
from runner.outcome import Failure, duration

LARGEST: Final = 1024 * 1024
"""Bytes of an event or an answer that is read for its words: nobody waits for a longer one."""
LONGEST: Final = 200
"""Characters of a path."""
_PATH: Final = re.compile(rb'"rawPath"\s*:\s*("(?:[^"\\]|\\.)*")')
_METHOD: Final = re.compile(rb'"http"\s*:\s*\{\s*"method"\s*:\s*"([A-Z]+)"')
_STATUS: Final = re.compile(rb'"statusCode"\s*:\s*"?(\d{3})\b')
_LOGGED: Final = re.compile(
    rb"^\[([A-Z]+)\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t[0-9a-f-]*\t", re.MULTILINE
)
_NOTHING: Final[Mapping[str, Any]] = {}


class Kind(enum.Enum):
    """How a request's answer is read."""

    HTTP = enum.auto()
    AUTHORIZER = enum.auto()
    BATCH = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class Asking:
    """What a request is about."""

    what: str
    """``POST /factorial``, ``sqs: 3 records``, ``invoked``"""
    kind: Kind = Kind.OTHER


INVOKED: Final = Asking("invoked")
"""Somebody has called the function itself."""


def asking(event: bytes) -> Asking:
    """What an event, a JSON text, is about."""
    found = _read(event) if len(event) <= LARGEST else _upload(event)
    if not isinstance(found, dict):
        return INVOKED
    for look in (_authorizer, _http, _records, _of_service):
        if (told := look(found)) is not None:
            return Asking(printable.one_line(told.what[:LONGEST]), told.kind)
    return INVOKED


def answered(asked: Asking, body: bytes) -> tuple[str, Mood]:
    """How a request was answered, in a word or none, and how that is meant. `body` is a JSON
    text."""
    match asked.kind:
        case Kind.HTTP:
            return _status(body)
        case Kind.AUTHORIZER:
            return _decision(_read(body))
        case Kind.BATCH:
            failed = _mapping(_read(body)).get("batchItemFailures")
            count = len(failed) if isinstance(failed, list) else 0
            return (f"{count:,} failed", Mood.WARN) if count else ("", Mood.GOOD)
    return "", Mood.GOOD


def _read(text: bytes) -> Any:
    if len(text) > LARGEST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _upload(event: bytes) -> Mapping[str, Any] | None:
    """What is looked for in a large event of an HTTP API, which has its body at an end."""
    ends = event[:LARGEST] + event[-LARGEST:]
    path, method = _PATH.search(ends), _METHOD.search(ends)
    if path is None or method is None:
        return None
    http = {"method": method[1].decode(), "path": path[1].decode(errors="replace")}
    return {"rawPath": _read(path[1]), "requestContext": {"http": http}}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _NOTHING


# --- events -------------------------------------------------------------------------------------


def _authorizer(event: Mapping[str, Any]) -> Asking | None:
    if event.get("type") not in ("REQUEST", "TOKEN"):
        return None
    arn = event.get("routeArn") or event.get("methodArn")
    if not isinstance(arn, str):
        return None
    _, _, route = arn.rpartition(":")  # API/STAGE/METHOD/PATH
    _, _, method, *path = [*route.split("/", 3), "", "", ""][:4]
    return Asking(f"authorizer {method} /{'/'.join(path)}", Kind.AUTHORIZER)


def _http(event: Mapping[str, Any]) -> Asking | None:
    context = _mapping(event.get("requestContext"))
    http = _mapping(context.get("http"))
    if http.get("method"):  # HTTP API, version 2.0; a function's URL
        path = event.get("rawPath") or http.get("path")
        return Asking(f"{http['method']} {path}", Kind.HTTP)
    if event.get("httpMethod") and "path" in event:  # version 1.0, REST, a load balancer
        return Asking(f"{event['httpMethod']} {event['path']}", Kind.HTTP)
    if context.get("connectionId") and context.get("routeKey"):
        return Asking(f"websocket {context['routeKey']}", Kind.HTTP)
    return None


def _records(event: Mapping[str, Any]) -> Asking | None:
    records = event.get("Records")
    if not isinstance(records, list) or not records:
        return None
    first = _mapping(records[0])
    source = first.get("eventSource") or first.get("EventSource")
    if not isinstance(source, str) or ":" not in source:
        return None
    return Asking(f"{source.partition(':')[2]}: {many(len(records), 'record')}", Kind.BATCH)


def _of_service(event: Mapping[str, Any]) -> Asking | None:
    if isinstance(event.get("detail-type"), str) and "source" in event:
        if event["detail-type"] == "Scheduled Event":
            return Asking("schedule")
        return Asking(f"event {event['detail-type']!r} of {event['source']}")
    if "data" in _mapping(event.get("awslogs")):
        return Asking("logs")
    if isinstance(event.get("triggerSource"), str) and "userPoolId" in event:
        return Asking(f"user pool {event['triggerSource']}")
    return None


# --- answers ------------------------------------------------------------------------------------


def _status(body: bytes) -> tuple[str, Mood]:
    """The status of an answer to HTTP. What is no document of a status is one with 200."""
    status: object = 200
    if len(body) > LARGEST:
        found = _STATUS.search(body[:LARGEST]) or _STATUS.search(body[-LARGEST:])
        status = found[1].decode() if found else "answered"
    elif isinstance(document := _read(body), dict) and "statusCode" in document:
        status = document["statusCode"]
    text = printable.one_line(str(status))[:12]
    if not text.isdigit():
        return text, Mood.PLAIN
    return text, Mood.BAD if text >= "500" else Mood.WARN if text >= "400" else Mood.GOOD


def _decision(answer: object) -> tuple[str, Mood]:
    """What an authorizer has answered: ``isAuthorized``, or a policy of IAM's."""
    found = _mapping(answer)
    allowed = found.get("isAuthorized")
    if allowed is None:
        statements = _mapping(found.get("policyDocument")).get("Statement")
        listed: Sequence[Any] = statements if isinstance(statements, list) else [statements]
        effects = [_mapping(each).get("Effect") for each in listed]
        if not any(effects):
            return "decided nothing", Mood.BAD
        allowed = "Deny" not in effects
    return ("allowed", Mood.GOOD) if allowed else ("denied", Mood.WARN)


def printed(data: bytes) -> bytes:
    """What a function has printed, where its root logger has written Lambda's lines without their
    times and ids, as what a deployed function prints is shown."""
    return _LOGGED.sub(rb"[\1] ", data) if b"]\t" in data else data


# --- lines --------------------------------------------------------------------------------------


def over(
    what: str, how: str, mood: Mood, seconds: float, failure: Failure | None, style: Style
) -> str:
    """A request is over: ``POST /factorial 202 14ms``, ``POST /factorial raised KeyError 14ms``."""
    if failure is not None:
        how = _SAID.get(failure.type, f"raised {failure.type}")
    looks = {Mood.GOOD: style.good, Mood.WARN: style.warn, Mood.BAD: style.bad}
    shown = f" {looks.get(mood, str)(how)}" if how else ""
    return f"{what}{shown} {style.dim(duration(seconds))}"


_SAID: Final[Mapping[str, str]] = {
    "Exited": "ended its worker",
    "Killed": "ended its worker",
    "OutOfMemory": "ran out of memory",
    "Stopped": "was stopped",
    "Sandbox.Timedout": "timed out",
    "Function.ResponseSizeTooLarge": "answered too much",
}
"""Ends that are no exceptions."""


def refused(what: str, failure: Failure, style: Style) -> str:
    """A request that no worker has had."""
    first = printable.lines(f"{failure.type}: {failure.message}")[0]
    return f"{what} {style.bad('failed')} {first}"


def more(count: int, what: str, how: str, style: Style) -> str:
    """So many requests like the last one were not shown."""
    return style.dim(f"{count:,} more {what} {how}")
