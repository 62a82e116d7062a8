"""How many records AWS hands over at once, and how many of them are one run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from devbridge.constructs import values
from devbridge.constructs.code import Code
from devbridge.constructs.triggering import Trigger, whole
from devbridge.constructs.values import Duration
from devbridge.sources.base import Problem

WINDOW: Final = (timedelta(), timedelta(minutes=5))
"""Of Lambda (API, CreateEventSourceMapping, MaximumBatchingWindowInSeconds)."""
WITHOUT_WINDOW: Final = 10
"""Messages of a standard queue that are handed over at once, where none are waited for."""


@dataclass(frozen=True, kw_only=True)
class Batched(Trigger):
    """A trigger that Lambda reads records for.

    Args:
        batch_size: so many records are handed over at once, at most; each is a run of a job, all
            of them are one call of a function.
        batch: so many records at most are *one* run, whose payload is the list of them; of a job
            only: a function gets all that are handed over at once.
        window: how long more of them are waited for, 0 seconds to 5 minutes, whole seconds.
    """

    batch_size: int | None = None
    batch: int | None = None
    window: Duration = "0 seconds"

    polled: ClassVar[bool] = True
    most: ClassVar[int]
    """Records that Lambda hands over at once, at most."""
    usual: ClassVar[int]
    """Records, where none are asked for."""

    @property
    def at_once(self) -> int:
        """How many records are handed over at once, at most."""
        return self.batch or self.batch_size or self.usual

    @property
    def window_seconds(self) -> int:
        """`window` in seconds."""
        found = values.whole_seconds(self.window, WINDOW)
        return int(found.total_seconds()) if found else 0

    def batch_problem(self, owner: Code) -> Problem | None:
        """What of these is not allowed, and what is."""
        if owner.raw_events and self.batch is not None:
            allowed = "batch_size=... of a Function: each call has all records of a batch"
            return f"batch {self.batch!r}", allowed
        for what, value in (("batch_size", self.batch_size), ("batch", self.batch)):
            if value is not None and not whole(value, 1, self.most):
                return f"{what} {value!r}", f"a whole number from 1 to {self.most:,}"
        if self.batch is not None and self.batch_size is not None:
            return f"batch_size {self.batch_size}", f"not beside batch={self.batch}, which says it"
        if values.whole_seconds(self.window, WINDOW) is None:
            return f"window {self.window!r}", "0 seconds to 5 minutes, whole seconds"
        return None
