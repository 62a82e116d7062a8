"""Looking at dead letters, sending them back, deleting them: nothing is lost, whatever happens."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from devbridge.messages.mover import (
    HIDDEN,
    Moved,
    Reader,
    Route,
    count,
    look,
    purge,
    redrive,
    router,
)
from tests.unit.aws import Refused
from tests.unit.messages.fakes import FakeSqs, url


@pytest.fixture
def sqs() -> FakeSqs:
    return FakeSqs("dead", "dead.fifo", "incoming", "incoming.fifo", "inbox")


def visible(sqs: FakeSqs, queue: str = "dead") -> int:
    return sum(each.visible_at <= sqs.clock() for each in sqs.queues[queue])


def test_all_messages_are_seen_once_and_are_there_for_others_at_once(sqs: FakeSqs) -> None:
    ids = [sqs.add("dead", source="incoming").id for _ in range(25)]
    found = look(sqs.client, url("dead"), 100)
    assert [each.id for each in found.letters] == ids
    assert not found.more
    assert visible(sqs) == 25
    assert {each.receives for each in sqs.queues["dead"]} == {1}


def test_a_bound_is_kept_and_it_is_said_that_there_are_more(sqs: FakeSqs) -> None:
    for _ in range(25):
        sqs.add("dead")
    found = look(sqs.client, url("dead"), 12)
    assert (len(found.letters), found.more) == (12, True)
    assert visible(sqs) == 25


def test_of_a_fifo_queue_it_is_said_that_there_may_be_more(sqs: FakeSqs) -> None:
    for _ in range(25):
        sqs.add("dead.fifo")
    found = look(sqs.client, url("dead.fifo"), 100)
    assert (len(found.letters), found.more) == (10, True)


def test_it_ends_when_those_come_again_that_were_seen(sqs: FakeSqs) -> None:
    ids = [sqs.add("dead").id for _ in range(3)]
    with Reader(sqs.client, url("dead")) as reader:
        seen = []
        for each in reader:
            seen.append(each.id)
            sqs.clock.advance(HIDDEN)
    assert seen == ids


def test_a_run_whose_message_was_sent_twice_is_there_once_and_goes_as_one(sqs: FakeSqs) -> None:
    first, other, again = (
        sqs.add("dead", source="incoming", run=run) for run in ("r-1", "r-2", "r-1")
    )
    found = look(sqs.client, url("dead"), 100)
    assert ([each.id for each in found.letters], found.more) == ([first.id, other.id], False)
    assert visible(sqs) == 3
    done = Moved()
    redrive(sqs.client, url("dead"), back(sqs), None, done)
    assert (done.ids, done.to) == ([first.id, other.id], {"incoming": 2})
    assert sqs.queues["dead"] == []
    assert again.id not in {each.id for each in sqs.queues["incoming"]}


def test_so_it_is_when_the_second_comes_after_the_first_was_deleted(sqs: FakeSqs) -> None:
    for number in range(25):
        sqs.add("dead", run="r-1" if number in (0, 24) else f"r-{number + 2}")
    done = Moved()
    purge(sqs.client, url("dead"), None, done)
    assert len(done.ids) == 24
    assert sqs.queues["dead"] == []


def test_what_was_not_started_is_no_copy_of_another(sqs: FakeSqs) -> None:
    ids = [sqs.add("dead", "same", source="incoming").id for _ in range(2)]
    assert [each.id for each in look(sqs.client, url("dead"), 100).letters] == ids


def test_what_is_received_is_given_back_when_somebody_presses_ctrl_c(sqs: FakeSqs) -> None:
    for _ in range(5):
        sqs.add("dead")

    def interrupted() -> None:
        with Reader(sqs.client, url("dead")) as reader:
            for each in reader:
                reader.delete(each)
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert visible(sqs) == 4


def back(sqs: FakeSqs, *, inboxes: tuple[str, ...] = ()) -> Route:
    return router(sqs.client, [url(each) for each in inboxes])


def test_messages_go_back_to_where_they_say_that_they_came_from(sqs: FakeSqs) -> None:
    sqs.add("dead", "1", source="incoming", run="r-1")
    sqs.add("dead", "2", source="incoming")
    sqs.add("dead", "3", run="r-3")
    done = Moved()
    redrive(sqs.client, url("dead"), back(sqs, inboxes=("inbox",)), None, done)
    assert [each.body for each in sqs.queues["incoming"]] == ["1", "2"]
    assert [each.body for each in sqs.queues["inbox"]] == ["3"]
    assert sqs.queues["dead"] == []
    assert done.to == {"incoming": 2, "inbox": 1}
    assert sqs.calls.count("GetQueueUrl") == 1


def test_only_the_wanted_ones_go_and_no_longer_than_for_them_is_looked(sqs: FakeSqs) -> None:
    messages = [sqs.add("dead", source="incoming") for _ in range(25)]
    done, told = Moved(), []
    wanted = [messages[3].id, messages[12].id]
    redrive(sqs.client, url("dead"), back(sqs), wanted, done, told=lambda: told.append(1))
    assert done.ids == wanted
    assert len(told) == 2
    assert visible(sqs) == len(sqs.queues["dead"]) == 23
    assert sqs.calls.count("ReceiveMessage") == 2


def test_a_dry_run_moves_nothing_and_says_where_to(sqs: FakeSqs) -> None:
    message = sqs.add("dead", source="incoming")
    done = Moved()
    redrive(sqs.client, url("dead"), back(sqs), None, done, dry_run=True)
    assert (done.ids, done.to) == ([message.id], {"incoming": 1})
    assert sqs.queues["incoming"] == []
    assert visible(sqs) == 1


@pytest.mark.parametrize(
    ("source", "why"),
    [("gone", "its queue gone is not there any more"), ("", "it does not say which queue")],
)
def test_one_that_cannot_go_back_stays_and_the_others_go(
    sqs: FakeSqs, source: str, why: str
) -> None:
    stays = sqs.add("dead", source=source, run="r-1")
    sqs.add("dead", source="incoming", run="r-2")
    done = Moved()
    redrive(sqs.client, url("dead"), back(sqs), None, done)
    assert [each for each, _ in done.kept] == [stays.id]
    assert why in done.kept[0][1]
    assert len(sqs.queues["incoming"]) == 1
    assert visible(sqs) == 1


def test_who_is_killed_between_sending_and_deleting_loses_nothing(sqs: FakeSqs) -> None:
    for number in range(3):
        sqs.add("dead", str(number), source="incoming", run=f"r-{number}")

    def killed(operation: str) -> Exception | None:
        return KeyboardInterrupt() if operation == "DeleteMessage" else None  # type: ignore[return-value]

    sqs.refuses = killed
    with pytest.raises(KeyboardInterrupt):
        redrive(sqs.client, url("dead"), back(sqs), None, Moved())
    sqs.refuses = lambda _: None
    assert visible(sqs) == 3
    redrive(sqs.client, url("dead"), back(sqs), None, Moved())
    keys = [
        json.loads(each.attributes["devbridge"]["StringValue"])["redriven"]
        for each in sqs.queues["incoming"]
    ]
    assert len(keys) == 4
    assert len(set(keys)) == 3


def test_what_fails_again_meanwhile_is_not_sent_back_for_ever(sqs: FakeSqs) -> None:
    sqs.add("dead", source="incoming", run="r-1")
    done, runs = Moved(), iter(range(2, 100))

    def fail_again() -> None:
        (message,) = sqs.queues["incoming"]
        told = json.loads(message.attributes["devbridge"]["StringValue"])
        sqs.queues["incoming"].clear()
        sqs.add("dead", source="incoming", run=f"r-{next(runs)}", **told)

    redrive(sqs.client, url("dead"), back(sqs), None, done, told=fail_again)
    assert len(done.ids) == 1
    assert visible(sqs) == 1


def test_the_order_of_a_fifo_queue_is_kept_to_its_last_message(sqs: FakeSqs) -> None:
    for number in range(25):
        sqs.add("dead.fifo", str(number), source="incoming.fifo", run=f"r-{number}")
    redrive(sqs.client, url("dead.fifo"), back(sqs), None, Moved())
    moved = sqs.queues["incoming.fifo"]
    assert [each.body for each in moved] == [str(number) for number in range(25)]
    assert {each.system["MessageGroupId"] for each in moved} == {"g"}


def test_who_may_not_look_up_a_queue_is_told(sqs: FakeSqs) -> None:
    sqs.add("dead", source="incoming")
    sqs.refuses = lambda operation: Refused("AccessDenied") if operation == "GetQueueUrl" else None
    with pytest.raises(ClientError, match="AccessDenied"):
        redrive(sqs.client, url("dead"), back(sqs), None, Moved())


def test_messages_are_deleted_by_their_ids_or_all(sqs: FakeSqs) -> None:
    messages = [sqs.add("dead") for _ in range(12)]
    done = Moved()
    purge(sqs.client, url("dead"), [messages[5].id], done)
    assert done.ids == [messages[5].id]
    assert count(sqs.client, url("dead")) == visible(sqs) == 11
    purge(sqs.client, url("dead"), None, done)
    assert len(done.ids) == 12
    assert sqs.queues["dead"] == []
