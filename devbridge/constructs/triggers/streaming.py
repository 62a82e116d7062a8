"""What is common to records of streams, which come in order and stay where they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from devbridge.constructs.event_patterns import Rules, pattern_problem
from devbridge.constructs.triggering import whole
from devbridge.constructs.triggers.batching import Batched
from devbridge.sources.base import Problem

RETRIES: Final = 5
"""How often records that could not be started are tried again, unless a trigger says: without a
limit, one of them would stop its shard until it expires."""
MOST_RETRIES: Final = 10_000
"""Of Lambda (API, MaximumRetryAttempts)."""
STARTING: Final = ("latest", "trim_horizon")


@dataclass(frozen=True, kw_only=True)
class Streamed(Batched):
    """A trigger that reads a stream: a shard's records in their order, each batch once the one
    before is started.

    Args:
        filter: only records that match, as Lambda's event filtering has it; the others are passed
            over.
        starting: where reading begins when the trigger is new: at the "latest" record, or at the
            "trim_horizon", the oldest that is kept.
        retries: how often records whose run cannot be started are tried again, 0 to 10,000; by
            default 5. Then where they are in the stream is told to the job's dead-letter queue.
    """

    most: ClassVar[int] = 10_000
    usual: ClassVar[int] = 10
    """So many starts fit into an invocation, even where each waits for an answer."""

    rules: ClassVar[Rules]
    """What a filter may have."""

    filter: Mapping[str, Any] | None = None
    starting: Literal["latest", "trim_horizon"] = "latest"
    retries: int | None = None

    @property
    def most_retries(self) -> int:
        """`retries` as Lambda takes it."""
        return RETRIES if self.retries is None else self.retries

    def stream_problem(self) -> Problem | None:
        """What of these is not allowed, and what is."""
        if self.starting not in STARTING:
            return f"starting {self.starting!r}", "'latest' or 'trim_horizon'"
        if self.retries is not None and not whole(self.retries, 0, MOST_RETRIES):
            return (
                f"retries {self.retries!r}",
                f"a whole number from 0 to {MOST_RETRIES:,}, or None",
            )
        found = self.filter
        return None if found is None else pattern_problem("filter", found, self.rules)

    def pattern(self) -> Mapping[str, Any] | None:
        """Which records match; None: all."""
        return self.filter

    def criteria(self) -> str | None:
        """The same as Lambda takes it."""
        found = self.pattern()
        return None if found is None else json.dumps(found, sort_keys=True)
