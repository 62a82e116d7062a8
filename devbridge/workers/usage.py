"""What a process and all that it has started use now. Linux tells; elsewhere nobody does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_FIELDS: Final = slice(11, 15)
"""Of ``/proc/PID/stat``, behind the name: utime, stime, and those of children that have ended."""
_RSS: Final = 21


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a tree of processes."""

    cpu: float
    """Seconds of CPU so far, of those that have ended as well."""
    memory: int
    """Bytes that are resident."""


def usage(pid: int, proc: Path = _PROC) -> Usage | None:
    """What a tree of processes uses; None: its first process is gone, or nobody tells."""
    found = [_of(each, proc) for each in (pid, *_below(pid, proc))]
    if found[0] is None:
        return None
    ticks = sum(each[0] for each in found if each is not None)
    pages = sum(each[1] for each in found if each is not None)
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))


def _of(pid: int, proc: Path) -> tuple[int, int] | None:
    try:
        text = (proc / str(pid) / "stat").read_text("ascii", "replace")
    except OSError:
        return None
    # A name may have anything in it, parentheses and spaces too.
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[_FIELDS])), int(fields[_RSS])


def _below(pid: int, proc: Path) -> list[int]:
    """All that a process has started, and what they have."""
    found: list[int] = []
    try:
        for task in (proc / str(pid) / "task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                found += [int(child), *_below(int(child), proc)]
    except OSError:
        pass  # it has ended meanwhile
    return found
