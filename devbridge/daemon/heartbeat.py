"""When a daemon was last alive: it may be killed at any moment, and cannot tell then."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Final

BEAT: Final = 2.0
"""Seconds between two signs of life."""


async def beat(mark: Path) -> None:
    """Touch the mark again and again, until cancelled."""
    while True:
        touch(mark)
        await asyncio.sleep(BEAT)


def touch(mark: Path) -> None:
    """One sign of life. A full disk, or a folder that has gone, is told by others."""
    with contextlib.suppress(OSError):
        mark.touch(mode=0o600)


def last_seen(*marks: Path) -> float | None:
    """When the newest of the files was touched, in seconds since the epoch; None: there is none."""
    times = []
    for mark in marks:
        with contextlib.suppress(OSError):
            times.append(mark.stat().st_mtime)
    return max(times, default=None)
