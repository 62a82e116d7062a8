from __future__ import annotations

import json
import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from awslambdaric.lambda_runtime_exception import FaultException

from devbridge.protocol import codec
from devbridge.protocol.codec import MAX_BODY
from devbridge.protocol.messages import Invoke, Raised, Responded
from devbridge.transport.base import Endpoint
from runner import aws
from stub_lambda import function as module
from stub_lambda.calling import Absent, Broken, Lost, Outcome, Why
from stub_lambda.function import GONE, OFFLINE, SLACK, answered
from stub_lambda.settings import OFFLINE_CLOUD, OFFLINE_ERROR, FunctionSettings

SETTINGS = FunctionSettings(
    app="demo",
    stage="ann",
    endpoint=Endpoint("iot.example", "eu-west-1"),
    offline=OFFLINE_CLOUD,
    function="api",
    bucket="assets",
    timeout=20.0,
    copy="demo_ann_api-cp",
)
NOISE = random.Random(1).randbytes(400_000).hex()  # noqa: S311


class Context:
    """Lambda's."""

    aws_request_id = codec.new_id()
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:demo_ann_api-fn"
    client_context: Any = None
    identity: Any = None
    left = 30.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left * 1000)


class Caller:
    """Stands for `Caller`: every call has this outcome."""

    stub_id = codec.new_id()

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.calls: list[Invoke] = []
        self.waits: list[float] = []

    def call(self, invoke: Invoke, wait: float) -> Outcome:
        self.calls.append(invoke)
        self.waits.append(wait)
        return self.outcome


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    monkeypatch.setattr(aws, "put_object", lambda bucket, key, body: found.update({key: body}))
    monkeypatch.setattr(aws, "get_object", lambda bucket, key: found[key])
    monkeypatch.setattr(aws, "delete_object", lambda bucket, key: found.pop(key))
    return found


def responded(body: bytes | None = b"120", key: str | None = None) -> Responded:
    return Responded(request_id=codec.new_id(), body=body, body_key=key)


def answer_to(
    event: Any, outcome: Outcome, context: Context | None = None, **changes: Any
) -> tuple[Any, Caller]:
    caller = Caller(outcome)
    settings = replace(SETTINGS, **changes)
    return answered(caller, settings, event, context or Context()), caller  # type: ignore[arg-type]


def error_of(outcome: Outcome, **changes: Any) -> FaultException:
    with pytest.raises(FaultException) as raised:
        answer_to({}, outcome, **changes)
    return raised.value


@pytest.mark.parametrize("value", [None, 0, "", [], {"statusCode": 200, "body": "ü\ud800"}])
def test_what_the_function_returns_is_the_answer(value: object) -> None:
    assert answer_to({}, responded(codec.dump_json(value)))[0] == value


