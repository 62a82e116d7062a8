"""What a trigger is sent goes where real events go."""

from __future__ import annotations

import json

import pytest

from devbridge.constructs import (
    App,
    Job,
    Lambda,
    OnObject,
    OnQueue,
    OnTopic,
    Queue,
    Schedule,
    Topic,
)
from devbridge.deploy.synth.triggers.schedules import told
from devbridge.errors import CloudError, NotDeployed
from devbridge.messages import kinds
from devbridge.messages.chosen import Content, content
from devbridge.messages.sending import Sender, Sent
from devbridge.protocol.codec import job_id
from tests.unit.messages.apps import named, trigger
from tests.unit.messages.fakes import FakeCloud, url

RESOURCES = {
    "FirstQueue": url("first"),
    "InOrderQueue": url("in-order.fifo"),
    "ThumbsJobInbox": url("inbox"),
    "NightlyJobInbox": url("inbox"),
    "TasksTopic": "arn:aws:sns:eu-west-1:111122223333:tasks",
    "FilesBucket": "files-1",
    "ClicksStream": "clicks-1",
    "SpeakFunctionLogs": "/aws/lambda/speak",
}


@pytest.fixture
def there() -> FakeCloud:
    return FakeCloud("first", "in-order.fifo", "inbox")


def send(
    there: FakeCloud,
    app: App,
    job: str,
    name: str,
    given: bytes | None = None,
    *,
    live: bool = True,
) -> Sent:
    one = trigger(app, job, name)
    sender = Sender(there, named(app, job), "ann", RESOURCES, live=live)  # type: ignore[arg-type]
    return kinds.send(sender, one, content(one, None, given))


def test_a_message_goes_to_its_queue_and_its_run_is_known(there: FakeCloud, app: App) -> None:
    sent = send(there, app, "one", "first", b"[1]")
    (message,) = there.sqs.queues["first"]
    assert message.body == "[1]"
    run = job_id("shop", "ann", "one", f"first/{message.id}")
    assert sent.as_json() == {
        "kind": "queue",
        "trigger": "first",
        "what": "message",
        "to": "queue first",
        "address": url("first"),
        "id": message.id,
        "run": run,
    }
    assert send(there, app, "one", "first", live=False).run.startswith("shop_ann_one:")


@pytest.mark.parametrize(("name", "known"), [("first", True), ("second", False), ("often", True)])
def test_of_a_message_that_is_held_the_first_delivery_is_its_run(
    there: FakeCloud, app: App, name: str, known: bool
) -> None:
    job = Job(
        app,
        "held",
        handler="jobs/work.handler",
        compute=Lambda(),
        triggers=[
            OnQueue(Queue(app, "mine"), done="succeeded", name="first"),
            OnTopic(Topic(app, "theirs"), done="succeeded", name="second"),
            Schedule("rate(2 hours)", done="succeeded", name="often"),
        ],
    )
    resources = {"MineQueue": url("first"), "TheirsTopic": "t", "HeldJobInbox": url("inbox")}
    sender = Sender(there, job, "ann", resources, live=True)  # type: ignore[arg-type]
    one = trigger(app, "held", name)
    sent = kinds.send(sender, one, content(one, None, None))
    messages = [each.id for queue in there.sqs.queues.values() for each in queue]
    runs = [job_id("shop", "ann", "held", f"{name}/{each}/1") for each in messages]
    assert runs == ([sent.run] if known else [])
    assert bool(sent.run) == known


def test_a_message_has_the_attributes_that_its_filter_wants(there: FakeCloud, app: App) -> None:
    one = trigger(app, "one", "first")
    sender = Sender(there, named(app, "one"), "ann", RESOURCES, live=True)  # type: ignore[arg-type]
    kinds.send(sender, one, Content(1, attributes={"kind": "order"}))
    (message,) = there.sqs.queues["first"]
    assert message.attributes == {"kind": {"DataType": "String", "StringValue": "order"}}


def test_a_fifo_queue_gets_a_group_and_takes_the_same_twice(there: FakeCloud, app: App) -> None:
    for _ in range(2):
        send(there, app, "three", "in-order", b"[1]")
    assert len(there.sqs.queues["in-order.fifo"]) == 2


def test_a_message_goes_to_its_topic_with_what_the_filter_wants(there: FakeCloud, app: App) -> None:
    sent = send(there, app, "thumbs", "tasks", b"[1]")
    assert there.sns.published == [
        {
            "TopicArn": RESOURCES["TasksTopic"],
            "Message": "[1]",
            "MessageAttributes": {
                "kind": {"DataType": "String", "StringValue": "thumbs"},
                "size": {"DataType": "Number", "StringValue": "4"},
            },
        }
    ]
    assert (sent.to, bool(sent.run)) == ("topic tasks", True)


