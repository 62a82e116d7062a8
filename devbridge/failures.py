"""An error of somebody's code as lines for people: with its notes, its frames, and the errors that
belong to it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from devbridge import printable
from devbridge.folders import from_here, has_file
from runner.outcome import Cause, Failure

_FILE: Final = re.compile(
    r'(?<=^File ")[^"]+|(?<=\()[^()]+(?=:\d+:\d+\)$)|(?:^|(?<=^at ))[^()\s:]+(?=:\d+:\d+$)'
)
"""Where a frame names its file: ``File "a.py", line 1``, ``at f (a.ts:1:2)``, ``at a.ts:1:2``,
``a.ts:1:2``."""

_SHOWN: Final = 3
"""A frame that comes more often in a row is shown once, as Python does: of endless recursion."""


def details(failure: Failure, root: Path | None = None) -> list[str]:
    """What is shown below an error's first lines: its notes, the user's own frames, the innermost
    last, and the errors that belong to it.

    Args:
        root: the app's folder, which the frames' files are relative to: they are named as the
            shell's user names them.
    """
    found = [*_below(failure, root)]
    for cause in failure.causes:
        head = f" {cause.type}: {cause.message}" if cause.type else ""
        told = [*printable.lines(cause.how + head), *_below(cause, root)]
        found += [f"{'  ' * cause.depth}{line}" for line in told]
    return found


def _below(error: Failure | Cause, root: Path | None) -> Iterator[str]:
    for note in error.notes:
        yield from printable.lines(note)
    for frame, same in itertools.groupby(error.frames):
        times = len(list(same))
        first, *others = printable.lines(frame)
        shown = [f"↳ {first if root is None else _from_here(first, root)}"]
        shown += [f"  {line}" for line in others]
        if times > _SHOWN:
            yield from (*shown, f"  [repeated {times - 1:,} more times]")
        else:
            yield from shown * times


def _from_here(frame: str, root: Path) -> str:
    def named(found: re.Match[str]) -> str:
        return from_here(root / found[0]) if has_file(root, found[0]) else found[0]

    return _FILE.sub(named, frame)


def in_full(failure: Failure, root: Path | None = None) -> str:
    """An error with all that belongs to it; see `details`."""
    return "\n".join([f"{failure.type}: {failure.message}", *details(failure, root)])
