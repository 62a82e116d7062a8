"""Objects of an S3 bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from devbridge.constructs.app import Construct
from devbridge.constructs.storage import Bucket
from devbridge.constructs.triggering import Trigger
from devbridge.sources.base import Problem

EVENTS: Final = {"created": "Object Created", "deleted": "Object Deleted"}
"""What can be listened to, and the detail type that S3's event has in EventBridge."""
_LONGEST: Final = 1024
"""Bytes of an object's key."""


@dataclass(frozen=True)
class OnObject(Trigger):
    """Runs the job for each object that is created in a bucket, or deleted, through the job's own
    queue. The payload is ``{"bucket", "key", "size", "etag", "version", "event"}``; `event` is
    "created" or "deleted", of which the latter has neither size nor etag.

    Args:
        bucket: of this app.
        events: "created", "deleted" or both.
        prefix, suffix: only objects whose key begins, and ends, so.
        name, loop: as `Trigger` says.
    """

    kind: ClassVar[str] = "object"
    queued: ClassVar[bool] = True

    bucket: Bucket
    events: Sequence[str] = ("created",)
    prefix: str = ""
    suffix: str = ""

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        return self.name or self.bucket.name

    @property
    def reads(self) -> Construct | None:
        """See `Trigger.reads`."""
        return self.bucket

    def problem(self, owner: Construct) -> Problem | None:  # noqa: ARG002
        """See `Trigger.problem`."""
        if not isinstance(self.bucket, Bucket):
            return repr(self.bucket), "a Bucket of this app"
        events = self.events
        listed = isinstance(events, Sequence) and not isinstance(events, str) and bool(events)
        if not listed or not all(event in EVENTS for event in events):
            return f"events {events!r}", "a list of 'created', 'deleted' or both"
        for what, value in (("prefix", self.prefix), ("suffix", self.suffix)):
            if not isinstance(value, str) or len(value.encode()) > _LONGEST:
                return f"{what} {value!r}", f"a text of at most {_LONGEST} bytes"
        return None

    def keys(self) -> list[Any]:
        """The keys as an event pattern has them; empty where any will do."""
        if self.prefix and self.suffix:
            # Between the two there may be anything: one pattern must say both.
            return [{"wildcard": f"{_literal(self.prefix)}*{_literal(self.suffix)}"}]
        if self.prefix:
            return [{"prefix": self.prefix}]
        return [{"suffix": self.suffix}] if self.suffix else []


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*")
