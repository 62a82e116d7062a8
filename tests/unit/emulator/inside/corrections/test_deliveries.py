from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import asynchronous
from devbridge.emulator.inside.corrections.deliveries import Undeliverable, to_function, to_queue
from tests.unit.emulator.inside.conftest import MakeModule


class Refused(Exception):
    message = "Message must be shorter"


def anybody(_policy: Any, _action: str) -> bool:
    return True


def nobody(_policy: Any, _action: str) -> bool:
    return False


@pytest.fixture
def sent(ministack: MakeModule, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What queues and functions got."""
    got: list[Any] = []

    def send(message: Any, url: str) -> None:
        if message["MessageBody"] == "large":
            raise Refused
        got.append((url, message))

    queue = {"url": "u", "attributes": {"Policy": "p"}}
    ministack(
        "services.sqs",
        _queue_by_arn=lambda arn: queue if arn == "q" else None,
        _act_send_message=send,
        _Err=Refused,
    )
    ministack(
        "services.lambda_svc",
        _get_func_record_for_ref=lambda arn: (
            ({"policy": "p"}, {"c": 1}, arn) if arn == "f" else (None, None, arn)
        ),
        _execution_record_for_config=lambda function, config: SimpleNamespace(config=config),
    )
    monkeypatch.setattr(asynchronous, "begin", lambda record, event: got.append(event))
    return got


def test_what_may_be_sent_is_sent(sent: list[Any]) -> None:
    to_function("f", '{"a": 1}', anybody)
    to_queue("q", "text", anybody, group="g", attributes={"CODE": "x"})
    attributes = {"CODE": {"DataType": "String", "StringValue": "x"}}
    message = {"QueueUrl": "u", "MessageBody": "text", "MessageGroupId": "g"}
    assert sent == [{"a": 1}, ("u", {**message, "MessageAttributes": attributes})]


@pytest.mark.parametrize(
    ("send", "arn", "payload", "may", "code"),
    [
        (to_function, "gone", "{}", anybody, "NO_RESOURCE"),
        (to_function, "f", "{}", nobody, "NO_PERMISSIONS"),
        (to_function, "f", "text", anybody, "INVALID_JSON"),
        (to_queue, "gone", "text", anybody, "NO_RESOURCE"),
        (to_queue, "q", "text", nobody, "NO_PERMISSIONS"),
        (to_queue, "q", "large", anybody, "SDK_CLIENT_ERROR"),
    ],
)
def test_what_cannot_be_sent_says_why(
    sent: list[Any], send: Any, arn: str, payload: str, may: Any, code: str
) -> None:
    with pytest.raises(Undeliverable) as raised:
        send(arn, payload, may)
    assert (raised.value.code, sent) == (code, [])
    assert str(raised.value)
