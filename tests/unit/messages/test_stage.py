"""The dead-letter queues of a stage, by the names that users give them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.constructs import App, Job, Lambda, OnQueue, Queue
from devbridge.constructs.app import loading
from devbridge.errors import UnknownMessage
from devbridge.messages.places import places
from devbridge.messages.stage import Boxes
from devbridge.protocol.codec import job_id
from tests.unit.messages.fakes import FakeCloud, FakeSqs, url
from tests.unit.messages.test_deliveries import FAILED


@pytest.fixture
def cloud(app: App) -> FakeCloud:
    made = ("OrdersJobDeadLetters", "ThumbsJobDeadLetters", "ThreeJobDeadLetters")
    own = ("NightlyJobDeadLetters", "BadOrdersQueue", "FailedQueue", "LateQueue")
    return FakeCloud("incoming", *made, *own, "OrdersJobInbox")


@pytest.fixture
def sqs(cloud: FakeCloud) -> FakeSqs:
    return cloud.sqs


@pytest.fixture
def boxes(app: App, cloud: FakeCloud) -> Boxes:
    sqs = cloud.sqs
    titles = [inbox for place in places(app) for inbox in place.inboxes]
    known = [*sqs.queues, *titles]
    found = {title: url(title) for title in known}
    return Boxes(app, cloud, found, "ann", lambda *_: {})  # type: ignore[arg-type]


def test_all_are_counted_and_the_oldest_is_dated(boxes: Boxes, sqs: FakeSqs) -> None:
    begin = sqs.clock()
    for _ in range(3):
        sqs.add("ThumbsJobDeadLetters")
    found = {place.name: (number, oldest) for place, number, oldest in boxes.overview()}
    assert found.pop("thumbs") == (3, begin)
    assert set(found.values()) == {(0, None)}


def test_a_name_that_means_two_queues_shows_both_the_oldest_first(
    boxes: Boxes, sqs: FakeSqs
) -> None:
    one = sqs.add("BadOrdersQueue")
    two = sqs.add("OrdersJobDeadLetters")
    box = boxes.of("orders")
    assert [each.id for each in box.look(10)[0]] == [one.id, two.id]
    assert [len(box.look(1)[0]), box.look(1)[1]] == [1, True]
    assert box.count() == 2
    assert box.one(two.id[:9]).id == two.id
    with pytest.raises(UnknownMessage):
        boxes.of("bad-orders").one(two.id)


def test_messages_of_both_are_sent_back_by_their_ids(boxes: Boxes, sqs: FakeSqs) -> None:
    one = sqs.add("BadOrdersQueue", source="incoming", run="r-1")
    two = sqs.add("OrdersJobDeadLetters", run="r-2")
    sqs.add("OrdersJobDeadLetters", source="gone", run="r-3")
    box, told = boxes.of("orders"), []
    wanted = box.whole([one.id[:9], two.id[:9]])
    box.redrive(wanted, dry_run=True, told=lambda: told.append(1))
    assert box.summary(dry_run=True) == (
        "2 of 2 messages would be redriven to the own queue of orders, incoming"
    )
    box = boxes.of("orders")
    box.redrive(None, dry_run=False, told=lambda: None)
    assert (
        box.summary(dry_run=False)
        == "2 of 3 messages redriven to the own queue of orders, incoming"
    )
    assert len(told) == 2
    assert boxes.of("orders").count() == 1


def test_messages_of_both_are_deleted(boxes: Boxes, sqs: FakeSqs) -> None:
    one = sqs.add("BadOrdersQueue")
    two = sqs.add("OrdersJobDeadLetters")
    box = boxes.of("orders")
    box.purge([one.id], told=lambda: None)
    assert box.moved.ids == [one.id]
    box.purge(None, told=lambda: None)
    assert box.moved.ids == [one.id, two.id]


def test_a_message_that_its_queue_has_given_up_tells_of_its_run_where_it_is_shown(
    tmp_path: Path,
) -> None:
    (tmp_path / "job.py").write_text("def handler(payload): ...\n")
    with loading(tmp_path):
        app = App("shop")
    held = OnQueue(Queue(app, "incoming"), done="succeeded")
    Job(app, "greet", handler="job.handler", compute=Lambda(), triggers=[held])
    cloud = FakeCloud("incoming", "dead")
    sqs = cloud.sqs
    message = sqs.add("dead", source="incoming")
    uuid = job_id("shop", "ann", "greet", f"incoming/{message.id}/1")
    runs = {uuid: replace(FAILED, job_id=uuid)}
    resources = {"IncomingQueue": url("incoming"), "GreetJobDeadLetters": url("dead")}
    boxes = Boxes(app, cloud, resources, "ann", lambda *_: runs)  # type: ignore[arg-type]
    box = boxes.of("greet")
    (listed,), _ = box.look(10)
    assert listed == replace(box.one(message.id), receipt=listed.receipt, receives=listed.receives)
    assert (listed.run, listed.error) == (uuid, "ValueError: no")
    box.redrive(None, dry_run=False, told=lambda: None)
    (sent,) = sqs.queues["incoming"]
    assert sent.id != message.id, "its deliveries are other runs"


@pytest.mark.parametrize(
    "source",
    ["arn:aws:sqs:eu-west-1:999999999999:incoming", "arn:aws:lambda:eu-west-1:999:function:f"],
)
def test_what_names_anything_but_the_stages_own_stays_and_nothing_is_sent(
    boxes: Boxes, cloud: FakeCloud, source: str
) -> None:
    message = cloud.sqs.add("OrdersJobDeadLetters", run="r-1", forged=source)
    text = message.attributes["devbridge"]
    text["StringValue"] = text["StringValue"].replace('"source": ""', f'"source": "{source}"')
    for dry_run in (True, False):
        box = boxes.of("orders")
        box.redrive(None, dry_run=dry_run, told=lambda: None)
        ((kept, why),) = box.moved.kept
        assert kept == message.id
        assert "not this stage's" in why
        assert source in why
    assert not {"SendMessage", "DeleteMessage", "GetQueueUrl"} & {*cloud.sqs.calls}
