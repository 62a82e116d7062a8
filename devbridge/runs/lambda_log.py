"""What is shown of a Lambda function's log: what it printed, and how it failed. Pure.

Lambda's own lines (START, END, REPORT, ...) are not shown, but for those that tell how an
environment has ended. An error is an event of its own, see `awslambdaric.bootstrap.log_error`::

    [ERROR] ValueError: boom
    Traceback (most recent call last):
      File "/var/task/api/start.py", line 5, in handler
        raise ValueError("boom")

with no-break spaces at the beginning of its lines; Node's are in `lambda_node`. In Lambda's JSON
format, errors, what is logged and Lambda's own are documents; what is printed is not.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from devbridge.runs import lambda_node
from runner.outcome import Failure

Shown = str | Failure
"""A text of one line or more, or an error."""
IsApps = Callable[[str], bool]
"""Whether the app has a file at this path, relative to its folder."""

TIMED_OUT: Final = "Sandbox.Timedout"
OUT_OF_MEMORY: Final = "Runtime.OutOfMemory"
_TASK_ROOT: Final = "/var/task/"
_ID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,3}Z"
_PLATFORM: Final = re.compile(
    rf"(?:START|END|REPORT) RequestId: {_ID}\b|RESTORE_START |RESTORE_REPORT |XRAY TraceId: "
    r"|INIT_START Runtime Version: |INIT_REPORT Init Duration: "
    r"|(?:EXTENSION|TELEMETRY|LOGS)\tName: |LAMBDA_WARNING: Unhandled exception\. "
)
_TIMEOUT: Final = re.compile(rf"{_TIME} {_ID} (Task timed out after [\d.]+ seconds)\s*")
_EXIT: Final = re.compile(rf"RequestId: {_ID} Error: ")
_EXIT_TYPE: Final = re.compile(r"(?:Runtime|Extension)\.\w+")
_ERROR: Final = "[ERROR] "
_TRACEBACK: Final = re.compile(r"[\r\n]Traceback \(most recent call last\):")
_TYPED: Final = re.compile(r"([\w.]+)(?:: (.*))?", re.S)
_LOGGED: Final = re.compile(rf"\[([A-Z]+)\]\t{_TIME}\t(?:{_ID})?\t(.*)", re.S)
_MARKS: Final = re.compile(r"[\s^~]*")
"""Python's line below a line of code."""
_RECORD: Final = {"timestamp", "level", "message"}
_RECORDS_OWN: Final = frozenset(
    {*_RECORD, "logger", "requestId", "errorType", "errorMessage", "stackTrace", "location"}
    | {"tenantId"}
)
_UNTOLD: Final = (TIMED_OUT, OUT_OF_MEMORY, "Runtime.ExitError")
"""Of the errors in a report, those that no other line tells in JSON."""


def shown(message: str, is_apps: IsApps) -> Shown | None:
    """What is shown of an event; None: nothing. Whatever a function prints, it is read in one pass,
    and what only looks like a line of Lambda's is a text."""
    text = message.rstrip("\r\n")
    if text.startswith("{"):
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            document = _of_document(json.loads(text), is_apps)
            if document is not Ellipsis:
                return document  # type: ignore[return-value]
    if _PLATFORM.match(text):
        return _of_platform(text)
    if found := _TIMEOUT.fullmatch(text):
        return Failure(TIMED_OUT, found[1])
    if error := _exit(text) or _error(text, is_apps):
        return error
    if (of_node := lambda_node.shown(text, is_apps)) is not None:
        return of_node
    if found := _LOGGED.fullmatch(text):
        text = f"[{found[1]}] {found[2]}"
    return _with_apps_paths(text)


def _exit(text: str) -> Failure | None:
    """How an environment has ended."""
    if not (found := _EXIT.match(text)):
        return None
    what, *kind = text[found.end() :].rsplit(None, 1) or [""]
    return Failure(kind[0], what) if kind and _EXIT_TYPE.fullmatch(kind[0]) else None


def _error(text: str, is_apps: IsApps) -> Failure | None:
    """An exception, with its traceback."""
    if not text.startswith(_ERROR) or not (found := _TRACEBACK.search(text)):
        return None
    head = text[len(_ERROR) : found.start()].rstrip("\r\n")
    kind, said = typed.groups("") if (typed := _TYPED.fullmatch(head)) else ("Error", head)
    lines = re.split(r"[\r\n]+", text[found.end() :].replace("\u00a0", " ").strip("\r\n"))
    return failure(kind, said, lines, is_apps)


