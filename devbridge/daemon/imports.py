"""What workers report of their imports is written down a moment later: not while somebody waits for
a reload."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devbridge.packing.imported import Imports
from devbridge.workers.modules import Modules

DELAY: Final = 1.0
"""Seconds that reports are collected for."""


class Reports:
    """Collects reports.

    Args:
        tell: is called with each job whose workers have imported something new, once that is
            written down.
    """

    def __init__(self, imports: Imports, tell: Callable[[str], None]) -> None:
        self._imports = imports
        self._tell = tell
        self._reported: dict[tuple[str, frozenset[Path], tuple[str, ...]], float] = {}
        """What workers of a job have imported, and when the last of them was launched."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, job: str, modules: Modules, launched_at: float) -> None:
        """A worker of the job, launched then (seconds since the epoch), has imported these."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._tell_of_news)
        self._reported[job, modules.user_files, modules.third_party] = launched_at

    def close(self) -> None:
        """Write down what is left, and tell nobody."""
        if self._timer is not None:
            self._timer.cancel()
        self._write()

    def _tell_of_news(self) -> None:
        self._timer = None
        for job in self._write():
            self._tell(job)

    def _write(self) -> list[str]:
        told, self._reported = self._reported, {}
        return [
            job
            for (job, files, modules), launched_at in told.items()
            if self._imports.record(job, files, modules, launched_at)
        ]
