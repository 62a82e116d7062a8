"""The build's Runtime API, asked by the runner's own client and by hand."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from runner.client import VERSION, RuntimeApiGone, RuntimeClient
from runner.invocation import MAX_BODY, RESULT_TOO_LARGE, Invocation
from runner.outcome import MAX_CHECKPOINT, Failure
from runner.runtime_api import (
    STOPPING,
    Event,
    InitFailed,
    Lingers,
    Raised,
    Reached,
    Responded,
    RuntimeApi,
    Started,
    Stopped,
)

INVOCATION = Invocation("p:1", b'{"num":5}', 0.0, "arn:p", {"attempt": "2"})


@pytest.fixture(scope="module")
def api() -> RuntimeApi:
    return RuntimeApi()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def address(api: RuntimeApi, told: list[Event]) -> str:
    return api.expect(INVOCATION, 60.0, told.append)


@pytest.fixture
def client(address: str) -> Iterator[RuntimeClient]:
    one = RuntimeClient(address)
    yield one
    one.close()


def ask(
    address: str, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    host, _, token = address.partition("/")
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request(method, f"/{token}/{VERSION}{path}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_worker_gets_its_payload_and_the_deadline_begins(
    client: RuntimeClient, told: list[Event]
) -> None:
    before = time.time()
    headers, payload = client.next()
    assert payload == b'{"num":5}'
    (started,) = told
    assert isinstance(started, Started)
    assert before <= started.at <= time.time()
    assert int(headers["lambda-runtime-deadline-ms"]) == int((started.at + 60) * 1000)
    assert headers["lambda-runtime-aws-request-id"] == "p:1"
    assert headers["content-type"] == "application/json"
    context = json.loads(headers["lambda-runtime-client-context"])
    assert context["custom"] == {"attempt": "2"}


def test_its_result_is_told(client: RuntimeClient, told: list[Event]) -> None:
    client.next()
    assert client.respond("p:1", b"120") == 202
    assert told[1:] == [Responded(b"120")]


def test_its_error_is_told(client: RuntimeClient, told: list[Event]) -> None:
    client.next()
    assert client.fail("p:1", {"errorType": "E", "errorMessage": "m", "trace": ["t"]}) == 202
    assert told[1:] == [Raised(Failure("E", "m", trace=("t",)))]


def test_a_handler_that_cannot_be_loaded_is_told(client: RuntimeClient, told: list[Event]) -> None:
    assert client.fail_init({"errorType": "E", "errorMessage": "m"}) == 202
    assert told == [InitFailed(Failure("E", "m"))]


def test_what_it_waits_for_after_its_answer_is_told(
    client: RuntimeClient, told: list[Event]
) -> None:
    client.next()
    client.respond("p:1", b"1")
    assert client.report_lingering(["its thread 'a'"]) == 202
    assert told[2:] == [Lingers(("its thread 'a'",))]


def test_there_is_one_invocation_and_one_answer(client: RuntimeClient, told: list[Event]) -> None:
    assert client.respond("p:1", b"1") == 404, "before it was given one"
    client.next()
    with pytest.raises(RuntimeApiGone, match="answered 403"):
        client.next()
    assert client.respond("p:2", b"1") == 404, "of another run"
    assert client.respond("p:1", b"1") == 202
    assert client.respond("p:1", b"2") == 404
    assert client.fail("p:1", {"errorType": "E"}) == 404
    assert told[1:] == [Responded(b"1")]


def test_a_result_that_is_too_large_is_an_error_whether_it_is_read_or_not(
    client: RuntimeClient, told: list[Event]
) -> None:
    client.next()
    assert client.respond("p:1", bytes(MAX_BODY + 1)) == 413
    assert told[1:] == [Raised(RESULT_TOO_LARGE)]
    assert client.report_modules({}) == 404, "the connection is as good as before"


def test_a_result_of_the_largest_size_is_taken(client: RuntimeClient, told: list[Event]) -> None:
    client.next()
    assert client.respond("p:1", bytes(MAX_BODY)) == 202
    assert told[1:] == [Responded(bytes(MAX_BODY))]


def test_the_answer_to_a_checkpoint_says_that_the_worker_was_sent_sigterm(
    api: RuntimeApi, client: RuntimeClient, told: list[Event]
) -> None:
    client.next()
    assert client.keep_checkpoint(b"1") == 202
    api.interrupt()
    assert client.keep_checkpoint(b"2") == STOPPING
    assert told[1:] == [Reached(b"1"), Reached(b"2")]


def test_a_checkpoint_is_told_while_the_invocation_runs(
    client: RuntimeClient, told: list[Event]
) -> None:
    assert client.keep_checkpoint(b"1") == 403, "before it was given one"
    client.next()
    assert client.keep_checkpoint(b'{"n": 2}') == 202
    assert client.keep_checkpoint(bytes(MAX_CHECKPOINT)) == 202
    assert client.keep_checkpoint(bytes(MAX_CHECKPOINT + 1)) == 413
    assert client.checkpoint() is None, "it is the attempt's own, which began without one"
    client.respond("p:1", b"1")
    assert client.keep_checkpoint(b"3") == 403
    assert told[1:] == [Reached(b'{"n": 2}'), Reached(bytes(MAX_CHECKPOINT)), Responded(b"1")]


def test_where_it_begins_can_be_asked_for(api: RuntimeApi, told: list[Event]) -> None:
    began = replace(INVOCATION, checkpoint=b'{"n": 1}', stop_at=1800000000.25)
    client = RuntimeClient(api.expect(began, 60.0, told.append))
    assert client.checkpoint() is None
    headers, _ = client.next()
    custom = json.loads(headers["lambda-runtime-client-context"])["custom"]
    assert custom == {"attempt": "2", "checkpoint": "1", "stop_at": "1800000000.25"}
    assert client.checkpoint() == b'{"n": 1}'
    client.respond("p:1", b"1")
    assert client.checkpoint() is None
    client.close()


def test_null_is_no_checkpoint(api: RuntimeApi, told: list[Event]) -> None:
    client = RuntimeClient(api.expect(replace(INVOCATION, checkpoint=b"null"), 60.0, told.append))
    headers, _ = client.next()
    assert "checkpoint" not in headers["lambda-runtime-client-context"]
    assert client.checkpoint() is None
    client.close()


def test_that_it_was_interrupted_is_its_answer(client: RuntimeClient, told: list[Event]) -> None:
    assert client.interrupted() == 404, "before it was given one"
    client.next()
    assert client.interrupted() == 202
    assert client.interrupted() == 404
    assert client.respond("p:1", b"1") == 404
    assert told[1:] == [Stopped()]


def test_what_only_the_laptop_is_told_is_not_there(client: RuntimeClient) -> None:
    assert client.report_modules({"userFiles": []}) == 404
    assert client.report_lookup("NAME") == 404
    client.report_modules_and_next({"userFiles": []})


def test_whoever_has_not_the_token_is_refused(
    api: RuntimeApi, address: str, told: list[Event]
) -> None:
    host, _, token = address.partition("/")
    for stranger in (f"{host}/x", f"{host}/", f"{host}/{token}x", f"{host}/%C3%BC"):
        assert ask(stranger, "GET", "/runtime/invocation/next")[0] == 403
        assert ask(stranger, "POST", "/runtime/init/error", b"{}")[0] == 403
    assert ask(address, "GET", "/elsewhere")[0] == 404
    api.expect(INVOCATION, 60.0, print)
    assert ask(address, "GET", "/runtime/invocation/next")[0] == 403, "the next worker's time"
    assert told == []


def test_tokens_are_not_to_be_guessed(api: RuntimeApi) -> None:
    tokens = {api.expect(INVOCATION, 60.0, print).partition("/")[2] for _ in range(3)}
    assert len(tokens) == 3
    assert min(map(len, tokens)) > 40


def test_nothing_of_it_is_printed(
    client: RuntimeClient, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    client.next()
    ask(f"{address}x", "GET", "/runtime/invocation/next")
    assert capfd.readouterr() == ("", "")
