"""Events as AWS documents them, and what is said of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.daemon import requests
from devbridge.daemon.requests import INVOKED, LARGEST, Asking, Kind
from devbridge.daemon.told import Mood
from devbridge.palette import Style
from runner.outcome import Failure

PLAIN = Style(False)
V2 = {
    "version": "2.0",
    "rawPath": "/factorial",
    "requestContext": {"http": {"method": "POST", "path": "/factorial"}},
}
V1 = {"version": "1.0", "httpMethod": "GET", "path": "/a", "requestContext": {}}


def record(source: str, key: str = "eventSource") -> dict[str, Any]:
    return {key: source}


def policy(statement: object) -> dict[str, Any]:
    return {"policyDocument": {"Statement": statement}}


@pytest.mark.parametrize(
    ("event", "what", "kind"),
    [
        (V2, "POST /factorial", Kind.HTTP),
        (V1, "GET /a", Kind.HTTP),
        (
            {"requestContext": {"connectionId": "x", "routeKey": "$connect"}},
            "websocket $connect",
            Kind.HTTP,
        ),
        (
            {
                "version": "2.0",
                "type": "REQUEST",
                "routeArn": "arn:aws:execute-api:r:1:a/s/GET/x/y",
            },
            "authorizer GET /x/y",
            Kind.AUTHORIZER,
        ),
        (
            {"type": "TOKEN", "methodArn": "arn:aws:execute-api:r:1:a/s/GET/"},
            "authorizer GET /",
            Kind.AUTHORIZER,
        ),
        ({"type": "TOKEN", "methodArn": "odd"}, "authorizer  /", Kind.AUTHORIZER),
        ({"Records": [record("aws:sqs")] * 3}, "sqs: 3 records", Kind.BATCH),
        ({"Records": [record("aws:sns", "EventSource")]}, "sns: 1 record", Kind.BATCH),
        ({"Records": [record("aws:s3")]}, "s3: 1 record", Kind.BATCH),
        ({"detail-type": "Scheduled Event", "source": "aws.events"}, "schedule", Kind.OTHER),
        ({"detail-type": "Paid", "source": "shop"}, "event 'Paid' of shop", Kind.OTHER),
        ({"awslogs": {"data": "H4s"}}, "logs", Kind.OTHER),
        (
            {"triggerSource": "PreSignUp_SignUp", "userPoolId": "eu_x"},
            "user pool PreSignUp_SignUp",
            Kind.OTHER,
        ),
    ],
)
def test_events_are_told_apart(event: object, what: str, kind: Kind) -> None:
    assert requests.asking(json.dumps(event).encode()) == Asking(what, kind)


@pytest.mark.parametrize(
    "event",
    [
        *(5, None, [], {}, {"num": 1}),
        *({"Records": []}, {"Records": [5]}, {"Records": [record("x")]}),
        *({"requestContext": 5}, {"type": "REQUEST"}, {"type": "REQUEST", "routeArn": 5}),
    ],
)
def test_all_others_are_calls(event: object) -> None:
    assert requests.asking(json.dumps(event).encode()) == INVOKED


def test_nobody_waits_for_the_words_of_what_is_large_or_no_json() -> None:
    assert requests.asking(b"{" * 20) == INVOKED
    assert requests.asking(json.dumps({"a": "x" * LARGEST}).encode()) == INVOKED
    assert requests.asking(b'"http":{"method":"GET","path":"\\q"}' + b" " * LARGEST) == INVOKED


def test_of_a_large_request_the_path_is_found_wherever_its_body_is() -> None:
    body = {"body": "x" * LARGEST}
    for event in ({**V2, **body}, {**body, **V2}):
        found = requests.asking(json.dumps(event).encode())
        assert found == Asking("POST /factorial", Kind.HTTP)


def test_a_path_cannot_obey_the_terminal() -> None:
    event = {**V2, "rawPath": "/\x1b[2J\n" + "x" * 1000}
    what = requests.asking(json.dumps(event).encode()).what
    assert "\x1b" not in what
    assert "\n" not in what
    assert len(what) < 300


HTTP = Asking("GET /", Kind.HTTP)
AUTHORIZER = Asking("authorizer GET /", Kind.AUTHORIZER)
BATCH = Asking("sqs: 3 records", Kind.BATCH)


@pytest.mark.parametrize(
    ("asked", "answer", "how", "mood"),
    [
        (HTTP, {"statusCode": 202}, "202", Mood.GOOD),
        (HTTP, {"statusCode": "404"}, "404", Mood.WARN),
        (HTTP, {"statusCode": 500}, "500", Mood.BAD),
        (HTTP, {"statusCode": None}, "None", Mood.PLAIN),
        (HTTP, "text", "200", Mood.GOOD),
        (AUTHORIZER, {"isAuthorized": True}, "allowed", Mood.GOOD),
        (AUTHORIZER, {"isAuthorized": False}, "denied", Mood.WARN),
        (
            AUTHORIZER,
            {"policyDocument": {"Statement": [{"Effect": "Allow"}]}},
            "allowed",
            Mood.GOOD,
        ),
        (AUTHORIZER, {"policyDocument": {"Statement": {"Effect": "Deny"}}}, "denied", Mood.WARN),
        (AUTHORIZER, 5, "decided nothing", Mood.BAD),
        (BATCH, None, "", Mood.GOOD),
        (BATCH, {"batchItemFailures": [{}, {}]}, "2 failed", Mood.WARN),
        (BATCH, {"batchItemFailures": 5}, "", Mood.GOOD),
        (INVOKED, 5, "", Mood.GOOD),
    ],
)
def test_answers_are_a_word(asked: Asking, answer: object, how: str, mood: Mood) -> None:
    assert requests.answered(asked, json.dumps(answer).encode()) == (how, mood)


def test_of_a_large_answer_the_status_is_found_wherever_it_is() -> None:
    large = "x" * LARGEST
    for answer in ({"statusCode": 201, "body": large}, {"body": large, "statusCode": 201}):
        assert requests.answered(HTTP, json.dumps(answer).encode()) == ("201", Mood.GOOD)
    assert requests.answered(HTTP, json.dumps(large).encode()) == ("answered", Mood.PLAIN)


def test_a_request_that_is_over_is_one_line() -> None:
    over = requests.over
    assert over("POST /a", "202", Mood.GOOD, 0.0141, None, PLAIN) == "POST /a 202 14ms"
    assert over("invoked", "", Mood.GOOD, 1.4, None, PLAIN) == "invoked 1.40s"
    raised = over("GET /", "", Mood.BAD, 0.0141, Failure("KeyError", "x"), PLAIN)
    assert raised == "GET / raised KeyError 14ms"
    late = over("GET /", "", Mood.BAD, 3.0, Failure("Sandbox.Timedout", "x"), PLAIN)
    assert late == "GET / timed out 3.00s"
    assert "\x1b[32m202" in over("POST /a", "202", Mood.GOOD, 0.0, None, Style(True))


def test_one_that_no_worker_has_had_says_why() -> None:
    said = requests.refused("GET /", Failure("SyntaxError", "bad\nworse"), PLAIN)
    assert said == "GET / failed SyntaxError: bad"


def test_what_was_not_shown_is_counted() -> None:
    assert requests.more(1037, "GET /health", "200", PLAIN) == "1,037 more GET /health 200"


def test_what_is_logged_is_shown_without_time_and_id() -> None:
    logged = b"[WARNING]\t2026-11-27T05:34:59.069Z\t9475965c-4cfa\tcareful\ta\n"
    assert requests.printed(b"one\n" + logged) == b"one\n[WARNING] careful\ta\n"
    assert requests.printed(b"[INFO]\tx\n") == b"[INFO]\tx\n"


KEYS = st.sampled_from(
    [
        *("version", "rawPath", "requestContext", "http", "method", "path", "httpMethod", "type"),
        *("routeArn", "methodArn", "Records", "eventSource", "detail-type", "source", "awslogs"),
        *("data", "statusCode", "isAuthorized", "policyDocument", "Statement", "Effect"),
        *("batchItemFailures", "connectionId", "routeKey", "triggerSource", "userPoolId"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("REQUEST"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, JSON) | JSON, JSON)
def test_whatever_comes_has_words_of_one_line(event: object, answer: object) -> None:
    asked = requests.asking(json.dumps(event).encode())
    how, _ = requests.answered(asked, json.dumps(answer).encode())
    assert asked.what
    assert "\n" not in asked.what + how
