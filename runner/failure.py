"""An exception, as the Runtime API carries it: type, message, and the user's own frames.

``stackTrace`` has the frames of files below the app's folder, outermost first, with paths relative
to it; ``trace`` has the whole traceback's lines for the log file. The runner's own frames, and the
import system's, are in neither. ``causes`` has the errors that belong to it (`runner.causes`), and
``notes`` what was added to it. All of them, and the message, are cut to what any reader can take.
"""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import Any

from runner import causes

MAX_FRAMES = 40
MAX_TEXT = 64 * 1024
"""Characters of the message, and of the traceback."""
MAX_CAUSE_FRAMES = 10
MAX_CAUSE_TEXT = 4 * 1024
"""Characters of a note, and of the message of an error that belongs to another."""
MAX_NOTES = 16
_HERE = os.path.dirname(os.path.abspath(__file__))
_IMPORTLIB = os.path.join(os.path.dirname(os.__file__), "importlib", "__init__.py")
_PACKED = ("runner", "devbridge")
"""What a build has beside the app's own files."""
_DECORATOR = os.path.join("devbridge", "job.py")


class HandlerNotFound(Exception):
    """The handler's file or function does not exist."""


class ResultNotJson(Exception):
    """The handler's result cannot be written as JSON."""


def describe(error: BaseException, root: str) -> dict[str, Any]:
    """The Runtime API's error document for `error`, which came from an app in folder `root`."""
    first, related = causes.related(error)
    if isinstance(error, (HandlerNotFound, ResultNotJson)):
        return {**_described(first, []), "trace": [], "causes": []}
    frames = _frames(first, root, MAX_FRAMES)
    told = [_cause(each, root) for each in related]
    seen = frames or any(each.get("stackTrace") for each in told)
    return {**_described(first, frames), "trace": trace(error) if seen else [], "causes": told}


def is_users(filename: str, root: str) -> bool:
    """Whether a file is the app's own: below its folder, not in an environment there, and not of
    what was packed with it."""
    if not filename.startswith(root + os.sep):
        return False
    parts = filename[len(root) + 1 :].split(os.sep)
    if parts[0] in _PACKED and os.path.realpath(root) == os.path.realpath(os.path.dirname(_HERE)):
        return False
    return not {"site-packages", "dist-packages", ".venv", "venv", "node_modules"} & set(parts)


def _described(
    error: BaseException, frames: list[str], most: int = MAX_TEXT
) -> dict[str, str | list[str]]:
    return {
        "errorType": type(error).__name__,
        "errorMessage": _cut(_message(error), most),
        "notes": _notes(error),
        "stackTrace": frames,
    }


def _cause(each: causes.Related, root: str) -> dict[str, Any]:
    how = {"how": each.how, "depth": each.depth}
    if each.error is None:
        return how
    frames = _frames(each.error, root, MAX_CAUSE_FRAMES)
    return {**how, **_described(each.error, frames, MAX_CAUSE_TEXT)}


def _notes(error: BaseException) -> list[str]:
    """What `add_note` has added; anybody may put anything there."""
    notes = getattr(error, "__notes__", None) or []
    found = notes if isinstance(notes, list | tuple) else [notes]
    first, left_out, last = causes.ends(found, MAX_NOTES)
    between = [f"... {left_out} more notes ..."] if left_out else []
    return [_cut(_str(note), MAX_CAUSE_TEXT) for note in (*first, *between, *last)]


def _cut(text: str, most: int = MAX_TEXT) -> str:
    """The text's beginning and end, if it is too long."""
    left_out = len(text) - most
    if left_out <= 0:
        return text
    half = most // 2
    return f"{text[:half]}\n... {left_out} more characters ...\n{text[-half:]}"


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"sys.exit({'' if error.code is None else repr(error.code)})"
    if isinstance(error, SyntaxError):
        return error.msg
    return _str(error)


def _str(thing: object) -> str:
    try:
        return str(thing)
    except Exception as broken:
        return f"<its __str__ raised {type(broken).__name__}>"


def _frames(error: BaseException, root: str, most: int) -> list[str]:
    frames = [
        f'File "{os.path.relpath(frame.filename, root)}", line {frame.lineno}, in {frame.name}'
        + (f"\n    {frame.line}" if frame.line else "")
        for frame in traceback.extract_tb(error.__traceback__)
        if is_users(frame.filename, root)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append(_syntax_frame(error, root))
    first, left_out, last = causes.ends(frames, most)
    return [*first, *([f"... {left_out} more frames ..."] if left_out else []), *last]


def _syntax_frame(error: SyntaxError, root: str) -> str:
    filename = os.path.abspath(error.filename or "")
    name = os.path.relpath(filename, root) if is_users(filename, root) else filename
    frame = f'File "{name}", line {error.lineno}'
    text = (error.text or "").rstrip()
    code = text.lstrip()
    if not code:
        return frame
    offset = max((error.offset or 1) - 1 - (len(text) - len(code)), 0)
    end = (error.end_offset or 0) if error.end_lineno == error.lineno else 0
    width = max(min(end - (error.offset or 1), len(code) - offset), 1)
    return f"{frame}\n    {code}\n    {' ' * offset}{'^' * width}"


def trace(error: BaseException) -> list[str]:
    """The lines of the whole traceback, from the user's code on."""
    tb = error.__traceback__
    while tb is not None and _is_machinery(tb):
        tb = tb.tb_next
    text = _cut("".join(traceback.format_exception(type(error), error, tb)))
    return text.encode("utf-8", "backslashreplace").decode().splitlines()


def _is_machinery(tb: TracebackType) -> bool:
    filename = tb.tb_frame.f_code.co_filename
    return (
        filename.startswith((_HERE + os.sep, "<frozen importlib"))
        or filename == _IMPORTLIB
        or filename.endswith(_DECORATOR)
    )
