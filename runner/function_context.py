"""The context object of a function, as AWS's own runtime for Python has it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from json import loads
from typing import Any

from runner.marshalling import Fault

_W3C = ("traceparent", "tracestate", "baggage")


class _Given:
    """A document whose known entries are attributes, None where they are missing."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, document: Mapping[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, document.get(name))

    def __repr__(self) -> str:
        shown = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{shown}])"


class CognitoIdentity(_Given):
    """Who has called, by way of Amazon Cognito."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Given):
    """The application that has called, by way of AWS's mobile SDK."""

    __slots__ = (
        "app_package_name",
        "app_title",
        "app_version_code",
        "app_version_name",
        "installation_id",
    )


class ClientContext(_Given):
    """What the caller has sent along."""

    __slots__ = ("client", "custom", "env")


class LambdaContext:
    """Lambda's context of one request.

    Args:
        headers: the Runtime API's, in lower case.
        halted: tells the milliseconds for which the request's time has not passed, until now.

    Raises:
        Fault: one of them is no JSON.
    """

    def __init__(self, headers: Mapping[str, str], halted: Callable[[], float] = float) -> None:
        variable = os.environ.get
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = variable("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = variable("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = variable("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = variable("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        given = _parsed(headers.get("lambda-runtime-client-context"), "Client Context")
        self._w3c = _w3c(given)
        self.client_context: ClientContext | None = None
        if given is not None:
            self.client_context = ClientContext(given)
            if given.get("client") is not None:
                self.client_context.client = Client(given["client"])  # type: ignore[attr-defined]
        caller = _parsed(headers.get("lambda-runtime-cognito-identity"), "Cognito Identity") or {}
        self.identity = CognitoIdentity(
            {
                "cognito_identity_id": caller.get("cognitoIdentityId"),
                "cognito_identity_pool_id": caller.get("cognitoIdentityPoolId"),
            }
        )
        self._halted = halted
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms") or 0)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is out of time; 0 when it is."""
        left = self._epoch_deadline_time_in_ms + self._halted() - time.time() * 1000
        return max(0, int(left))

    def w3c(self) -> dict[str, str]:
        """The W3C trace context that the request came with."""
        return dict(self._w3c)

    def log(self, msg: object) -> None:
        """Write to the function's log, without a newline of its own."""
        sys.stdout.write(str(msg))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}([aws_request_id={self.aws_request_id},"
            f"log_group_name={self.log_group_name},log_stream_name={self.log_stream_name},"
            f"function_name={self.function_name},memory_limit_in_mb={self.memory_limit_in_mb},"
            f"function_version={self.function_version},"
            f"invoked_function_arn={self.invoked_function_arn},"
            f"client_context={self.client_context},identity={self.identity},"
            f"tenant_id={self.tenant_id}])"
        )


def _parsed(header: str | None, what: str) -> Any:
    if not header:
        return None
    try:
        return loads(header)
    except ValueError as error:
        kind = "Runtime.LambdaContextUnmarshalError"
        raise Fault(kind, f"Unable to parse {what} JSON: {error}") from None


def _w3c(client_context: Any) -> dict[str, str]:
    """The caller's trace context, which is taken out of what the function sees."""
    given = client_context.pop("w3c", None) if isinstance(client_context, dict) else None
    if not isinstance(given, dict):
        return {}
    return {name: given[name] for name in _W3C if isinstance(given.get(name), str)}
