"""The runs of messages that SQS has moved from queues that hold them until their run succeeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import (
    App,
    Bucket,
    Job,
    Lambda,
    OnObject,
    OnQueue,
    OnTopic,
    Queue,
    Topic,
)
from devbridge.constructs.app import loading
from devbridge.messages.deliveries import Deliveries, holding
from devbridge.messages.letters import Letter, letter
from devbridge.protocol.codec import job_id
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State
from runner.outcome import Failure
from tests.unit.messages.fakes import FakeSqs, arn, url

TOPIC = "arn:aws:sns:eu-west-1:111122223333:news-1"
RESOURCES = {
    "GreetingJobInbox": url("inbox"),
    "IncomingQueue": url("incoming"),
    "ManyQueue": url("many"),
    "NewsTopic": TOPIC,
}
FAILED = RunRecord(
    job_id="",
    job="greeting",
    state=State.FAILED,
    created_at=1.0,
    started_at=1.0,
    ended_at=2.0,
    closed=True,
    attempt=3,
    max_attempts=3,
    exit=None,
    result=None,
    failure=Failure("ValueError", "no"),
    log="",
)


class Desk:
    """A stage whose jobs hold messages, its runs and its queues."""

    def __init__(self, root: Path) -> None:
        (root / "job.py").write_text("def handler(payload): ...\n")
        with loading(root):
            self.app = App("demo")
        options: Any = {"handler": "job.handler", "compute": Lambda(), "retries": 2}
        Job(
            self.app,
            "greeting",
            triggers=[
                OnQueue(Queue(self.app, "incoming"), done="succeeded", name="asked"),
                OnTopic(Topic(self.app, "news"), done="succeeded", name="told"),
                OnObject(Bucket(self.app, "files"), done="succeeded"),
            ],
            **options,
        )
        many = OnQueue(Queue(self.app, "many"), batch=5, done="succeeded")
        Job(self.app, "sums", triggers=[many, OnQueue(Queue(self.app, "others"))], **options)
        self.sqs = FakeSqs("incoming", "inbox", "many", "others")
        self.sqs.redrive = {"inbox": 3, "incoming": 3, "many": 3}
        self.runs: dict[str, RunRecord] = {}
        self.asked: list[str] = []

    def ran(self, key: str, run: RunRecord = FAILED, prefix: str = "") -> str:
        """A delivery of a message was run, which that key names."""
        uuid = job_id("demo", "ann", "greeting", key)
        self.runs[uuid] = replace(run, job_id=prefix + uuid)
        return prefix + uuid

    def told(self, *letters: Letter, resources: Mapping[str, str] = RESOURCES) -> list[Letter]:
        queues = holding(self.app, resources, "ann")
        return Deliveries(self.app, "ann", self.sqs.client, queues, self._known).told(letters)

    def _known(self, job: str, uuids: Sequence[str]) -> dict[str, RunRecord]:
        self.asked.append(job)
        return {uuid: self.runs[uuid] for uuid in uuids if uuid in self.runs}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def moved(queue: str, body: str = "{}", number: str = "m-1", **told: Any) -> Letter:
    """A message that SQS has moved."""
    text = {"StringValue": json.dumps(told), "DataType": "String"}
    return letter(
        {
            "MessageId": number,
            "ReceiptHandle": "r",
            "Body": body,
            "MessageAttributes": {"devbridge": text} if told else {},
            "Attributes": {
                "SentTimestamp": "1800000000500",
                "ApproximateReceiveCount": "9",
                "DeadLetterQueueSourceArn": arn(queue),
            },
        }
    )


def news(text: str) -> str:
    return json.dumps(
        {"Type": "Notification", "TopicArn": TOPIC, "MessageId": "s-1", "Message": text}
    )


@pytest.mark.parametrize("project", ["", "demo_ann_greeting:"])
@pytest.mark.parametrize(
    ("sent", "trigger"),
    [(moved("incoming"), "queue asked"), (moved("inbox", news("{}")), "topic told")],
)
def test_it_tells_of_its_last_run_live_and_deployed(
    desk: Desk, sent: Letter, trigger: str, project: str
) -> None:
    name = trigger.partition(" ")[2]
    desk.ran(f"{name}/m-1/2")
    last = desk.ran(f"{name}/m-1/3", prefix=project)
    (found,) = desk.told(sent)
    assert (found.run, found.error, found.attempt) == (last, "ValueError: no", 3)
    assert (found.trigger, found.source, found.id) == (trigger, sent.source, "m-1")


def test_a_delivery_that_was_used_up_without_a_run_is_passed_over(desk: Desk) -> None:
    first = desk.ran("asked/m-1/1", replace(FAILED, attempt=1, state=State.CRASHED, failure=None))
    (found,) = desk.told(moved("incoming"))
    assert (found.run, found.error, found.attempt) == (first, "CRASHED", 1)


def test_one_that_was_never_run_says_so(desk: Desk) -> None:
    desk.ran("asked/m-2/1")
    garbage, asked, notification = desk.told(
        moved("inbox", '{"devbridge": {"kind": "object", "name": "files"}, "event": {}}'),
        moved("incoming"),
        moved("inbox", news("1")),
    )
    for found in (garbage, asked, notification):
        assert (found.run, found.attempt) == ("", None)
        assert found.error == "never started: no run is known of its 3 deliveries"
    assert [found.trigger for found in (garbage, asked, notification)] == [
        "object files",
        "queue asked",
        "topic told",
    ]


def test_a_batch_says_where_its_runs_are(desk: Desk) -> None:
    (found,) = desk.told(moved("many"))
    assert found.error == "its runs had more messages: devbridge jobs --job sums"
    assert (found.run, found.trigger, desk.asked) == ("", "queue many", [])


def test_what_says_itself_why_it_is_here_is_left_as_it_is(desk: Desk) -> None:
    desk.ran("others/m-1/3")
    letters = [
        moved("incoming", run="r-1", error="PayloadInvalid: no"),
        moved("others"),
        moved("gone"),
    ]
    assert desk.told(*letters) == letters
    assert desk.asked == []


def test_one_that_was_sent_back_before_keeps_its_key(desk: Desk) -> None:
    desk.ran("asked/m-1/3")
    (found,) = desk.told(sent := moved("incoming", redriven="r-0/1"))
    assert found.redriven == "r-0/1"
    assert sent.key == "r-0/1"


def test_all_are_asked_for_at_once_and_each_queue_once(desk: Desk) -> None:
    desk.ran("asked/m-2/3")
    letters = [moved("incoming", number=f"m-{number}") for number in range(4)]
    assert [bool(each.run) for each in desk.told(*letters)] == [False, False, True, False]
    assert desk.asked == ["greeting"]
    assert desk.sqs.calls == ["GetQueueAttributes"]


def test_without_a_policy_the_jobs_retries_say_how_often_it_was_delivered(desk: Desk) -> None:
    desk.sqs.redrive = {}
    last = desk.ran("asked/m-1/3")
    assert desk.told(moved("incoming"))[0].run == last


def test_what_is_not_deployed_yet_has_no_messages(desk: Desk) -> None:
    known = {"IncomingQueue": url("incoming")}
    last = desk.ran("asked/m-1/3")
    found, other = desk.told(moved("incoming"), sent := moved("inbox"), resources=known)
    assert (found.run, other) == (last, sent)