def test_an_object_goes_to_its_bucket_and_its_run_is_not_known(there: FakeCloud, app: App) -> None:
    sent = send(there, app, "thumbs", "files", b"abc")
    assert there.s3.objects == {f"files-1/{sent.id}": b"abc"}
    assert sent.id.startswith("in/devbridge-")
    assert sent.id.endswith(".jpg")
    assert (sent.run, sent.note) == ("", "it stays there")


def test_who_hears_of_what_is_deleted_is_told_by_deleting_it(there: FakeCloud, app: App) -> None:
    files = trigger(app, "thumbs", "files")
    assert isinstance(files, OnObject)
    sender = Sender(there, named(app, "thumbs"), "ann", RESOURCES, live=True)  # type: ignore[arg-type]
    sent = kinds.send(sender, OnObject(files.bucket, events=["deleted"]), Content("a"))
    assert there.s3.calls == ["PutObject", "DeleteObject"]
    assert sent.note == "it was deleted again"


def test_an_event_goes_to_its_bus(there: FakeCloud, app: App) -> None:
    sent = send(there, app, "thumbs", "paid")
    (entry,) = there.events.entries
    assert (entry["Source"], entry["DetailType"]) == ("shop", "devbridge trigger")
    assert json.loads(entry["Detail"])["state"] == "paid"
    assert (sent.to, bool(sent.run)) == ("bus default", True)
    assert send(there, app, "thumbs", "paid", b'{"state": "new"}').run == ""


def test_an_event_that_only_aws_sends_is_put_where_its_rule_puts_it(
    there: FakeCloud, app: App
) -> None:
    sent = send(there, app, "thumbs", "scaled")
    (message,) = there.sqs.queues["inbox"]
    body = json.loads(message.body)
    assert body["devbridge"] == {"kind": "event", "name": "scaled"}
    assert (body["event"]["source"], body["event"]["region"]) == ("aws.autoscaling", "us-west-2")
    assert sent.run == job_id("shop", "ann", "thumbs", f"scaled/{body['event']['id']}")
    assert there.events.entries == []


def test_what_a_schedule_sends_is_put_where_scheduler_puts_it(there: FakeCloud, app: App) -> None:
    often = trigger(app, "nightly", "often")
    assert isinstance(often, Schedule)
    sent = send(there, app, "nightly", "often")
    (message,) = there.sqs.queues["inbox"]
    body, like = json.loads(message.body), json.loads(told(often))
    assert body["devbridge"] == {
        "kind": "schedule",
        "name": "often",
        "id": sent.id,
        "alone": False,
    }
    assert body["payload"] == {"full": True}
    assert list(body) == list(like)
    for key in ("devbridge", "event"):
        assert body[key].keys() == like[key].keys()
    assert sent.run == job_id("shop", "ann", "nightly", f"often/{sent.id}")


def test_an_event_that_is_not_taken_is_an_error(there: FakeCloud, app: App) -> None:
    there.events.failure = {"ErrorCode": "Throttled", "ErrorMessage": "too many"}
    with pytest.raises(CloudError, match="does not take the event: too many"):
        send(there, app, "thumbs", "paid")


def test_what_is_not_deployed_yet_is_told(there: FakeCloud, app: App) -> None:
    with pytest.raises(NotDeployed, match="IncomingQueue"):
        send(there, app, "orders", "incoming")


def test_a_record_goes_to_its_stream_and_its_run_is_known(there: FakeCloud, unqueued: App) -> None:
    sent = send(there, unqueued, "seen", "clicks")
    (record,) = there.kinesis.records
    assert (record["StreamName"], json.loads(record["Data"])["kind"]) == ("clicks-1", "click")
    assert sent.to == "stream clicks"
    assert sent.run == job_id("shop", "ann", "seen", "clicks/shardId-000000000000:1")
    assert send(there, unqueued, "seen", "clicks", b"text").run == ""
    assert there.kinesis.records[1]["Data"] == b"text"
    assert send(there, unqueued, "seen", "together").run == ""


def test_a_line_goes_to_the_log_that_is_listened_to(there: FakeCloud, unqueued: App) -> None:
    for _ in range(2):
        sent = send(there, unqueued, "seen", "speak")
    lines = there.logs.streams["/aws/lambda/speak:devbridge-trigger"]
    assert lines == ["ERROR an example of devbridge trigger"] * 2
    assert (sent.to, sent.run, sent.id) == ("the log of speak", "", "devbridge-trigger")
    send(there, unqueued, "seen", "speak", b"a line of my own\n")
    assert lines[2] == "a line of my own\n"


def test_a_job_of_this_machine_has_no_log_in_the_cloud(there: FakeCloud, unqueued: App) -> None:
    with pytest.raises(NotDeployed, match="Job 'old' has no log group at stage 'ann'"):
        send(there, unqueued, "seen", "old")
