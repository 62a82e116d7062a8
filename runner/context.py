"""The context object that a handler may take as its second argument: Lambda's, and a job's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from json import loads
from typing import Any, NamedTuple

from runner.checkpoints import Checkpoints
from runner.triggered import Triggered, variables


class ClientContext:
    """What the invocation carries besides its payload; `custom` has the job's entries."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.client = data.get("client")
        self.env: dict[str, str] = dict(data.get("env") or {})
        self.custom: dict[str, str] = dict(data.get("custom") or {})


VARIABLES = ("DEVBRIDGE_ATTEMPT", "DEVBRIDGE_MAX_ATTEMPTS", "DEVBRIDGE_EVENT")
"""What a run's environment says of it."""


class Trigger(NamedTuple):
    """What has started a run."""

    kind: str
    """``queue``, ``topic``, ``object``, ``event``, ``schedule`` ..."""
    name: str


class Context:
    """Lambda's context, where the time that remains is that of the *job's* timeout."""

    identity = None
    read_checkpoint: Callable[[bytes], Any] = staticmethod(loads)
    """What makes a value of a checkpoint's bytes: `devbridge.job` knows the handler's type."""

    def __init__(
        self,
        headers: Mapping[str, str],
        environment: Mapping[str, str],
        checkpoints: Checkpoints | None = None,
        found: Triggered | None = None,
        halted: Callable[[], float] = float,
    ) -> None:
        """`halted` tells the milliseconds for which the run's time has not passed, until now."""
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn", "")
        self.client_context = ClientContext(
            loads(headers.get("lambda-runtime-client-context") or "{}")
        )
        custom = self.client_context.custom
        self.job_name = str(custom.get("job", ""))
        self.attempt = int(custom.get("attempt", 1))
        self.max_attempts = int(custom.get("max_attempts", 1))
        self.function_name = environment.get("AWS_LAMBDA_FUNCTION_NAME") or self.job_name
        self.function_version = environment.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self.memory_limit_in_mb = int(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or 0)
        self.log_group_name = environment.get(
            "AWS_LAMBDA_LOG_GROUP_NAME", f"/devbridge/{self.function_name}"
        )
        self.log_stream_name = environment.get("AWS_LAMBDA_LOG_STREAM_NAME", self.aws_request_id)
        self._deadline = int(headers.get("lambda-runtime-deadline-ms") or 0)
        self._halted = halted
        self._checkpoints = checkpoints
        self._triggered = found
        self.trigger = Trigger(found.kind, found.name) if found else None
        """What has started the run; None: somebody's call."""

    @cached_property
    def event(self) -> Any:
        """The record that has started the run, as AWS has it; None if none has."""
        return loads(self._triggered.event) if self._triggered else None

    def variables(self) -> dict[str, str]:
        """What the environment says of the run: DEVBRIDGE_ATTEMPT, DEVBRIDGE_MAX_ATTEMPTS and
        DEVBRIDGE_EVENT."""
        attempts = {
            "DEVBRIDGE_ATTEMPT": str(self.attempt),
            "DEVBRIDGE_MAX_ATTEMPTS": str(self.max_attempts),
        }
        return {**attempts, **variables(self._triggered)}

    @cached_property
    def checkpoint(self) -> Any:
        """What this run has last yielded in an earlier attempt; None if there is nothing."""
        body = self._checkpoints.first() if self._checkpoints else None
        return None if body is None else self.read_checkpoint(body)

    @property
    def interrupted(self) -> bool:
        """Whether this attempt is about to be stopped: it has some seconds, or minutes, to yield
        its last checkpoint. To be looked at in the main thread first."""
        return self._checkpoints is not None and self._checkpoints.interrupted

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the job is stopped; 0 when its time is up."""
        return max(0, self._deadline + int(self._halted() - time.time() * 1000))

    def log(self, message: object) -> None:
        """Write a line to the run's output, as Lambda's context does."""
        print(message)

    def __repr__(self) -> str:
        return (
            f"Context(aws_request_id={self.aws_request_id!r}, job_name={self.job_name!r}, "
            f"attempt={self.attempt}, max_attempts={self.max_attempts}, pid={os.getpid()})"
        )
