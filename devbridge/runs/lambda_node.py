r"""What Lambda's runtime for Node writes into a function's log. Pure.

What `console` is asked to say is an event with its time, the invocation and a level; an error is
one whose text is JSON (`aws-lambda-ric`, LogPatch and Errors)::

    2026-01-31T12:00:00.000Z\t<request id>\tINFO\tone
    2026-01-31T12:00:00.000Z\t<request id>\tERROR\tInvoke Error \t{"errorType": "Error",
        "errorMessage": "boom", "stack": ["Error: boom", "    at handler (/var/task/api/a.ts:3:9)"]}
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from runner.outcome import Failure

_ID: Final = r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|undefined|-)"
"""Before the first invocation there is none."""
_SAID: Final = re.compile(
    rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{_ID}\t"
    r"(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\t(.*)",
    re.S,
)
_ERROR: Final = re.compile(
    r"(?:Invoke Error|Init Error|Uncaught Exception|Unhandled Promise Rejection) \t(\{.*\})", re.S
)
_PLACE: Final = re.compile(r"^([ ]*at (?:async )?(?:.* \()?)(?:file://)?/var/task/", re.M)
_TASK_ROOT: Final = "/var/task/"


def shown(text: str, is_apps: Callable[[str], bool]) -> str | Failure | None:
    """What is shown of an event; None: Node's runtime has not written it. `console.log` is how Node
    prints, so what it says has no level."""
    said = _SAID.fullmatch(text)
    if said is None:
        return None
    level, what = said.groups()
    if found := _ERROR.fullmatch(what):
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            return of_error(json.loads(found[1]), is_apps)
    what = _PLACE.sub(r"\1", what)
    return what if level == "INFO" else f"[{level}] {what}"


def of_error(document: Mapping[str, Any], is_apps: Callable[[str], bool]) -> Failure:
    """An error as the runtime writes it down. Of a rejection that nobody handles, the frames are
    those of its reason: the error itself is made by the runtime."""
    kind, message = str(document["errorType"]), str(document.get("errorMessage") or "")
    stack = _stack(document)
    reason = document.get("reason")
    frames = (isinstance(reason, Mapping) and _stack(reason)) or stack
    own = [frame for line in frames if (frame := _own_frame(line, is_apps))]
    trace = [each for line in frames for each in _PLACE.sub(r"\1", line).splitlines()]
    last = f"{kind}: {message}" if message else kind
    return Failure(kind, message, tuple(reversed(own)), tuple(trace or last.splitlines()))


def _stack(document: Mapping[str, Any]) -> list[str]:
    found = document.get("stack", document.get("stackTrace"))
    return [str(line) for line in found] if isinstance(found, Iterable) else []


def _own_frame(line: str, is_apps: Callable[[str], bool]) -> str | None:
    """``at handler (api/start.ts:3:9)``, if it is in a file of the app's."""
    head, _, called = line.strip().partition("at ")
    if head or not called:
        return None
    name, _, place = called.removesuffix(")").rpartition(" (")
    waits = "async " if not name and place.startswith("async ") else ""
    path, *position = place.removeprefix(waits).removeprefix("file://").rsplit(":", 2)
    if not path.startswith(_TASK_ROOT) or [each.isdecimal() for each in position] != [True, True]:
        return None
    path = path.removeprefix(_TASK_ROOT)
    path = path if is_apps(path) else unquote(path)  # a module is named by its URL
    if not is_apps(path):
        return None
    found = ":".join([path, *position])
    return f"at {name} ({found})" if name else f"at {waits}{found}"
