"""How the command line writes times, tables and states. Pure: text in, text out."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Final

import click

from devbridge import checked, printable
from devbridge.palette import ALWAYS
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State
from devbridge.runs.text import iso

_LOOKS: Final = {
    State.SCHEDULED: ALWAYS.dim,
    State.QUEUED: ALWAYS.warn,
    State.STARTING: ALWAYS.active,
    State.RUNNING: ALWAYS.active,
    State.SUCCEEDED: ALWAYS.good,
    State.CANCELLED: ALWAYS.warn,
}


def coloured(state: State) -> str:
    """A state's name in its colour. `click.echo` takes the colour away where there is no tty."""
    return _LOOKS.get(state, ALWAYS.bad)(state.value)


def ago(seconds: float) -> str:
    """How long ago something was, in its largest unit: ``2 min ago``."""
    if seconds < 1:
        return "now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def when(record: RunRecord, now: float) -> str:
    """When a run was asked for or, as long as it waits for its time, is to start:
    ``in 3 d (2030-01-31T07:00:00.000Z)``."""
    if record.starts_at is not None:
        return f"{ahead(record.starts_at - now)} ({iso(record.starts_at)})"
    return "-" if record.created_at is None else ago(now - record.created_at)


def ahead(seconds: float) -> str:
    """How far away something is, in its largest unit: ``in 2 h``, a moment later, too."""
    away = ago(seconds * 1.01)
    return away if away == "now" else f"in {away.removesuffix(' ago')}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns apart by two blanks, nothing drawn; colours do not count as width. A row is a line,
    whatever is in its cells."""
    lines = [list(head), *([printable.one_line(cell) for cell in row] for row in rows)]
    widths = [
        max(len(click.unstyle(line[column])) for line in lines) for column in range(len(head))
    ]
    return "\n".join(
        "  ".join(
            cell + " " * (width - len(click.unstyle(cell)))
            for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def duration_within(
    least: datetime.timedelta, most: datetime.timedelta
) -> Callable[[str], datetime.timedelta]:
    """The type of an option that is a time as app.py writes it: ``"90 seconds"``, ``"14 days"``."""

    check = checked.time((least, most))

    def parse(value: str) -> datetime.timedelta:
        try:
            return check(value)
        except checked.NotAllowedError as bad:
            raise click.BadParameter(f"{value!r} is not {bad}") from None

    return parse


def size(count: int) -> str:
    """A number of bytes as people say it: ``3.4 MB``."""
    for unit, scale in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"
