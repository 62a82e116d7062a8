"""An error of somebody's code as lines for people: with its notes, its frames, and the errors that
belong to it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from devbridge import printable
from runner.outcome import Cause, Failure


def details(failure: Failure) -> list[str]:
    """What is shown below an error's first lines: its notes, the user's own frames, the innermost
    last, and the errors that belong to it."""
    found = [*_below(failure)]
    for cause in failure.causes:
        head = f" {cause.type}: {cause.message}" if cause.type else ""
        told = [*printable.lines(cause.how + head), *_below(cause)]
        found += [f"{'  ' * cause.depth}{line}" for line in told]
    return found


def _below(error: Failure | Cause) -> Iterator[str]:
    for note in error.notes:
        yield from printable.lines(note)
    for frame in error.frames:
        first, *others = printable.lines(frame)
        yield f"↳ {first}"
        yield from (f"  {line}" for line in others)


def in_full(failure: Failure) -> str:
    """An error with all that belongs to it."""
    return "\n".join([f"{failure.type}: {failure.message}", *details(failure)])
