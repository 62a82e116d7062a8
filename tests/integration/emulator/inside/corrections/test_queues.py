"""Redrive on the embedded cloud, delays and purges."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import Stack, arn, received, wait_for

TEXT: Final = {"kind": {"DataType": "String", "StringValue": "greeting"}}


def queue(dead: str = "", **properties: Any) -> dict[str, Any]:
    if dead:
        properties["RedrivePolicy"] = {"deadLetterTargetArn": arn(dead), "maxReceiveCount": 1}
    given = {"VisibilityTimeout": 0, **properties}
    return {"Type": "AWS::SQS::Queue", "Properties": given}


@pytest.fixture
def mail(shared_cloud: Running) -> Iterator[Stack]:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "mail")
    fifo: dict[str, Any] = {"FifoQueue": True, "ContentBasedDeduplication": True}
    resources = {
        **{"Dead": queue(), "First": queue("Dead"), "Second": queue("Dead")},
        **{"Other": queue(), "DeadLine": queue(**fifo), "Line": queue("DeadLine", **fifo)},
    }
    assert made.deploy(resources) == ("CREATE_COMPLETE", "")
    yield made
    made.delete()


def arn_of(mail: Stack, title: str) -> str:
    return f"arn:aws:sqs:us-east-1:000000000000:{mail.resource(title).rpartition('/')[2]}"


def die(mail: Stack, title: str, body: str, dead: str = "Dead", **request: Any) -> str:
    """Send a message that is received once too often; its id."""
    sqs, url = mail.client("sqs"), mail.resource(title)
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=TEXT, **request)
    before = count(mail, dead)

    def is_dead() -> bool | None:
        sqs.receive_message(QueueUrl=url)
        return True if count(mail, dead) > before else None

    wait_for(is_dead)
    return str(sent["MessageId"])


def count(mail: Stack, title: str) -> int:
    found = mail.client("sqs").get_queue_attributes(
        QueueUrl=mail.resource(title), AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def move(mail: Stack, title: str = "Dead", **request: Any) -> dict[str, Any]:
    """Start a task; what is listed of it when it is over."""
    sqs, source = mail.client("sqs"), arn_of(mail, title)
    sqs.start_message_move_task(SourceArn=source, **request)

    def over() -> dict[str, Any] | None:
        (found,) = sqs.list_message_move_tasks(SourceArn=source)["Results"]
        return None if found["Status"] == "RUNNING" else dict(found)

    return wait_for(over)


def test_dead_letters_know_their_source_and_go_back_to_it_as_new_messages(mail: Stack) -> None:
    first, second = die(mail, "First", "a"), die(mail, "Second", "b")
    seen = mail.client("sqs").receive_message(
        QueueUrl=mail.resource("Dead"), MaxNumberOfMessages=10, AttributeNames=["All"]
    )["Messages"]
    sources = {m["MessageId"]: m["Attributes"]["DeadLetterQueueSourceArn"] for m in seen}
    assert sources == {first: arn_of(mail, "First"), second: arn_of(mail, "Second")}
    task = move(mail)
    assert task["Status"] == "COMPLETED"
    assert (
        task["ApproximateNumberOfMessagesMoved"] == task["ApproximateNumberOfMessagesToMove"] == 2
    )
    assert "TaskHandle" not in task
    assert "DestinationArn" not in task
    (one,), (two,) = received(mail, "First"), received(mail, "Second")
    assert (one["Body"], two["Body"]) == ("a", "b")
    assert not {one["MessageId"], two["MessageId"]} & {first, second}
    assert one["MessageAttributes"] == TEXT
    assert one["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "DeadLetterQueueSourceArn" not in one["Attributes"]


def test_a_destination_gets_all_and_a_fifo_queue_keeps_their_groups(mail: Stack) -> None:
    die(mail, "First", "a")
    mail.client("sqs").send_message(QueueUrl=mail.resource("Dead"), MessageBody="sent here")
    task = move(mail, DestinationArn=arn_of(mail, "Other"))
    assert (task["Status"], task["DestinationArn"]) == ("COMPLETED", arn_of(mail, "Other"))
    assert {each["Body"] for each in received(mail, "Other", 2)} == {"a", "sent here"}
    die(mail, "Line", "c", "DeadLine", MessageGroupId="g")
    assert move(mail, "DeadLine")["Status"] == "COMPLETED"
    (message,) = received(mail, "Line")
    assert message["Attributes"]["MessageGroupId"] == "g"


def test_what_was_sent_to_a_dead_letter_queue_itself_has_no_way_back(mail: Stack) -> None:
    mail.client("sqs").send_message(QueueUrl=mail.resource("Dead"), MessageBody="sent here")
    task = move(mail)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert count(mail, "Dead") == 1


def test_a_task_keeps_its_rate_is_the_only_one_and_can_be_cancelled(mail: Stack) -> None:
    for body in "abc":
        die(mail, "First", body)
    sqs, source = mail.client("sqs"), arn_of(mail, "Dead")
    start = {"SourceArn": source, "MaxNumberOfMessagesPerSecond": 1}
    handle = sqs.start_message_move_task(**start)["TaskHandle"]
    with pytest.raises(ClientError, match="already a task running"):
        sqs.start_message_move_task(**start)
    wait_for(lambda: count(mail, "First") or None)
    assert sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] == 1

    def cancelled() -> bool | None:
        (found,) = sqs.list_message_move_tasks(SourceArn=source)["Results"]
        return True if found["Status"] == "CANCELLED" else None

    wait_for(cancelled)
    assert (count(mail, "First"), count(mail, "Dead")) == (1, 2)
    with pytest.raises(ClientError, match="UnsupportedOperation"):
        sqs.cancel_message_move_task(TaskHandle=handle)


def test_only_a_dead_letter_queue_can_be_moved_from(mail: Stack) -> None:
    sqs = mail.client("sqs")
    for call in (sqs.start_message_move_task, sqs.list_message_move_tasks):
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            call(SourceArn=arn_of(mail, "First"))
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            call(SourceArn="arn:aws:sqs:us-east-1:000000000000:gone")


def test_a_message_that_is_delayed_comes_later_and_a_purge_takes_all(mail: Stack) -> None:
    sqs, url = mail.client("sqs"), mail.resource("Other")
    sent = time.monotonic()
    sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=2)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"
    received(mail, "Other")
    assert time.monotonic() - sent >= 1.9
    for delay in (0, 5):
        sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=delay)
    sqs.purge_queue(QueueUrl=url)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert {attributes[f"ApproximateNumberOfMessages{kind}"] for kind in ("", "Delayed")} == {"0"}
