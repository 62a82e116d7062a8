"""Messages of an SNS topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from devbridge.constructs.app import Construct
from devbridge.constructs.event_patterns import SNS, fields, pattern_problem
from devbridge.constructs.messaging import Topic
from devbridge.constructs.triggers.done import InQueue
from devbridge.sources.base import Problem

_KEYS: Final = 5
"""Of a filter policy (SNS, "Filter policy constraints")."""


@dataclass(frozen=True)
class OnTopic(InQueue):
    """Runs the job for each message of a topic, through the job's own queue. The payload is the
    message: its JSON value, or the text where it is none.

    Args:
        topic: of this app, and no FIFO one.
        filter: only messages that match, as SNS's subscription filter has it:
            ``{"jobName": ["thumbs"]}``.
        filter_on: what the filter looks at: the message's "attributes", or its "body", a JSON
            object.
        name, loop, done: as `Trigger` and `InQueue` say.
    """

    kind: ClassVar[str] = "topic"
    queued: ClassVar[bool] = True

    topic: Topic
    filter: Mapping[str, Any] | None = None
    filter_on: Literal["attributes", "body"] = "attributes"

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        return self.name or self.topic.name

    @property
    def reads(self) -> Construct | None:
        """See `Trigger.reads`."""
        return self.topic

    def problem(self, owner: Construct) -> Problem | None:  # noqa: ARG002
        """See `Trigger.problem`."""
        if not isinstance(self.topic, Topic):
            return repr(self.topic), "a Topic of this app"
        if self.topic.fifo:
            return (
                f"{self.topic} with fifo=True",
                "a standard Topic: a job's own queue has no order",
            )
        if self.filter_on not in ("attributes", "body"):
            return f"filter_on {self.filter_on!r}", "'attributes' or 'body'"
        if self.filter is None and self.filter_on == "body":
            return "filter_on 'body' without a filter", "only with filter={...}"
        return None if self.filter is None else self._filter_problem(self.filter)

    def _filter_problem(self, pattern: Mapping[str, Any]) -> Problem | None:
        if found := pattern_problem("filter", pattern, SNS):
            return found
        if len(pattern) > _KEYS:
            return f"filter: {len(pattern)} keys", f"at most {_KEYS}, as SNS has it"
        nested = [key for key, value in fields(pattern) if isinstance(value, Mapping)]
        if nested and self.filter_on == "attributes":
            return f"filter: {nested[0]} is an object", "lists only, or filter_on='body'"
        return None
