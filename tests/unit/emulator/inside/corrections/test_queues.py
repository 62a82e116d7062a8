from __future__ import annotations

from threading import Event, Lock
from typing import Any

import pytest

from devbridge.emulator.inside.corrections.queues import (
    dead_letters_of,
    keep_and_redrive,
    renewed,
)
from tests.unit.emulator.inside.conftest import MakeModule


def test_what_is_moved_back_is_new_and_says_the_same() -> None:
    dead = {
        "id": "old",
        "body": "text",
        "message_attributes": {"a": 1},
        "group_id": "g",
        "receive_count": 3,
        "receipt_handle": "h",
        "first_receive_at": 5.0,
        "sent_at": 1.0,
        "visible_at": 2.0,
        "enqueued_at": 3.0,
        "moved_at": 4.0,
        "sys": {"SenderId": "s", "SentTimestamp": "1", "DeadLetterQueueSourceArn": "arn"},
    }
    moved = renewed(dead, 10.0, "7")
    assert moved.pop("id") != "old"
    assert moved == {
        "body": "text",
        "message_attributes": {"a": 1},
        "group_id": "g",
        "receive_count": 0,
        "receipt_handle": None,
        "first_receive_at": None,
        "sent_at": 10.0,
        "visible_at": 10.0,
        "sys": {"SenderId": "s", "SentTimestamp": "10000"},
        "seq": "7",
    }


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (None, ("", 0)),
        ('{"deadLetterTargetArn":"arn","maxReceiveCount":"3"}', ("arn", 3)),
        ('{"deadLetterTargetArn":"arn"}', ("", 0)),
        ('"text"', ("", 0)),
        ("no json", ("", 0)),
    ],
)
def test_a_redrive_policy_is_read(policy: str | None, found: Any) -> None:
    assert dead_letters_of({"attributes": {"RedrivePolicy": policy}}) == found


def message(handle: str, sent: float = 1e12, **more: Any) -> dict[str, Any]:
    return {"id": handle, "receipt_handle": handle, "sent_at": sent, "visible_at": 0.0, **more}


@pytest.fixture
def sqs(ministack: MakeModule) -> Any:
    """ministack's, with one queue, its dead-letter queue, and this correction."""
    policy = '{"deadLetterTargetArn":"dead","maxReceiveCount":2}'
    attributes = {"QueueArn": "own", "RedrivePolicy": policy, "MessageRetentionPeriod": "60"}
    made = ministack("services.sqs", reset=lambda: None, _HANDLERS={}, _queues_lock=Lock())
    made.esm_wake, made.dead = Event(), {"messages": [], "attributes": {}}
    made.queue = {"messages": [], "attributes": attributes}
    made._get_q = lambda *_: made.queue
    made._queue_by_arn = lambda arn: made.dead if arn == "dead" else None
    made._validate_batch_entries = lambda *_: None
    keep_and_redrive()
    return made


def test_what_is_sent_while_another_goes_stays_in_the_same_list(sqs: Any) -> None:
    sent = sqs.queue["messages"]
    sent += [message(name) for name in "abcd"] + [message("old", 1.0)]
    sent += [message("dead", receive_count=2), message("kept", receive_count=1)]
    sqs._HANDLERS["DeleteMessage"]({"ReceiptHandle": "a"}, "url")
    entries = [{"Id": "1", "ReceiptHandle": "b"}, {"Id": "2", "ReceiptHandle": "x"}]
    answer = sqs._HANDLERS["DeleteMessageBatch"]({"Entries": entries}, "url")
    assert [each["Id"] for each in answer["Successful"]] == ["1"]
    assert [each["Id"] for each in answer["Failed"]] == ["2"]
    sqs._delete_messages_for_esm("url", {"c"})
    sqs._expire_retained(sqs.queue)
    sqs._dlq_sweep(sqs.queue)
    assert sqs.queue["messages"] is sent
    assert [each["id"] for each in sent] == ["d", "kept"]
    (dead,) = sqs.dead["messages"]
    assert dead["sys"] == {"DeadLetterQueueSourceArn": "own"}
    assert (dead["id"], dead["receipt_handle"], sqs.esm_wake.is_set()) == ("dead", None, True)
