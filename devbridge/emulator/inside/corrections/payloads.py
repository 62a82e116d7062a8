"""How large an event and an answer may be: ministack takes any.

"Lambda quotas", AWS Lambda's developer guide: 6 MB both ways of a call, 1 MB for an event. AWS's
API reference calls the error RequestTooLargeException; what it answers is another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from ..host import ministack

CALL: Final = 6 << 20
"""Bytes of the request of a call."""
ANSWER: Final = CALL + 100
"""Bytes of its answer, as JSON."""
EVENT: Final = 1 << 20
"""Bytes of an event for an asynchronous invocation."""
_INVOKE: Final = re.compile(r"/[0-9-]+/functions/[^/]+/invocations")


def problem_of(size: int, kind: str) -> str | None:
    """What AWS says of a request of that size and invocation type. Pure."""
    if kind == "Event" and size > EVENT:
        return (
            f"{size} byte payload is too large for the Event invocation type (limit {EVENT} bytes)"
        )
    if size > CALL:
        return f"Request must be smaller than {CALL} bytes for the InvokeFunction operation"
    return None


def is_invocation(path: str) -> bool:
    """Whether a path is one at which functions are invoked. Pure."""
    return _INVOKE.fullmatch(path) is not None


def limit() -> None:
    """Correct `services.lambda_svc`."""
    lambdas = ministack("services.lambda_svc")
    serve, execute = lambdas.handle_request, lambdas._execute_function_warm

    async def served(
        method: str, path: str, headers: Mapping[str, str], body: bytes, *rest: Any
    ) -> Any:
        if method == "POST" and is_invocation(path):
            kind = headers.get("x-amz-invocation-type", "")
            if problem := problem_of(len(body or b""), kind):
                return lambdas.error_response_json("RequestEntityTooLargeException", problem, 413)
        return await serve(method, path, headers, body, *rest)

    def executed(function: Any, event: Any, request_id: str) -> Any:
        result = execute(function, event, request_id)
        return result if result.get("error") else within(result)

    lambdas.handle_request, lambdas._execute_function_warm = served, executed


def size_of(value: object) -> int:
    """Bytes of a value as JSON. Pure."""
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def within(result: dict[str, Any]) -> dict[str, Any]:
    """What a function has answered, or that it is too much. Pure."""
    if size_of(result.get("body")) <= ANSWER:
        return result
    message = f"Response payload size exceeded maximum allowed payload size ({ANSWER} bytes)."
    body = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
    return {**result, "error": True, "body": body}
