from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.corrections.queues import dead_letters_of, renewed


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
