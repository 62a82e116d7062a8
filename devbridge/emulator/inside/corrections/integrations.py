"""What an HTTP API answers of what its function has returned, and how long it waits for that.

ministack hands on whatever a function returns: a body that is no text, a status that is no number,
a header that is a list. It takes any base64 and any size, waits for ever, calls each answer JSON,
and tells a function of no cookies.

"Create AWS Lambda proxy integrations for HTTP APIs", "Quotas for configuring and running an HTTP
API", Amazon API Gateway's developer guide; and what AWS's own Lambda Test Tool (aws-lambda-dotnet)
compares with a real API where the guide says nothing.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from ..host import ministack
from .payloads import CALL, size_of

BODY: Final = 10 << 20
"""Bytes of a request's body."""
SECONDS: Final = 30.0
"""How long it waits unless its integration says less."""
_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_STATUS: Final = range(200, 600)
_OWN: Final = ("content-length", "connection", "transfer-encoding")
"""Headers that only an API itself sets."""
_TOO_LARGE: Final = "devbridge_too_large"

Response = dict[str, Any]

_asked: ContextVar[bool] = ContextVar("asked", default=False)
"""Whether it is an HTTP API that invokes a function."""
_left: set[asyncio.Task[Any]] = set()
"""Invocations that an API does not wait for any more: they go on, as on AWS."""


class _Malformed(Exception):
    """A function's response that has not the format of its payload's version."""


def answer_as_apis() -> None:
    """Correct `services.apigateway`, and what it uses of `services.lambda_svc`."""
    apis, lambdas = ministack("services.apigateway"), ministack("services.lambda_svc")
    invoke, shape = apis._invoke_lambda_proxy, lambdas.lambda_execute_result_to_api_proxy_response
    execute = lambdas._execute_function_with_config_scope

    def executed(function: Any, event: Any) -> Any:
        if not _asked.get():
            return execute(function, event)
        event = with_cookies(event)
        return {_TOO_LARGE: True} if size_of(event) > CALL else execute(function, event)

    def shaped(result: dict[str, Any]) -> Any:
        if not _asked.get() or result.get("throttle"):
            return shape(result)
        return response(result), None

    async def invoked(
        integration: Mapping[str, Any],
        api: str,
        stage: str,
        path: str,
        method: str,
        headers: Any,
        body: bytes | None,
        *arguments: Any,
        **options: Any,
    ) -> Any:
        if len(body or b"") > BODY:
            return _whole(failure(413, "Request Entity Too Large"))
        given = (integration, api, stage, path, method, headers, body, *arguments)
        token = _asked.set(True)
        try:
            work = asyncio.create_task(invoke(*given, **options))
        finally:
            _asked.reset(token)
        _left.add(work)
        work.add_done_callback(_left.discard)
        milliseconds = integration.get("timeoutInMillis")
        seconds = float(milliseconds) / 1000 if milliseconds else SECONDS
        done, _ = await asyncio.wait({work}, timeout=min(seconds, SECONDS))
        return work.result() if done else _whole(failure(503, "Service Unavailable"))

    apis._invoke_lambda_proxy = invoked
    lambdas._execute_function_with_config_scope = executed
    lambdas.lambda_execute_result_to_api_proxy_response = shaped


def with_cookies(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """A request with the cookies that it has, which ministack leaves among its headers. Pure."""
    found = event["headers"].get("cookie")
    return {**event, "cookies": found.split("; ")} if found else event


def failure(status: int, message: str) -> Response:
    """What an API says itself."""
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    return {"statusCode": status, "headers": {"Content-Type": _JSON}, "body": body}


def _whole(said: Response) -> tuple[int, dict[str, str], bytes]:
    return said["statusCode"], said["headers"], said["body"]


def response(result: Mapping[str, Any]) -> Response:
    """What an API answers of an invocation: ``statusCode``, ``headers``, ``cookies``, and ``body``
    in bytes. Pure."""
    if result.get(_TOO_LARGE):
        return failure(413, "Request Entity Too Large")
    if result.get("error"):
        return failure(500, "Internal Server Error")
    returned = result.get("body")
    if not isinstance(returned, dict) or "statusCode" not in returned:
        text = returned if isinstance(returned, str) else json.dumps(returned, ensure_ascii=False)
        return {"statusCode": 200, "headers": {"Content-Type": _JSON}, "body": text.encode()}
    try:
        headers = _headers(returned.get("headers"))
        return {
            "statusCode": _status(returned["statusCode"]),
            "headers": headers,
            "cookies": _cookies(returned.get("cookies")),
            "body": _body(returned.get("body"), returned.get("isBase64Encoded")),
        }
    except (_Malformed, ValueError):  # that it is no base64, or no text of a header, is one
        return failure(500, "Internal Server Error")


def _status(given: object) -> int:
    number = int(given) if isinstance(given, str) else given
    if type(number) is not int or number not in _STATUS:
        raise _Malformed
    return number


def _headers(given: object) -> dict[str, str]:
    found = {
        "Content-Type" if name.lower() == "content-type" else name: _line(value)
        for name, value in _typed(given, dict).items()
        if value is not None and name.lower() not in _OWN
    }
    return {"Content-Type": _TEXT, **found}


def _line(value: object) -> str:
    """A header's value."""
    if not isinstance(value, str | int | float):
        raise _Malformed
    text = value if isinstance(value, str) else json.dumps(value)
    if "\n" in text or "\r" in text:
        raise _Malformed
    text.encode("latin-1")
    return text


def _cookies(given: object) -> list[str]:
    return [_line(each) for each in _typed(given, list)]


def _body(given: object, encoded: object) -> bytes:
    text: str = _typed(given, str)
    if not _typed(encoded, bool):
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _Malformed from error


def _typed(value: Any, kind: type) -> Any:
    """A field, or what stands for its absence.

    Raises:
        _Malformed: it is something else.
    """
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise _Malformed
    return value
