"""The context object that a handler may take as its second argument: Lambda's, and a job's."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from json import loads
from typing import Any


class ClientContext:
    """What the invocation carries besides its payload; `custom` has the job's entries."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.client = data.get("client")
        self.env: dict[str, str] = dict(data.get("env") or {})
        self.custom: dict[str, str] = dict(data.get("custom") or {})


class Context:
    """Lambda's context, where the time that remains is that of the *job's* timeout."""

    identity = None

    def __init__(self, headers: Mapping[str, str], environment: Mapping[str, str]) -> None:
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

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the job is stopped; 0 when its time is up."""
        return max(0, self._deadline - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Write a line to the run's output, as Lambda's context does."""
        print(message)

    def __repr__(self) -> str:
        return (
            f"Context(aws_request_id={self.aws_request_id!r}, job_name={self.job_name!r}, "
            f"attempt={self.attempt}, max_attempts={self.max_attempts}, pid={os.getpid()})"
        )
