"""How a message of a run that has failed for good is sent to its dead-letter queue."""

from __future__ import annotations

import base64

from devbridge.runs.giving_up import send
from runner.dead_letters import DeadLetter
from tests.unit.messages.fakes import FakeSqs, arn


def test_a_message_goes_to_its_queue_with_its_attributes_as_they_were() -> None:
    sqs = FakeSqs("dead")
    own = {
        "text": {"DataType": "String", "StringValue": "x"},
        "bytes": {"DataType": "Binary", "BinaryValue": base64.b64encode(b"\0\xff").decode()},
    }
    send(sqs.client, DeadLetter(arn("dead"), "{}", own))
    (message,) = sqs.queues["dead"]
    assert message.body == "{}"
    assert message.attributes["text"] == own["text"]
    assert message.attributes["bytes"]["BinaryValue"] == b"\0\xff"
