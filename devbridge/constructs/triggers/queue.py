"""Messages of an SQS queue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar, Final

from devbridge.constructs.app import Construct
from devbridge.constructs.code import Code
from devbridge.constructs.event_patterns import LAMBDA, pattern_problem
from devbridge.constructs.messaging import Queue
from devbridge.constructs.triggering import Trigger, whole
from devbridge.constructs.triggers.batching import WITHOUT_WINDOW, Batched
from devbridge.constructs.triggers.done import TIMES, InQueue, reading_time, runs_of
from devbridge.durations import spelled
from devbridge.sources.base import Problem

INVOKER_TIMEOUT: Final = timedelta(seconds=10)
"""How long a job's invoker may take. `devbridge.deploy.synth.invoker` deploys it so."""
_RULES: Final = replace(
    LAMBDA,
    example='{"body": {"kind": ["order"]}}',
    keys=(
        "body",
        "attributes",
        "messageAttributes",
        "messageId",
        "receiptHandle",
        "md5OfBody",
        "eventSource",
        "eventSourceARN",
        "awsRegion",
    ),
)
"""What a record has is Lambda's "Example Amazon SQS message event". Where a filter has another key,
none matches, and all are deleted."""
_CONCURRENCY: Final = (2, 1000)
"""Of Lambda (API, ScalingConfig)."""


@dataclass(frozen=True)
class OnQueue(Batched, InQueue):
    """Runs the job for each message of a queue. The payload is the message's body: its JSON value,
    or the text where it is none.

    A message is deleted once its run is accepted, or has succeeded, as `done` says; what cannot be
    started comes back after the queue's visibility timeout. The dead-letter queue is the queue's
    own, else the job's. That of a function is deleted once the function has returned, and is not
    among its ``batchItemFailures``.

    Args:
        queue: of this app.
        max_concurrency: so many invokers, or so many of the function, are called at a time, 2
            to 1000; None: as many as Lambda likes. It does not bound the runs: the job's
            `concurrency` does.
        filter: only messages that match, as Lambda's event filtering has it:
            ``{"body": {"kind": ["order"]}}``. Lambda *deletes* the others.
        name, loop, done, batch_size, batch, window: as `Trigger`, `InQueue` and `Batched` say; up
            to 10 records without a window, 10,000 with one; 10 of a FIFO queue, which has no
            window. With done="succeeded", one unless you say more, and their runs follow each
            other.
    """

    kind: ClassVar[str] = "queue"
    alone: ClassVar[str] = "one reader a queue: each message has but one"
    most: ClassVar[int] = 10_000
    usual: ClassVar[int] = WITHOUT_WINDOW

    queue: Queue
    max_concurrency: int | None = None
    filter: Mapping[str, Any] | None = None

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        return self.name or self.queue.name

    @property
    def reads(self) -> Construct | None:
        """See `Trigger.reads`."""
        return self.queue

    @property
    def claim(self) -> tuple[Construct, object]:
        """See `Trigger.claim`."""
        return self.queue, self.queue

    @property
    def at_once(self) -> int:
        """See `Batched.at_once`."""
        return 1 if self.held and not (self.batch or self.batch_size) else super().at_once

    @property
    def in_turn(self) -> int:
        """See `InQueue.in_turn`."""
        return 1 if self.batch else self.at_once

    def problem(self, owner: Code) -> Problem | None:
        """See `Trigger.problem`."""
        if not isinstance(self.queue, Queue):
            return repr(self.queue), "a Queue of this app"
        limit = TIMES * owner.call_limit
        return (
            self.batch_problem(owner) or self._reading_problem(owner) or self._queue_problem(limit)
        )

    def _reading_problem(self, owner: Code) -> Problem | None:
        queue = self.queue
        if queue.fifo and self.window_seconds:
            return f"window {self.window!r}", "none of a FIFO queue: Lambda knows no window for it"
        if self.at_once > WITHOUT_WINDOW and (queue.fifo or not self.window_seconds):
            where = "of a FIFO queue" if queue.fifo else "without a window of 1 second or more"
            if self.held and not owner.raw_events and runs_of(owner).compute.workers:
                where = "with workers, which read without Lambda"
            return f"{self.at_once} records at once", f"at most {WITHOUT_WINDOW} {where}"
        most = self.max_concurrency
        if most is not None and not whole(most, *_CONCURRENCY):
            return f"max_concurrency {most!r}", "a whole number from 2 to 1000, or None"
        return None if self.filter is None else pattern_problem("filter", self.filter, _RULES)

    def _queue_problem(self, least: timedelta) -> Problem | None:
        queue, hidden = self.queue, self.queue.visibility_timeout
        own = queue.existing is None and not self.held
        if own and hidden is not None and hidden < least:
            return (
                f"{queue} with visibility_timeout='{spelled(hidden)}'",
                f"'{spelled(least)}' or more, or none: {TIMES} times what its"
                " reader may take, or a message comes back while it is being read",
            )
        if queue.fifo and queue.dead_letter is None and not queue.known:
            return f"{queue} without dead_letter", "a FIFO queue with dead_letter=..., a FIFO Queue"
        return None

    def problem_beside(self, owner: Construct, triggers: Sequence[Trigger]) -> Problem | None:
        """See `Trigger.problem_beside`."""
        found = super().problem_beside(owner, triggers)
        if found or not self.held:
            return found
        if self.queue.fifo and self.in_turn > 1:
            return (
                f"batch_size={self.batch_size} of a FIFO queue with done='succeeded'",
                "1, or none: what follows a failed one in its group would use up its deliveries"
                " unrun",
            )
        if self.queue.known:
            return None
        job = runs_of(owner)
        return self._held_problem(TIMES * reading_time(job, triggers), job.retries + 1)

    def _held_problem(self, least: timedelta, attempts: int) -> Problem | None:
        queue, hidden = self.queue, self.queue.visibility_timeout
        if hidden is not None and hidden < least:
            return (
                f"{queue} with visibility_timeout='{spelled(hidden)}'",
                f"'{spelled(least)}' or more, or none: {TIMES} times what the job's function may"
                " take, or a message comes back while its run goes on",
            )
        if queue.max_receives is not None and queue.max_receives != attempts:
            return (
                f"{queue} with max_receives={queue.max_receives}, where the job has"
                f" retries={attempts - 1}",
                f"retries={queue.max_receives - 1} of the job, or max_receives={attempts} of the"
                " queue: both say how often a message is tried",
            )
        return None

    def criteria(self) -> str | None:
        """The filter as Lambda takes it."""
        return None if self.filter is None else json.dumps(self.filter, sort_keys=True)
