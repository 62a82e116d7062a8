"""Requests over HTTP that start a run."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from runner.messages import Listening
from runner.triggered import triggered
from stub_lambda.records import Outcome
from stub_lambda.sources import source_of

GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/front/0123456789abcdef"
LISTENING = Listening(sources={"ANY /thumbs": {"name": "web"}, "front": {"name": "balanced"}})


def api(**more: Any) -> dict[str, Any]:
    context = {"http": {"method": "POST"}, "requestId": "q-1"}
    return {"routeKey": "ANY /thumbs", "requestContext": context, "headers": {}, **more}


def balanced(**more: Any) -> dict[str, Any]:
    headers = {"x-amzn-trace-id": "Root=1"}
    return {"requestContext": {"elb": {"targetGroupArn": GROUP}}, "headers": headers, **more}


def started(event: dict[str, Any]) -> Any:
    source = source_of(event)
    assert source is not None
    (record,) = source.starts(event, LISTENING)
    found = triggered(record.start.payload)
    assert found is not None
    return source, record, found


@pytest.mark.parametrize(
    ("more", "payload"),
    [
        ({"body": '{"num":5}'}, {"num": 5}),
        ({"body": "text"}, "text"),
        ({}, None),
        ({"body": base64.b64encode(b"[1]").decode(), "isBase64Encoded": True}, [1]),
    ],
)
@pytest.mark.parametrize("make", [api, balanced])
def test_the_body_is_the_payload(make: Any, more: dict[str, Any], payload: object) -> None:
    _, record, found = started(make(**more))
    assert json.loads(found.payload) == payload
    assert (found.dead, record.start.remember) == ("", False)


def test_a_route_and_a_target_group_have_the_names_of_their_triggers() -> None:
    assert (started(api())[2].kind, started(api())[2].name) == ("request", "web")
    assert (started(balanced())[2].kind, started(balanced())[2].name) == (
        "load-balancer",
        "balanced",
    )


def test_the_callers_own_key_is_the_runs() -> None:
    _, record, _ = started(api(headers={"Idempotency-Key": "mine"}))
    assert (record.start.key, record.start.remember) == ("web/mine", True)
    assert started(api())[1].start.key == "web/q-1"


def test_a_request_is_answered_with_the_run() -> None:
    source, record, _ = started(api())
    answer = source.answer([Outcome(record, {"jobId": "r"})])
    assert (answer["statusCode"], json.loads(answer["body"])) == (202, {"jobId": "r"})
    assert "isBase64Encoded" in started(balanced())[0].answer([Outcome(record, {})])


@pytest.mark.parametrize(
    ("code", "status"), [("PayloadTooLarge", 413), ("Offline", 503), ("CloudError", 502)]
)
def test_a_refusal_is_an_error_of_http(code: str, status: int) -> None:
    source, record, _ = started(api())
    answer = source.answer([Outcome(record, None, code, "why")])
    assert answer["statusCode"] == status
    assert json.loads(answer["body"]) == {"error": {"code": code, "message": "why"}}
