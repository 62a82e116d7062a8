from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from devbridge.protocol.messages import StatusReply
from stub_lambda import events, handler
from stub_lambda.events import BAD_EVENT, Refused


class Context:
    aws_request_id = "1"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {
        "DEVBRIDGE_APP": "app",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB": "factorial",
        "DEVBRIDGE_IOT_ENDPOINT": "a1-ats.iot.eu-west-1.amazonaws.com",
        "AWS_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler, "_bridge", None)
    return monkeypatch


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "not an event of devbridge"),
        ({}, "not an event of devbridge"),
        ({"devbridge": 2, "action": "run"}, "not an event of devbridge"),
        ({"devbridge": 1}, "unknown action None"),
        ({"devbridge": 1, "action": "rm"}, "unknown action 'rm'"),
        ({"devbridge": 1, "action": "run", "idempotencyKey": 5}, "idempotencyKey"),
        ({"devbridge": 1, "action": "run", "idempotencyKey": ""}, "idempotencyKey"),
        ({"devbridge": 1, "action": "run", "payload": float("nan")}, "payload is not JSON"),
        ({"devbridge": 1, "action": "run", "payload": nested(50_000)}, "nested too deeply"),
    ],
)
def test_a_bad_event_is_answered_with_what_is_wrong(event: object, message: str) -> None:
    answer = handler.handler(event, Context())
    assert answer["error"]["code"] == BAD_EVENT
    assert message in answer["error"]["message"]


def test_a_missing_variable_is_an_error_that_the_caller_sees(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.delenv("DEVBRIDGE_APP")
    answer = handler.handler({"devbridge": 1, "action": "run"}, Context())
    assert "DEVBRIDGE_APP is missing" in answer["error"]["message"]


def test_a_result_that_lambda_does_not_return_is_refused() -> None:
    zeros = b"[" + b"0," * 2_500_000 + b"0]"
    reply = StatusReply(
        request_id="r",
        job_id="j",
        job="factorial",
        state="SUCCEEDED",
        attempt=1,
        max_attempts=1,
        result=zeros,
    )
    with pytest.raises(Refused, match="put it in S3 and return the key"):
        events.answer_of(reply)


def test_it_imports_nothing_but_the_standard_library_its_two_protocols_and_its_own_rooms() -> None:
    code = (
        "import sys; before = set(sys.modules); import stub_lambda.handler\n"
        "for name in set(sys.modules) - before: print(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split()) - {"socks"}  # paho's own, where it is installed
    assert {name.split(".")[0] for name in loaded} - sys.stdlib_module_names == {
        "devbridge",
        "paho",
        "runner",
        "stub_lambda",
        "websockets",
    }
    assert {name for name in loaded if name.startswith("runner.")} == {"runner.sigv4"}
    ours = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("devbridge.")}
    assert ours == {"devbridge.errors", "devbridge.protocol", "devbridge.transport"}
    assert "asyncio" not in loaded
