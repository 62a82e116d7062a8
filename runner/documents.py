"""A failure as it is kept and sent: a JSON document, as large as there is room for.

``{"type", "message", "frames", "notes", "causes": [{"how", "type", "message", "frames", "notes",
"depth"}, ...]}``, without what is empty. Earlier versions wrote, and know, the first two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from runner.causes import ends
from runner.outcome import Cause, Failure

_ROOMS = ((1024, 40, 40), (1024, 6, 40), (1024, 2, 12), (512, 2, 6), (256, 1, 3), (48, 0, 2))
"""Bytes of each text, frames and causes, from most to least."""
_T = TypeVar("_T", Failure, Cause)


def document(failure: Failure) -> dict[str, Any]:
    """All of a failure but the whole traceback; what is empty is left out."""
    causes = [_told(cause) for cause in failure.causes]
    own = {"type": failure.type, "message": failure.message, **_told(failure)}
    return {**own, "causes": causes} if causes else own


def text(failure: Failure, most: int) -> str:
    """A failure's document as JSON of at most `most` bytes, all ASCII: 4 KiB are always enough.

    What does not fit is left out where it tells least: the ends of messages, frames, then errors
    between the first and the last.
    """
    for size, frames, causes in _ROOMS:
        first, left_out, last = ends(failure.causes, causes)
        between = [Cause(f"and {left_out} more")] if left_out else []
        kept = replace(
            _cut(failure, size, frames),
            causes=tuple(_cut(each, size, frames) for each in (*first, *between, *last)),
        )
        written = json.dumps(document(kept))
        if len(written) <= most:
            break
    return written


def read(told: Mapping[str, Any], trace: Iterable[str] = ()) -> Failure:
    """The failure of such a document, by whatever version it was written."""
    return Failure(
        type=told["type"],
        message=told["message"],
        frames=tuple(told.get("frames", ())),
        trace=tuple(trace),
        notes=tuple(told.get("notes", ())),
        causes=tuple(_cause(each) for each in told.get("causes", ())),
    )


def _told(error: Failure | Cause) -> dict[str, Any]:
    told = {field.name: getattr(error, field.name) for field in fields(error)}
    left_out = ("trace", "causes")
    return {name: value for name, value in told.items() if value and name not in left_out}


def _cause(told: Mapping[str, Any]) -> Cause:
    texts = {name: tuple(told.get(name, ())) for name in ("frames", "notes")}
    return Cause(**{**told, **texts})


def _cut(error: _T, size: int, frames: int) -> _T:
    return replace(
        error,
        type=shortened(error.type, size),
        message=shortened(error.message, size),
        frames=tuple(shortened(each, size) for each in _ends(error.frames, frames, "frames")),
        notes=tuple(shortened(each, size) for each in _ends(error.notes, frames, "notes")),
    )


def _ends(texts: tuple[str, ...], most: int, what: str) -> tuple[str, ...]:
    first, left_out, last = ends(texts, most)
    return (*first, *([f"... {left_out} more {what} ..."] if left_out and most else []), *last)


def shortened(text: str, most: int) -> str:
    """A text of at most so many bytes of UTF-8; ``…`` for what is left out."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= most:
        return text
    return data[: most - 3].decode("utf-8", "ignore") + "…"
