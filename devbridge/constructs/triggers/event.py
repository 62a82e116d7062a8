"""Events of an EventBridge bus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from devbridge.constructs.app import Construct
from devbridge.constructs.event_buses import EventBus
from devbridge.constructs.event_patterns import EVENTBRIDGE, pattern_problem
from devbridge.constructs.triggers.done import InQueue
from devbridge.sources.base import Problem


@dataclass(frozen=True)
class OnEvent(InQueue):
    """Runs the job for each event that matches a pattern, through the job's own queue. The payload
    is the event's ``detail``; ``context.event`` is the whole.

    Args:
        pattern: as EventBridge has it: ``{"source": ["aws.autoscaling"]}``.
        bus: of this app; by default the account's own, which has AWS's events.
        name, loop, done: as `Trigger` and `InQueue` say; by default it is called by the pattern's
            source.
    """

    kind: ClassVar[str] = "event"
    queued: ClassVar[bool] = True

    pattern: Mapping[str, Any]
    bus: EventBus | None = None

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        if self.name:
            return self.name
        source = self.pattern.get("source")
        first = source[0] if isinstance(source, list) and source else ""
        words = first.replace(".", "-") if isinstance(first, str) and first else "event"
        digest = hashlib.sha256(json.dumps(self.pattern, sort_keys=True).encode()).hexdigest()
        return f"{words}-{digest[:6]}"

    @property
    def reads(self) -> Construct | None:
        """See `Trigger.reads`."""
        return self.bus

    def problem(self, owner: Construct) -> Problem | None:  # noqa: ARG002
        """See `Trigger.problem`."""
        if self.bus is not None and not isinstance(self.bus, EventBus):
            return f"bus {self.bus!r}", "an EventBus of this app, or None"
        return pattern_problem("pattern", self.pattern, EVENTBRIDGE)
