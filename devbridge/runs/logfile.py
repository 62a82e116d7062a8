"""The log file of a live run, which the daemon may rotate while it is read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from devbridge.folders import rotated_log
from devbridge.runs.base import RunRecord

CHUNK: Final = 1 << 16
POLL: Final = 0.2
"""Seconds between two looks at the run."""
LOOK: Final = 0.02
"""Seconds between two looks at whether the file has grown."""
LATE: Final = 15.0
"""Seconds after a run's end for which its last output is waited for."""


def exists(path: Path) -> bool:
    """Whether there is anything left of a log."""
    return path.exists() or rotated_log(path).exists()


def read(path: Path) -> Iterator[bytes]:
    """All that a log has now."""
    parts = open_parts(path)
    try:
        for part in parts:
            yield from rest_of(part)
    finally:
        for part in parts:
            os.close(part)


def follow(path: Path, current: Callable[[], RunRecord], *, late: float = LATE) -> Iterator[bytes]:
    """A log while it grows, until its run has ended and all of it was read.

    Args:
        late: seconds after its end for which the rest of its output is waited for.
    """
    log: int | None = None
    newer: list[int] = []
    ended: float | None = None
    try:
        while True:
            record = current()  # before the log is read: what a closed one has is found
            newer = open_parts(path, after=log)
            if log is not None:  # only now: a file that has a successor does not grow any more
                yield from rest_of(log)
            for part in [*newer]:
                if log is not None:
                    os.close(log)
                log = newer.pop(0)
                yield from rest_of(part)
            if record.state.final:
                ended = ended or time.monotonic()
                if record.closed or time.monotonic() - ended > late:
                    return
            if log is None:
                time.sleep(POLL)
            else:
                _wait_until_grown(log)
    finally:
        for part in (*newer, *([] if log is None else [log])):
            os.close(part)


def rest_of(log: int) -> Iterator[bytes]:
    """What an open file has from here to its end."""
    while chunk := os.read(log, CHUNK):
        yield chunk


def open_parts(path: Path, *, after: int | None = None) -> list[int]:
    """The files of a log, the oldest part first, open for reading: one, or two when the daemon has
    rotated it. With `after`, a file that was one of them, only those that came after it.

    Nothing is missed or there twice when the daemon rotates just now: the newer file is opened
    first, and an open file keeps its identity.
    """
    parts: list[int] = []
    for file in (path, rotated_log(path)):
        try:
            part = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        known = [*parts, *([] if after is None else [after])]
        if any(os.path.sameopenfile(part, one) for one in known):
            os.close(part)
            break
        parts.insert(0, part)
    return parts


def _wait_until_grown(log: int) -> None:
    """Return when an open file has more than was read, or after `POLL` seconds."""
    read, deadline = os.lseek(log, 0, os.SEEK_CUR), time.monotonic() + POLL
    while os.fstat(log).st_size <= read and time.monotonic() < deadline:
        time.sleep(LOOK)
