from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import integrations
from devbridge.emulator.inside.corrections.integrations import BODY, failure, response, with_cookies
from devbridge.emulator.inside.corrections.payloads import CALL
from tests.unit.emulator.inside.conftest import MakeModule

FAILED = failure(500, "Internal Server Error")
TOO_LARGE = failure(413, "Request Entity Too Large")


def answered(**returned: Any) -> Any:
    """What is answered of a response with a status."""
    return response({"body": {"statusCode": 200, **returned}})


@pytest.mark.parametrize(
    ("returned", "body"),
    [
        ("Hello", b"Hello"),
        ('{"statusCode": 201}', b'{"statusCode": 201}'),
        ({"body": "x"}, b'{"body": "x"}'),
        ({}, b"{}"),
        ([1, "\u00e4"], '[1, "\u00e4"]'.encode()),
        (42, b"42"),
        (None, b"null"),
    ],
)
def test_what_has_no_status_is_the_body_itself(returned: object, body: bytes) -> None:
    assert response({"body": returned}) == {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": body,
    }


def test_a_response_with_a_status_is_text_unless_it_says_otherwise() -> None:
    assert answered() == {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain; charset=utf-8"},
        "cookies": [],
        "body": b"",
    }
    headers = {"content-TYPE": "a/b", "X-Number": 1.5, "X-Flag": True, "X-None": None}
    own = {"Content-Length": "7", "Connection": "close"}
    assert answered(headers={**headers, **own})["headers"] == {
        "Content-Type": "a/b",
        "X-Number": "1.5",
        "X-Flag": "true",
    }
    assert answered(statusCode="404")["statusCode"] == 404
    assert answered(cookies=["a=1; Secure", "b=2"])["cookies"] == ["a=1; Secure", "b=2"]
    assert answered(body="/w==", isBase64Encoded=True)["body"] == b"\xff"
    assert answered(body="/w==", isBase64Encoded=False)["body"] == b"/w=="
    assert answered(multiValueHeaders={"a": ["b"]}, body=None) == answered()


NO_STATUS: list[object] = [0, 199, 600, 200.5, True, None, "abc", [], {}]
NO_BODY: list[object] = [1, {}, [], True]
NO_HEADERS: list[object] = [[], "a", {"a": []}, {"a": {}}, {"a": "\u20ac"}, {"a": "b\nc: d"}]
NO_COOKIES: list[object] = ["a=1", {}, [{}], ["a\r"]]
NO_BASE64 = ["%", "a", "abc", "\u00e4"]


@pytest.mark.parametrize(
    "returned",
    [
        *({"statusCode": each} for each in NO_STATUS),
        *({"body": each} for each in NO_BODY),
        *({"headers": each} for each in NO_HEADERS),
        *({"cookies": each} for each in NO_COOKIES),
        {"isBase64Encoded": "true"},
        *({"isBase64Encoded": True, "body": each} for each in NO_BASE64),
    ],
    ids=str,
)
def test_a_malformed_response_is_an_error_that_says_nothing_of_it(returned: Any) -> None:
    assert answered(**returned) == FAILED


def test_of_a_function_that_has_failed_nothing_is_told() -> None:
    assert response({"error": True, "body": {"statusCode": 200}}) == FAILED


def test_a_request_has_its_cookies() -> None:
    headers = {"cookie": "a=1; b=2"}
    assert with_cookies({"headers": headers}) == {"headers": headers, "cookies": ["a=1", "b=2"]}
    assert with_cookies({"headers": {}}) == {"headers": {}}


class Apis:
    """ministack's APIs, as far as ours need them."""

    def __init__(self, ministack: MakeModule) -> None:
        self.event: Any = {"headers": {}}
        self.result: dict[str, Any] = {"body": {"statusCode": 204}}
        self.waits = asyncio.Event()
        self.waits.set()
        self._lambdas: Any = ministack(
            "services.lambda_svc",
            lambda_execute_result_to_api_proxy_response=lambda result: ("theirs", result),
            _execute_function_with_config_scope=lambda function, event: self.result,
        )
        self._apis: Any = ministack("services.apigateway", _invoke_lambda_proxy=self._invoke)
        integrations.answer_as_apis()

    async def _invoke(self, *_: Any, **__: Any) -> Any:
        await self.waits.wait()
        result = self._lambdas._execute_function_with_config_scope({}, self.event)
        return self._lambdas.lambda_execute_result_to_api_proxy_response(result)

    async def ask(self, body: bytes | None = None, **integration: Any) -> Any:
        request: tuple[Any, ...] = ("api", "$default", "/", "GET", {}, body)
        return await self._apis._invoke_lambda_proxy(integration, *request, {})

    def directly(self) -> Any:
        result = self._lambdas._execute_function_with_config_scope({}, self.event)
        return self._lambdas.lambda_execute_result_to_api_proxy_response(result)


async def test_only_an_api_answers_as_one(ministack: MakeModule) -> None:
    apis = Apis(ministack)
    answer, error = await apis.ask()
    assert (answer["statusCode"], error) == (204, None)
    assert apis.directly() == ("theirs", apis.result)
    apis.result = {"throttle": True}
    assert await apis.ask() == ("theirs", apis.result)


async def test_a_request_that_is_too_large_never_comes_to_the_function(
    ministack: MakeModule,
) -> None:
    apis = Apis(ministack)
    status, headers, body = await apis.ask(bytes(BODY + 1))
    assert (status, headers["Content-Type"]) == (413, "application/json")
    assert json.loads(body) == {"message": "Request Entity Too Large"}
    apis.event["body"] = "x" * CALL
    answer, _ = await apis.ask(bytes(BODY))
    assert answer == TOO_LARGE
    assert apis.directly() == ("theirs", apis.result)


async def test_an_api_does_not_wait_longer_than_its_integration_says(
    ministack: MakeModule,
) -> None:
    apis = Apis(ministack)
    apis.waits.clear()
    status, _, body = await apis.ask(timeoutInMillis=50)
    assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})
    (left,) = integrations._left
    apis.waits.set()
    await left
    assert not integrations._left
