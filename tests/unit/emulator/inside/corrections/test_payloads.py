from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.corrections.payloads import (
    ANSWER,
    CALL,
    EVENT,
    limit,
    problem_of,
    within,
)
from tests.unit.emulator.inside.conftest import MakeModule


@pytest.mark.parametrize(
    ("size", "kind", "said"),
    [
        (EVENT, "Event", None),
        (EVENT + 1, "Event", "limit 1048576 bytes"),
        (EVENT + 1, "RequestResponse", None),
        (CALL, "", None),
        (CALL + 1, "", "smaller than 6291456 bytes"),
    ],
)
def test_an_event_may_be_smaller_than_a_call(size: int, kind: str, said: str | None) -> None:
    found = problem_of(size, kind)
    assert found is None if said is None else said in (found or "")


def test_an_answer_that_is_too_large_is_an_error() -> None:
    fits = {"body": "x" * (ANSWER - 2), "log": "l"}
    assert within(fits) == fits
    answer = within({"body": "x" * (ANSWER - 1), "log": "l"})
    assert (answer["error"], answer["log"]) == (True, "l")
    assert answer["body"]["errorType"] == "Function.ResponseSizeTooLarge"


async def test_a_request_that_is_too_large_never_comes_to_a_function(ministack: MakeModule) -> None:
    async def serve(method: str, path: str, *_: Any) -> str:
        return f"{method} {path}"

    lambdas: Any = ministack(
        "services.lambda_svc",
        handle_request=serve,
        error_response_json=lambda kind, text, status: (kind, status),
        _execute_function_warm=lambda *_: {"body": 1},
    )
    limit()
    invoke, event = "/2015-03-31/functions/f/invocations", {"x-amz-invocation-type": "Event"}
    large = bytes(EVENT + 1)
    refused = ("RequestEntityTooLargeException", 413)
    assert await lambdas.handle_request("POST", invoke, event, large, {}) == refused
    assert await lambdas.handle_request("POST", invoke, {}, large, {}) == f"POST {invoke}"
    code = "/2015-03-31/functions/f/code"
    assert await lambdas.handle_request("PUT", code, event, large, {}) == f"PUT {code}"
    assert lambdas._execute_function_warm({}, {}, "id") == {"body": 1}
