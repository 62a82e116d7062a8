"""Runs that wait for a limit, on the terminal: the first has a line of its own; of those that come
while it waits it is said how many there are, now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from devbridge.daemon.told import Waits

SOON: Final = 1.0
"""Seconds after which it is first said how many wait; each further pause is twice as long."""
LONGEST: Final = 60.0


@dataclass(slots=True)
class _Waiting:
    runs: set[str] = field(default_factory=set)
    pause: float = SOON
    timer: asyncio.TimerHandle | None = None


class WaitingRuns:
    """Counts them.

    Args:
        show: takes the last of them that was told, and how many wait.
    """

    def __init__(self, show: Callable[[Waits, int], None]) -> None:
        self._show = show
        self._waiting: dict[tuple[str, bool], _Waiting] = {}
        """By the job, and whether it is its own limit."""

    def wait(self, event: Waits) -> None:
        """Another one waits."""
        waiting = self._waiting.setdefault((event.job, event.own), _Waiting())
        waiting.runs.add(event.job_id)
        if len(waiting.runs) == 1:
            self._show(event, 1)
        elif waiting.timer is None:
            loop = asyncio.get_running_loop()
            waiting.timer = loop.call_later(waiting.pause, self._say, waiting, event)

    def left(self, job_id: str) -> None:
        """This run does not wait any more."""
        for key, waiting in list(self._waiting.items()):
            waiting.runs.discard(job_id)
            if not waiting.runs:
                if waiting.timer is not None:
                    waiting.timer.cancel()
                del self._waiting[key]

    def _say(self, waiting: _Waiting, event: Waits) -> None:
        waiting.timer, waiting.pause = None, min(2 * waiting.pause, LONGEST)
        self._show(event, len(waiting.runs))
