"""Errors as the console shows them: each frame with its file and the lines around it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from devbridge import failures
from devbridge.console import model, stage_model
from devbridge.folders import has_file
from runner import outcome

AROUND: Final = 5
"""Lines of code that are shown before and after an error's line."""
LARGEST: Final = 4 << 20
"""Bytes of a file whose lines are shown."""
_INDENT: Final = 4
"""Spaces before the code in a frame."""
_PYTHON: Final = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
_NODE: Final = re.compile(
    r"(?:at )?(?:(?P<function>[^()]*?) )?"
    r"\(?(?P<file>[^()\s][^()]*?):(?P<line>\d+):(?P<column>\d+)\)?"
)


def failure(found: outcome.Failure, root: Path) -> model.Failure:
    """An error of a run. `root`: the app's folder, which the frames' files are relative to."""
    return model.Failure(
        found.type,
        found.message,
        [*found.notes],
        [frame(each, root) for each in found.frames],
        [
            model.Cause(
                cause.how,
                cause.type,
                cause.message,
                [*cause.notes],
                [frame(each, root) for each in cause.frames],
                cause.depth,
            )
            for cause in found.causes
        ],
        failures.in_full(found),
    )


def frame(text: str, root: Path) -> model.Frame:
    """One frame of an error, as it is told in a line or two."""
    first = text.partition("\n")[0]
    found = _PYTHON.match(first) or _NODE.fullmatch(first)
    if found is None:
        return model.Frame(text, None, None, None, None, False, [])
    named, line = found["file"], int(found["line"])
    path = root / named if has_file(root, named) else None
    source = [] if path is None else _around(path, line)
    given = found.groupdict().get("column")
    column = _caret(text, dict(source).get(line, "")) if given is None else int(given)
    file = None if path is None else str(path)
    return model.Frame(text, file, line, column, found["function"], path is not None, source)


def broken(found: outcome.Failure, root: Path) -> stage_model.Broken:
    """Why a handler cannot be loaded, and at which place of the app's own code."""
    frames = [frame(each, root) for each in found.frames]
    place = next((each for each in reversed(frames) if each.own), None)
    told = failures.in_full(found, root)
    if place is None or place.line is None:
        return stage_model.Broken(found.type, found.message, None, None, None, None, told)
    text = dict(place.source).get(place.line)
    return stage_model.Broken(
        found.type, found.message, place.file, place.line, place.column, text, told
    )


def _caret(text: str, line: str) -> int | None:
    """The column, from 1, that a frame's last line points to; it has no indentation of the code."""
    _, _, rest = text.partition("\n")
    pointer = rest.rpartition("\n")[2]
    if not pointer.strip() or pointer.strip("^ "):
        return None
    indentation = len(line) - len(line.lstrip())
    return pointer.index("^") - _INDENT + indentation + 1


def _around(path: Path, line: int) -> list[tuple[int, str]]:
    try:
        if path.stat().st_size > LARGEST:
            return []
        lines = path.read_text("utf-8", "replace").split("\n")
    except OSError:
        return []
    first = max(1, line - AROUND)
    return [*enumerate(lines[first - 1 : line + AROUND], first)]
