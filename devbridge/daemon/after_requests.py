"""Runs that began while requests were not shown yet: one of these may have started them, so what is
told of them comes after the requests' lines, a fraction of a second later."""

from __future__ import annotations

import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Final

from devbridge.daemon.told import (
    Began,
    Ended,
    Gone,
    NeverStarted,
    Noted,
    Printed,
    Remarked,
    Stopping,
    Told,
    Waits,
)

MOST_KEPT: Final = 64 * 1024
"""Bytes of a run's output that are kept."""


@dataclass(slots=True)
class _Kept:
    requests: Set[str]
    """That were not shown when it began."""
    events: list[tuple[float, Told]] = field(default_factory=list)
    """With their times."""
    size: int = 0


class AfterRequests:
    """Keeps what is told of such runs.

    Args:
        show: takes what need not wait any more, in the order in which it was told.
    """

    def __init__(self, show: Callable[[Told], None]) -> None:
        self._show = show
        self._held: Set[str] = frozenset()
        self._kept: dict[str, _Kept] = {}
        """By the run's id."""
        self._at: float | None = None

    def clock(self) -> float:
        """`time.monotonic`, of when that was told which is shown now."""
        return time.monotonic() if self._at is None else self._at

    def held(self, requests: Set[str]) -> None:
        """The ids of the requests that are not shown yet: those of others are, or never will be."""
        self._held = requests
        for run, kept in list(self._kept.items()):
            if kept.requests.isdisjoint(requests):
                self._let(run)

    def keeps(self, event: Told) -> bool:
        """Whether it is to be shown later."""
        run = _run_of(event)
        kept = self._kept.get(run)
        if kept is None:
            if not self._held or not isinstance(event, Began | NeverStarted | Waits):
                return False
            kept = self._kept[run] = _Kept(self._held)
        kept.events.append((time.monotonic(), event))
        if isinstance(event, Printed):
            kept.size += len(event.data)
            if kept.size > MOST_KEPT:
                self._let(run)
        return True

    def _let(self, run: str) -> None:
        try:
            for at, event in self._kept.pop(run).events:
                self._at = at
                self._show(event)
        finally:
            self._at = None


def _run_of(event: Told) -> str:
    match event:
        case Began(who) | Printed(who) | Ended(who) | Gone(who):
            return "" if who.function else who.job_id
        case Stopping(who) | Remarked(who) | Noted(who):
            return "" if who.function else who.job_id
        case NeverStarted(_, run):
            return run.job_id
        case Waits(job_id):
            return job_id
    return ""