def failure(kind: str, message: str, traceback: Iterable[str], is_apps: IsApps) -> Failure:
    """An error with its traceback's lines: `frames` are those of the app's own files."""
    lines = [_with_apps_paths(line) for line in traceback if line]
    frames: list[list[str]] = []
    for line in lines:
        if line.startswith('  File "'):
            frames.append([line])
        elif frames:
            frames[-1].append(line)
    paths = [frame[0].split('"')[1] for frame in frames]
    own = tuple(
        _frame(frame)
        for frame, path in zip(frames, paths, strict=True)
        if not path.startswith("/") and is_apps(path)
    )
    last = f"{kind}: {message}" if message else kind
    trace = ("Traceback (most recent call last):", *lines) if lines else ()
    return Failure(kind, message, own, (*trace, *last.splitlines()))


def text_of(said: Shown) -> str:
    """The same as a text of whole lines: of an error, all of its traceback."""
    if isinstance(said, str):
        return f"{said}\n"
    lines = said.trace or (f"{said.type}: {said.message}",)
    return "\n".join(lines) + "\n"


def _frame(lines: Sequence[str]) -> str:
    return "\n".join(
        [lines[0].strip(), *(line for line in lines[1:] if not _MARKS.fullmatch(line))]
    )


def _with_apps_paths(text: str) -> str:
    return text.replace(f'File "{_TASK_ROOT}', 'File "')


def _of_platform(text: str) -> Shown | None:
    """What a line of Lambda's own tells that no other one does."""
    if f"Error Type: {OUT_OF_MEMORY}" in text:
        size = re.search(r"Memory Size: (\d+ MB)", text)
        return _out_of_memory(size[1] if size else "")
    if text.startswith("INIT_REPORT") and "Status: timeout" in text:
        return Failure(TIMED_OUT, "it was not loaded in the 10 seconds that Lambda gives")
    return None


def _out_of_memory(size: str) -> Failure:
    return Failure(OUT_OF_MEMORY, f"its memory is used up{f': {size}' if size else ''}")


def _of_document(document: Mapping[str, Any], is_apps: IsApps) -> object:
    """What is shown of a document; Ellipsis: it is none of Lambda's."""
    kind, record = document.get("type"), document.get("record")
    if isinstance(kind, str) and kind.startswith("platform.") and isinstance(record, dict):
        return _of_report(kind, record)
    stack = document.get("stackTrace")
    if "errorType" in document and isinstance(stack, list) and "message" not in document:
        said = str(document.get("errorMessage") or "")
        return failure(str(document["errorType"]), said, _lines(stack), is_apps)
    if document.keys() >= _RECORD and ("requestId" in document or "logger" in document):
        said = document["message"]
        if isinstance(said, dict) and document["level"] == "ERROR" and "errorType" in said:
            return lambda_node.of_error(said, is_apps)
        return _of_record(document)
    return ...


def _of_report(kind: str, record: Mapping[str, Any]) -> Shown | None:
    error, metrics = str(record.get("errorType") or ""), record.get("metrics") or {}
    if kind == "platform.initReport" and record.get("status") == "timeout":
        return Failure(TIMED_OUT, "it was not loaded in the 10 seconds that Lambda gives")
    if kind != "platform.report":
        return None
    if record.get("status") == "timeout":
        seconds = float(metrics.get("durationMs") or 0) / 1000
        return Failure(TIMED_OUT, f"Task timed out after {seconds:.2f} seconds")
    if error == OUT_OF_MEMORY:
        size = metrics.get("memorySizeMB")
        return _out_of_memory(f"{size} MB" if size else "")
    return Failure(error, "the runtime has exited") if error in _UNTOLD else None


def _of_record(document: Mapping[str, Any]) -> str:
    """What was logged, as in Lambda's text format."""
    said = document["message"]
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    more = {key: value for key, value in document.items() if key not in _RECORDS_OWN}
    if more:
        text += f" {json.dumps(more, ensure_ascii=False)}"
    lines = [f"[{document['level']}] {text}"]
    if isinstance(stack := document.get("stackTrace"), list) and stack:
        last = f"{document.get('errorType')}: {document.get('errorMessage')}"
        lines += ["Traceback (most recent call last):", *_lines(stack), last]
    return _with_apps_paths("\n".join(lines))


def _lines(stack: Sequence[object]) -> list[str]:
    return [line for each in stack for line in str(each).splitlines()]
