"""What is sent of a run that has failed for good."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.dead_letters import ATTRIBUTE, STOPPED, dead_letters
from runner.outcome import CANCELLED, CRASHED, FAILED, INVALID, SUCCEEDED, TIMED_OUT, Failure
from runner.triggered import Triggered

DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"
RECORD: dict[str, Any] = {
    "messageId": "m-1",
    "body": '{"num": 5}',
    "attributes": {"MessageGroupId": "g"},
    "messageAttributes": {"jobName": {"dataType": "String", "stringValue": "greeting"}},
}


def of(event: object, kind: str = "queue", dead: str = DEAD) -> Triggered:
    return Triggered(kind, "orders", b"{}", json.dumps(event).encode(), dead, "arn:source")


def told(letter: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(letter.attributes[ATTRIBUTE]["StringValue"])
    return found


def test_the_original_message_goes_there_with_what_has_become_of_it() -> None:
    (letter,) = dead_letters(of(RECORD), "run-1", FAILED, Failure("ValueError", "no"), 3)
    assert (letter.queue, letter.body) == (DEAD, '{"num": 5}')
    assert letter.attributes["jobName"] == {"DataType": "String", "StringValue": "greeting"}
    assert told(letter) == {
        "run": "run-1",
        "error": "ValueError: no",
        "attempt": 3,
        "kind": "queue",
        "trigger": "orders",
        "source": "arn:source",
        "message": "m-1",
    }
    assert letter.parameters("u") == {
        "QueueUrl": "u",
        "MessageBody": '{"num": 5}',
        "MessageAttributes": letter.attributes,
    }


@pytest.mark.parametrize(
    ("state", "sent"),
    [(FAILED, 1), (TIMED_OUT, 1), (CRASHED, 1), (CANCELLED, 0), (SUCCEEDED, 0)],
)
def test_only_what_has_failed_is_sent(state: str, sent: int) -> None:
    assert len(dead_letters(of(RECORD), "r", state, None, 1)) == sent


@pytest.mark.parametrize(
    ("failure", "sent"),
    [
        (None, 0),
        (Failure("ValueError", "no"), 0),
        (Failure(STOPPED, "no"), 0),
        (Failure(INVALID, "no"), 1),
    ],
)
def test_what_sqs_gives_up_itself_is_sent_only_if_it_never_will_succeed(
    failure: Failure | None, sent: int
) -> None:
    held = of(RECORD)._replace(delivery=1)
    assert len(dead_letters(held, "r", FAILED, failure, 1)) == sent


def test_so_is_what_ran_when_devbridge_was_stopped_which_was_nobodys_wish() -> None:
    stopped = Failure(STOPPED, "devbridge dev was stopped")
    (letter,) = dead_letters(of(RECORD), "r", CANCELLED, stopped, 1)
    told = json.loads(letter.attributes["devbridge"]["StringValue"])
    assert told["error"] == "DaemonStopped: devbridge dev was stopped"


def test_what_has_no_dead_letter_queue_is_not_sent() -> None:
    assert dead_letters(of(RECORD, dead=""), "r", FAILED, None, 1) == []


def test_each_record_of_a_run_of_many_is_a_message_of_its_own() -> None:
    records = [{**RECORD, "messageId": f"m-{number}"} for number in range(3)]
    letters = dead_letters(of({"Records": records}), "r", CRASHED, None, 1)
    assert [told(letter)["message"] for letter in letters] == ["m-0", "m-1", "m-2"]
    assert told(letters[0])["error"] == CRASHED


def test_what_was_no_message_is_one_that_the_jobs_own_queue_takes() -> None:
    record = {"eventID": "1", "dynamodb": {}}
    (letter,) = dead_letters(of(record, "table"), "r", FAILED, None, 1)
    assert json.loads(letter.body) == {
        "devbridge": {"kind": "table", "name": "orders"},
        "event": record,
    }


def test_a_fifo_queue_gets_the_group_and_takes_one_run_once() -> None:
    one, again = (
        dead_letters(of(RECORD, dead=f"{DEAD}.fifo"), "r", FAILED, None, 1)[0] for _ in range(2)
    )
    assert (one.group, one.deduplication) == ("g", again.deduplication)
    assert one.parameters("u")["MessageDeduplicationId"] == one.deduplication


def test_there_is_room_for_our_attribute_among_ten() -> None:
    many = {f"a{n}": {"dataType": "String", "stringValue": "x"} for n in range(10)}
    (letter,) = dead_letters(of({**RECORD, "messageAttributes": many}), "r", FAILED, None, 1)
    assert len(letter.attributes) == 10
    assert ATTRIBUTE in letter.attributes


def test_records_of_one_run_are_no_duplicates_of_each_other_in_a_fifo_queue() -> None:
    event = {"Records": [{"eventID": "a"}, {"eventID": "b"}]}
    letters = dead_letters(of(event, "stream", f"{DEAD}.fifo"), "r", FAILED, None, 1)
    assert len({each.deduplication for each in letters}) == 2