def test_the_call_has_what_lambda_tells_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2-3")
    context = Context()
    client = SimpleNamespace(__slots__=["app_title"], app_title="Tü")
    context.client_context = SimpleNamespace(client=client, custom={"a": "b"}, env={})
    context.identity = SimpleNamespace(cognito_identity_id="i", cognito_identity_pool_id="p")
    _, caller = answer_to({"a": [1]}, responded(), context)
    (call,) = caller.calls
    assert call.event == b'{"a":[1]}'
    assert (call.function, call.trace_id) == ("api", "Root=1-2-3")
    assert call.aws_request_id == Context.aws_request_id
    assert call.function_arn == Context.invoked_function_arn
    assert call.client_context is not None
    assert call.client_context.isascii()
    told = json.loads(call.client_context)
    assert told == {"client": {"app_title": "Tü"}, "custom": {"a": "b"}, "env": {}}
    assert call.identity is not None
    assert json.loads(call.identity) == {"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}


def test_who_has_no_client_context_and_no_identity_tells_of_none() -> None:
    (call,) = answer_to({}, responded())[1].calls
    assert (call.client_context, call.identity) == (None, None)
    context = Context()
    context.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
    assert answer_to({}, responded(), context)[1].calls[0].identity is None


@pytest.mark.parametrize(("left", "wait"), [(30.0, 20.0 + SLACK), (10.0, 9.5)])
def test_it_waits_as_long_as_the_function_may_take_and_as_lambda_lets_it(
    left: float, wait: float
) -> None:
    context = Context()
    context.left = left
    _, caller = answer_to({}, responded(), context)
    assert caller.waits == [wait]
    assert caller.calls[0].remaining == wait * 1000


def test_an_event_that_is_too_large_for_the_wire_is_in_the_bucket_meanwhile(
    objects: dict[str, bytes],
) -> None:
    seen: dict[str, bytes] = {}

    class Looks(Caller):
        def call(self, invoke: Invoke, wait: float) -> Outcome:
            seen.update(objects)
            return super().call(invoke, wait)

    caller = Looks(responded())
    answered(caller, SETTINGS, {"body": NOISE}, Context())  # type: ignore[arg-type]
    (call,) = caller.calls
    assert call.event is None
    assert call.event_key == f"calls/demo/ann/{call.request_id}/event"
    assert json.loads(seen[call.event_key]) == {"body": NOISE}
    assert objects == {}, "and gone when it was answered"


def test_a_large_event_that_is_small_when_compressed_goes_over_the_wire() -> None:
    (call,) = answer_to({"body": "a" * 1_000_000}, responded())[1].calls
    assert call.event_key is None


def test_an_event_that_has_become_larger_than_a_message_may_be_is_in_the_bucket(
    objects: dict[str, bytes],
) -> None:
    """Lambda's own limit is of the text that came, and this is written anew."""
    (call,) = answer_to({"body": "a" * MAX_BODY}, responded())[1].calls
    assert call.event_key
    assert objects == {}


def test_a_large_answer_is_fetched_and_deleted(objects: dict[str, bytes]) -> None:
    objects["calls/demo/ann/x/answer"] = b'["large"]'
    assert answer_to({}, responded(None, "calls/demo/ann/x/answer"))[0] == ["large"]
    assert objects == {}


def test_what_cannot_be_deleted_takes_no_answer_away(
    objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_bucket: str, _key: str) -> None:
        raise aws.Unavailable("SlowDown")

    monkeypatch.setattr(aws, "delete_object", refuse)
    objects["calls/demo/ann/x/answer"] = b'["large"]'
    assert answer_to({"body": NOISE}, responded(None, "calls/demo/ann/x/answer"))[0] == ["large"]


def test_what_the_function_raises_is_raised() -> None:
    document = {"errorType": "ValueError", "errorMessage": "no", "stackTrace": ["  File a"]}
    error = error_of(Raised(request_id=codec.new_id(), error=json.dumps(document).encode()))
    assert (error.exception_type, error.msg, error.trace) == ("ValueError", "no", ["  File a"])


def test_when_nobody_is_at_home_the_deployed_code_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def copy(*given: object) -> str:
        asked.extend(given)
        return "from the cloud"

    monkeypatch.setattr(module, "call_copy", copy)
    for why in Why:
        assert answer_to({"a": 1}, Absent(why))[0] == "from the cloud"
        assert asked == ["demo_ann_api-cp", b'{"a":1}', None, 30.0]
        asked.clear()


@pytest.mark.parametrize("changes", [{"offline": OFFLINE_ERROR}, {"copy": ""}])
def test_or_the_call_fails_and_says_who_was_expected_where(changes: dict[str, str]) -> None:
    error = error_of(Absent(Why.OFFLINE, "devbridge of ann@laptop"), **changes)
    assert error.exception_type == OFFLINE
    assert error.msg == (
        "devbridge of ann@laptop is not running for demo (stage ann): start `devbridge dev` there"
    )


def test_what_has_begun_here_never_runs_in_the_cloud_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "call_copy", lambda *_: pytest.fail("it would run twice"))
    for why in Broken:
        error = error_of(Lost(why, "devbridge of ann@laptop"))
        assert error.exception_type == GONE
        assert "ann@laptop" in error.msg


def test_the_handler_keeps_its_connection_for_the_same_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = {
        "APP": "demo",
        "STAGE": "ann",
        "FUNCTION_NAME": "api",
        "IOT_ENDPOINT": "iot.example",
        "BUCKET": "assets",
        "TIMEOUT": "20",
        "OFFLINE": "cloud",
        "COPY": "demo_ann_api-cp",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"DEVBRIDGE_{name}", value)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    seen: list[tuple[object, FunctionSettings]] = []
    monkeypatch.setattr(module, "_caller", None)
    monkeypatch.setattr(module, "answered", lambda caller, found, *_: seen.append((caller, found)))
    for offline in ("cloud", "cloud", "error"):
        monkeypatch.setenv("DEVBRIDGE_OFFLINE", offline)
        module.handler({}, Context())
    (first, one), (second, _), (third, other) = seen
    assert first is second
    assert first is not third
    assert (one, other) == (SETTINGS, replace(SETTINGS, offline=OFFLINE_ERROR))
