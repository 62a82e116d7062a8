"""One request of a live function, and what its worker finds in the answer to ``next``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from devbridge.daemon.requests import Asking
from devbridge.protocol.messages import Invoke
from runner.invocation import Invocation

_HEADER: Final = re.compile(r"[\x20-\x7e]*")
"""What may be in a header."""


@dataclass(frozen=True, slots=True)
class Given(Invocation):
    """A request as a worker gets it: Lambda's own headers, and nothing of a job's."""

    client_context: str | None = None
    identity: str | None = None
    trace_id: str | None = None

    def headers(self) -> dict[str, str]:
        """See `Invocation.headers`."""
        found = {
            "Lambda-Runtime-Aws-Request-Id": self.job_id,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": self.trace_id,
            "Lambda-Runtime-Client-Context": self.client_context,
            "Lambda-Runtime-Cognito-Identity": self.identity,
        }
        return {name: text for name, text in found.items() if text and _HEADER.fullmatch(text)}


@dataclass(slots=True)
class Call:
    """A request that was not answered yet."""

    asked: Invoke
    event: bytes = field(repr=False)
    words: Asking
    given_at: float | None = None
    """When a worker got it, monotonic."""

    def given(self, deadline: float) -> Given:
        """What the worker gets; `deadline` is in seconds since the epoch."""
        asked = self.asked
        return Given(
            job_id=asked.aws_request_id,
            payload=self.event,
            deadline=deadline,
            function_arn=asked.function_arn,
            client_context=asked.client_context,
            identity=asked.identity,
            trace_id=asked.trace_id,
        )
