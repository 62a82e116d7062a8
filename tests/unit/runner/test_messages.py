"""What a message says of the run that it starts; `tests/unit/stub_lambda/test_sources.py` has all
kinds of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.messages import Listening, Read, group, of_text, read_message, together
from runner.triggered import triggered

HELD = "arn:aws:sqs:eu-west-1:1:held.fifo"
OTHER = "arn:aws:sqs:eu-west-1:1:other"
LISTENING = Listening(dead="arn:dead", sources={HELD: {"name": "lines", "held": True}})


def message(arn: str, body: str = '{"a": 1}', count: int = 1, **attributes: str) -> dict[str, Any]:
    return {
        "messageId": "m",
        "body": body,
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "receiptHandle": "r",
        "attributes": {"ApproximateReceiveCount": str(count), **attributes},
    }


def test_each_delivery_of_a_message_that_is_held_is_a_run() -> None:
    first, second = (read_message(message(HELD, count=number), LISTENING) for number in (1, 2))
    assert (first.run_key, second.run_key) == ("lines/m/1", "lines/m/2")
    assert (first.delivery, second.delivery) == (1, 2)
    assert (first.payload, first.dead, first.source) == (b'{"a": 1}', "arn:dead", HELD)


def test_a_message_that_is_deleted_at_its_start_is_one_run_however_often_it_comes() -> None:
    keys = {read_message(message(OTHER, count=number), LISTENING).run_key for number in (1, 2)}
    assert keys == {"other/m"}


def test_what_was_redriven_is_held_by_its_new_message() -> None:
    sent = message(HELD)
    sent["messageAttributes"] = {"devbridge": {"stringValue": json.dumps({"redriven": "run"})}}
    assert read_message(sent, LISTENING).run_key == "lines/m/1"
    sent["eventSourceARN"] = OTHER
    assert read_message(sent, LISTENING).run_key == "other/redriven/run"


def test_several_are_one_run_of_the_latest_delivery() -> None:
    read = [
        Read("a", "a/1", b"1", "queue", "q", delivery=1),
        Read("b", "b/3", b"2", "queue", "q", delivery=3),
    ]
    whole = together(read)
    assert (whole.payload, whole.delivery) == (b"[1,2]", 3)
    assert together(read[::-1]).key == whole.key


def test_it_is_carried_with_its_delivery() -> None:
    sent = message(HELD, count=4)
    found = triggered(read_message(sent, LISTENING).wrapped(sent))
    assert found is not None
    assert (found.delivery, json.loads(found.event)) == (4, sent)


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("[1.10]", b"[1.10]"),
        (' \r\n{"a": 1}\t\n', b'{"a": 1}'),
        ("hello\n", b'"hello\\n"'),
        ("NaN", b'"NaN"'),
        ("", b'""'),
    ],
)
def test_a_body_is_its_json_or_its_text(text: str, payload: bytes) -> None:
    assert of_text(text) == payload
    sent = message(OTHER, text)
    found = triggered(read_message(sent, LISTENING).wrapped(sent))
    assert found is not None
    assert found.payload == payload


def test_only_messages_of_fifo_queues_have_a_group() -> None:
    assert group(message(HELD, MessageGroupId="g")) == "g"
    assert group(message(OTHER)) == ""
