"""Runs, jobs and handlers as agents get them: JSON, the most telling first, nothing twice. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbridge import printable
from devbridge.daemon.handlers_file import Handlers
from devbridge.redaction import redacted
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State, function_key
from devbridge.runs.text import as_json, iso
from runner.outcome import Failure

Json = dict[str, Any]

SHOWN: Final = 10_000
"""Characters of a payload, a result or a checkpoint that are shown."""
_PLACE: Final = re.compile(
    r'^File "(?P<python>[^"\n]+)", line (?P<line>\d+)'
    r"|(?:^|[(\s])(?P<other>[^()\s:]+):(?P<number>\d+):\d+\)?$",
    re.MULTILINE,
)
"""Where a frame names its file and line: ``File "a.py", line 1``, ``at f (a.ts:1:2)``."""


def dumped(value: object) -> str:
    """An answer as JSON, without what is secret; halves of surrogate pairs, which no encoding has,
    are written as JSON writes them."""
    text = json.dumps(_redacted(value), ensure_ascii=False, indent=1)
    return printable.in_json(text).encode("utf-8", "backslashreplace").decode("utf-8")


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return redacted(str(value))
    if isinstance(value, Mapping):
        return {_redacted(key): _redacted(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(each) for each in value]
    return value


def run(record: RunRecord) -> Json:
    """A run: its state, then its error or its result, then the rest that is known."""
    found = as_json(record)
    first = {name: found.pop(name) for name in ("id", "job", "state")}
    failure, result = found.pop("error"), found.pop("result")
    told: Json = {}
    if failure is not None:
        told["error"] = error(failure)
    if record.result is not None:
        told |= value("result", record.result, result)
    return {**first, **told, **{name: each for name, each in found.items() if each is not None}}


def error(document: Mapping[str, Any]) -> Json:
    """A failure's document, with the place in the app's own code where it was raised."""
    where = place(document.get("frames", ()))
    first = {"type": document["type"], "message": document["message"], "where": where}
    rest = {name: document.get(name) for name in ("frames", "notes", "causes")}
    return {name: each for name, each in {**first, **rest}.items() if each or name == "message"}


def place(frames: Sequence[str]) -> str | None:
    """The innermost of an error's frames that names one: ``jobs/factorial.py:12``."""
    for frame in reversed(frames):
        if found := _PLACE.search(frame):
            return f"{found['python'] or found['other']}:{found['line'] or found['number']}"
    return None


def value(name: str, body: bytes, known: object = None) -> Json:
    """A JSON text as a value, if it is not too long; else the beginning of the text.

    Args:
        known: the value, of who has it already.
    """
    text = body.decode("utf-8", "surrogatepass")
    if len(text) <= SHOWN:
        return {name: json.loads(text) if known is None else known}
    begins = f"{text[:SHOWN]}…"
    return {f"{name}Begins": begins, f"{name}Characters": len(text)}


def row(record: RunRecord) -> Json:
    """A run in a list: its error in a line, and no result."""
    found = run(record)
    left_out = ("result", "resultBegins", "resultCharacters", "log", "maxAttempts")
    told = {name: each for name, each in found.items() if name not in left_out}
    if record.failure is not None:
        told["error"] = one_line(record.failure)
    return told


def one_line(failure: Failure) -> str:
    """What went wrong, in a line, with the place."""
    where = place(failure.frames)
    text = " ".join(f"{failure.type}: {failure.message}".split())
    cut = text if len(text) <= 200 else f"{text[:200]}…"
    return f"{cut} ({where})" if where else cut


def goes_on(record: RunRecord, *, tended: bool) -> Json:
    """What to do about a run that has not ended."""
    if record.state.final:
        return {}
    if not tended:
        told = f"the run is {record.state}, and no `devbridge dev` is here to go on with it"
        return {"ended": False, "note": f"{told}: start it, or cancel the run"}
    if record.state is State.SCHEDULED:
        return {"ended": False, "note": "it starts at its time"}
    return {"ended": False, "note": "it goes on: wait again, read its log, or cancel it"}


def handler(known: Handlers | None, name: str, saved: float | None, *, function: bool) -> Json:
    """What has become of a handler since `devbridge dev` began.

    Args:
        known: None: nothing is known of any.
        saved: when its own file was last saved, in seconds since the epoch.
    """
    if known is None:
        return {}
    broken = (known.functions if function else known.jobs).get(name)
    if broken is not None:
        return {"handler": "broken", "error": error(broken)}
    reloaded = known.reloaded.get(function_key(name) if function else name)
    told: Json = {"handler": "as it was when devbridge dev began"}
    if reloaded is not None:
        told = {"handler": "reloaded", "reloadedAt": iso(reloaded)}
    if saved is not None and saved > (reloaded or known.since):
        told |= {
            "savedAt": iso(saved),
            "note": "saved since: it is being reloaded, or that save changed nothing; what is"
            " invoked now runs it as it is saved",
        }
    return told
