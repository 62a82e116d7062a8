"""What a function or a job logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from devbridge.constructs.app import Construct
from devbridge.constructs.code import Code
from devbridge.constructs.triggering import Trigger
from devbridge.sources.base import Problem

MAX_PATTERN: Final = 1024
"""Characters of a filter pattern (CloudWatch Logs, API, PutSubscriptionFilter)."""


@dataclass(frozen=True)
class OnLog(Trigger):
    """Runs the job for what a function or another job logs. The payload is what CloudWatch Logs
    sends at once: ``{"logGroup", "logStream", "logEvents": [{"id", "timestamp", "message"}]}``.

    Logs cannot wait in a queue: while nobody runs `devbridge dev`, the job's `offline` decides.
    What a live job prints is on the laptop, and in no log group.

    Args:
        of: the Function or Job whose log group it is.
        pattern: a filter pattern of CloudWatch Logs: ``ERROR``, ``{ $.level = "error" }``; by
            default all is taken.
        name, loop: as `Trigger` says; by default it is called as `of` is.
    """

    kind: ClassVar[str] = "log"

    of: Code
    pattern: str = ""

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        return self.name or self.of.name

    @property
    def reads(self) -> Construct | None:
        """See `Trigger.reads`."""
        return self.of

    def problem(self, owner: Construct) -> Problem | None:  # noqa: ARG002
        """See `Trigger.problem`. A job is not there yet when its triggers are made: it cannot be
        given its own log, which would start it for what it logs."""
        if not isinstance(self.of, Code):
            return repr(self.of), "a Function or another Job of this app"
        if not isinstance(self.pattern, str) or len(self.pattern) > MAX_PATTERN:
            return f"pattern {self.pattern!r}", f"a text of at most {MAX_PATTERN:,} characters"
        return None
