"""What runs use while they run: CPU and memory, looked at once a second, the last runs kept.

A run that goes on for long is looked at less often: it has no more points than a plot shows.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from devbridge.daemon.told import Began, Ended, Gone, Told
from devbridge.workers.usage import Usage, usage

EVERY: Final = 1.0
"""Seconds."""
POINTS: Final = 600
KEPT: Final = 50
"""Runs."""

Point = tuple[float, float, int]
"""When, in seconds since the epoch; percent of one core since the point before; bytes."""


@dataclass(slots=True)
class _Run:
    worker: str
    pid: int | None
    pause: float = EVERY
    points: list[Point] = field(default_factory=list)
    before: tuple[float, Usage] | None = None
    ended: bool = False

    def is_due(self, at: float) -> bool:
        """Whether it is to be looked at."""
        return self.before is None or at - self.before[0] >= self.pause * 0.9

    def add(self, at: float, now: Usage) -> None:
        """A look at it."""
        if self.before is not None:
            since, then = self.before
            share = max(0.0, now.cpu - then.cpu) / max(at - since, 0.001) * 100
            self.points.append((at, round(share, 1), now.memory))
        self.before = at, now
        if len(self.points) >= POINTS:
            self.points, self.pause = thinned(self.points), self.pause * 2


def thinned(points: Sequence[Point]) -> list[Point]:
    """Half as many points: each of two neighbours' mean CPU and larger memory. Pure."""
    pairs = zip(points[::2], points[1::2], strict=False)
    return [(b[0], round((a[1] + b[1]) / 2, 1), max(a[2], b[2])) for a, b in pairs]


class Usages:
    """Of live runs. A listener of the narrator's.

    Args:
        look: see `devbridge.workers.usage`.
    """

    def __init__(
        self,
        look: Callable[[int], Usage | None] = usage,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._look = look
        self._now = now
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def on(self, event: Told) -> None:
        """A run begins, or has ended."""
        match event:
            case Began(who) if not who.function:
                run = self._runs.setdefault(who.job_id, _Run(who.worker_id, event.pid))
                run.worker, run.pid, run.before, run.ended = who.worker_id, event.pid, None, False
                self._runs.move_to_end(who.job_id)
                while len(self._runs) > KEPT:
                    self._runs.popitem(last=False)
                self._look_at(run)
                self._go_on()
            case Ended(who) | Gone(who):
                if (ended := self._runs.get(who.job_id)) and ended.worker == who.worker_id:
                    ended.ended = True
            case _:
                pass

    def of(self, run_id: str) -> Sequence[Point]:
        """What is known of a run."""
        run = self._runs.get(run_id)
        return [] if run is None else [*run.points]

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _take(self) -> None:
        """Look at all that run, and again while any does."""
        self._timer = None
        for run in self._runs.values():
            self._look_at(run)
        self._go_on()

    def _look_at(self, run: _Run) -> None:
        at = self._now()
        if not run.ended and run.pid is not None and run.is_due(at):
            found = self._look(run.pid)
            if found is not None:
                run.add(at, found)

    def _go_on(self) -> None:
        if self._timer is None and not all(run.ended for run in self._runs.values()):
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._take)
