"""How tests wait for what other processes do: no sleep, and no race with a process that ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")


def eventually(condition: Callable[[], T], seconds: float = 30) -> T:
    """What the condition answers once that is true; AssertionError if it takes too long. What takes
    long, to happen or to ask, is asked less often: the machine is left to what is waited for."""
    began = time.monotonic()
    while True:
        asked = time.monotonic()
        if found := condition():
            return found
        now = time.monotonic()
        assert now < began + seconds, f"still {found!r} after {seconds} s"
        time.sleep(min(max(0.02, 4 * (now - asked), (now - began) / 20), 2))


async def soon(condition: Callable[[], T], seconds: float = 30) -> T:
    """The same of what other tasks of this event loop do."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"still {found!r} after {seconds} s"
        await asyncio.sleep(0.005)
    return found


def text_of(file: Path, seconds: float = 30) -> str:
    """What another process writes into the file, once it has."""
    return eventually(lambda: file.exists() and file.read_text(), seconds) or ""


def gone(*pids: int | psutil.Process) -> bool:
    """Whether all these processes have ended; one that nobody has reaped yet has."""
    return all(_gone(pid) for pid in pids)


def _gone(pid: int | psutil.Process) -> bool:
    try:
        process = pid if isinstance(pid, psutil.Process) else psutil.Process(pid)
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between two questions
        return True
