"""The console's ear: what of all that is told concerns its pages."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from devbridge.daemon.told import (
    Answered,
    AppBroken,
    Arrived,
    Began,
    Broken,
    Deployed,
    Ended,
    Gone,
    HandedOver,
    Interrupted,
    Mood,
    NeverStarted,
    Paused,
    Printed,
    Reloaded,
    Stopping,
    Told,
    Waits,
    Who,
)

REQUESTS: Final = 20
"""Requests of a function that are remembered."""
RUN: Final = "run "
LOG: Final = "log "
FUNCTIONS: Final = "functions"
STAGE: Final = "stage"


class Heard:
    """Remembers what nobody else keeps, the last requests of functions and where runs are stopped,
    and tells what has changed."""

    def __init__(self) -> None:
        self.changed: Callable[[str], None] | None = None
        """Told of each thing that has changed, once somebody wants to know."""
        self.paused: dict[str, str] = {}
        """Where debuggers have stopped runs, by their ids."""
        self.requests: dict[str, deque[tuple[float, Answered]]] = {}
        """The last requests of each function, with when they were answered."""

    def on(self, event: Told) -> None:
        """Take what has happened."""
        match event:
            case Broken() | Reloaded():
                self._tell(FUNCTIONS)
            case Deployed() | AppBroken():
                self._tell(FUNCTIONS, STAGE)
            case Answered(who):
                kept = self.requests.setdefault(who.job, deque(maxlen=REQUESTS))
                kept.append((time.time(), event))
                self._tell(FUNCTIONS)
            case Paused(who, _, _, where) if _has_run(who):
                self._paused(who.job_id, where)
                self._tell(RUN + who.job_id)
            case Printed(who) if _has_run(who):
                self._tell(LOG + who.job_id)
            case Began(who) | Stopping(who) | Ended(who) | Gone(who) if _has_run(who):
                if not isinstance(event, Stopping):
                    self._paused(who.job_id, None)
                self._tell(RUN + who.job_id, LOG + who.job_id)
            case NeverStarted(_, run) | Interrupted(_, run) | HandedOver(_, run):
                self._tell(RUN + run.job_id, LOG + run.job_id)
            case Arrived(job_id) | Waits(job_id):
                self._tell(RUN + job_id)
            case _:
                pass

    def _paused(self, run_id: str, where: str | None) -> None:
        if where is None:
            self.paused.pop(run_id, None)
        else:
            self.paused[run_id] = where

    def _tell(self, *things: str) -> None:
        if self.changed is not None:
            for thing in things:
                self.changed(thing)


def _has_run(who: Who) -> bool:
    return bool(who.job_id) and not who.function


def went_well(request: Answered) -> bool:
    """Whether a request was answered as it should be."""
    return request.failure is None and request.mood is not Mood.BAD
