"""Memory: what a worker may have, and whether the kernel killed it because memory ran out.

The limit is RLIMIT_DATA of each process of the job: it needs no privilege, and counts what is the
process's own and writable, so that shared libraries, files in memory and reserved address space
(which RLIMIT_AS would count) are free. Python then raises MemoryError, and the run FAILED says so.

Without a limit the kernel's killer ends the worker with SIGKILL. The kernel counts its kills, of
which anybody may read the number: when it rose, the run CRASHED with OutOfMemory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devbridge.runs.model import CodeSpec, Exit
from runner import outcome
from runner.outcome import Failure

FORGET_AGAIN: Final = 0.1
"""Seconds between two looks at what is nobody's: the kernel counts all that it counts for each of
them, and in a burst some hundred runs begin a second. A run that has just begun, and is killed for
another reason, can be taken for one that had no memory left, if somebody else had none just before.
"""
_VMSTAT: Final = Path("/proc/vmstat")
_OWN_GROUP: Final = Path("/proc/self/cgroup")
_GROUPS: Final = Path("/sys/fs/cgroup")
_REMEDY: Final = (
    "give the machine more, or set memory_limit, so that the handler gets a MemoryError with a"
    " traceback instead"
)


def limit_of(job: CodeSpec, setting: int | str | None) -> int | None:
    """The bytes that each process of a job may have, by the setting ``memory_limit``."""
    if isinstance(setting, int):
        return setting
    return job.memory_mb << 20 if setting == "job" else None


class OomKills:
    """How often the kernel has killed a process because memory ran out.

    Of this control group where it has one of its own (cgroup v2), else of the machine. Where the
    kernel does not tell (macOS), never.
    """

    def __init__(
        self, source: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = _source() if source is None else source
        self._clock = clock
        self._claimed = self._count()
        self._forgot = -math.inf

    def claim(self) -> bool:
        """Whether one was killed that nobody has claimed yet; if so it is claimed now.

        Ask once, when a worker has ended by a SIGKILL that devbridge did not send.
        """
        if self._count() <= self._claimed:
            return False
        self._claimed += 1
        return True

    def forget(self) -> None:
        """What was killed until now was nobody's worker; looked at every `FORGET_AGAIN` at most."""
        if (now := self._clock()) >= self._forgot + FORGET_AGAIN:
            self._forgot, self._claimed = now, self._count()

    def _count(self) -> int:
        try:
            found = outcome.OOM_KILLS.search(self._source.read_bytes())
        except OSError:
            return 0
        return int(found[1]) if found else 0


def _source() -> Path:
    try:
        for line in _OWN_GROUP.read_text().splitlines():
            number, _, path = line.split(":", 2)
            events = _GROUPS / path.lstrip("/") / "memory.events"
            if number == "0" and events.is_file():
                return events
    except (OSError, ValueError):
        pass
    return _VMSTAT


def crash(exit_: Exit, *, out_of_memory: bool = False) -> Failure:
    """What to say of a process that went without an answer.

    `out_of_memory`: the kernel has killed a process because memory ran out.
    """
    status = (exit_.code or 0) if exit_.signal is None else -exit_.signal
    return outcome.crash(status, out_of_memory=out_of_memory, remedy=_REMEDY)
