"""How many tasks read a queue for ever."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from devbridge.sources.base import Problem

MOST: Final = 1000
STEPS: Final = 20
"""That one policy has at most (Application Auto Scaling, quotas)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Tasks that read a job's queue for ever, as many as its messages need.

    Args:
        min: so many there are always; 0: none, while nothing waits.
        max: so many there are at most, up to 1000.
        per_worker: a task for each so many messages that wait, or are worked on.
    """

    min: int = 0
    max: int = 5
    per_worker: int = 10

    def problem(self) -> Problem | None:
        """What of it is not allowed, and what is."""
        for name, least, most in (("min", 0, MOST), ("max", 1, MOST), ("per_worker", 1, 1_000_000)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                return f"{name} {value!r}", f"a whole number from {least} to {most}"
        if self.min > self.max:
            return f"min {self.min} with max {self.max}", "min not above max"
        return None

    def steps(self) -> Iterator[tuple[int, int]]:
        """How many tasks there are to be from so many messages on, the fewest first: 20 steps at
        most, where `max` is more each one is of several tasks."""
        each = math.ceil(self.max / STEPS)
        for fewer in range(0, self.max, each):
            yield fewer * self.per_worker + 1, min(self.max, fewer + each)
