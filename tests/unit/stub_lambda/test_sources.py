"""Events of each kind of AWS's services: the runs that they ask for, and the answers."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from runner.dead_letters import dead_letters
from runner.messages import Listening
from runner.outcome import FAILED
from runner.triggered import Triggered, triggered
from stub_lambda.records import NotStarted, Outcome, Record, Source
from stub_lambda.sources import source_of

SQS = "arn:aws:sqs:eu-west-1:123456789012:"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:jobs-1"
LISTENING = Listening(
    inbox=f"{SQS}inbox",
    invoker="arn:aws:lambda:eu-west-1:123456789012:function:invoker",
    dead=f"{SQS}dead",
    sources={
        f"{SQS}orders-1": {"name": "orders"},
        f"{SQS}lists": {"name": "lists", "together": True, "dead": f"{SQS}other"},
        f"{SQS}steps.fifo": {"name": "steps"},
        TOPIC: {"name": "jobs"},
        "ANY /thumbs": {"name": "web"},
    },
)


def message(body: object, arn: str = f"{SQS}orders-1", number: str = "m-1") -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"eventSource": "aws:sqs", "eventSourceARN": arn, "messageId": number, "body": text}


def known(event: object) -> Source:
    source = source_of(event)
    assert source is not None
    return source


def starts(event: dict[str, Any]) -> list[Record]:
    return list(known(event).starts(event, LISTENING))


def one(event: dict[str, Any]) -> tuple[Record, Triggered, Any]:
    """The only record, what it carries, and its payload."""
    (record,) = starts(event)
    found = triggered(record.start.payload)
    assert found is not None
    return record, found, json.loads(found.payload)


# --- queues -------------------------------------------------------------------------------------


def test_a_message_of_a_queue_is_a_run_of_its_own_name() -> None:
    event = {"Records": [message({"num": 5})]}
    record, found, payload = one(event)
    assert payload == {"num": 5}
    assert (found.kind, found.name) == ("queue", "orders")
    assert (found.dead, found.source) == (f"{SQS}dead", f"{SQS}orders-1")
    assert json.loads(found.event) == event["Records"][0]
    assert (record.ids, record.start.key, record.start.remember) == (("m-1",), "orders/m-1", True)


@pytest.mark.parametrize(
    ("body", "payload"),
    [("hello", "hello"), ("", ""), ("{", "{"), ("NaN", "NaN"), ("[" * 100_000, "[" * 100_000)],
)
def test_a_body_that_is_no_json_is_a_text(body: str, payload: str) -> None:
    assert one({"Records": [message(body)]})[2] == payload


def test_a_bodys_numbers_keep_their_digits() -> None:
    digits = "1.10000000000000000000000000000001"
    assert one({"Records": [message(digits)]})[1].payload == digits.encode()


def test_messages_that_are_one_run_are_a_list_whose_key_is_that_of_all() -> None:
    event = {"Records": [message(n, f"{SQS}lists", f"m-{n}") for n in range(3)]}
    record, found, payload = one(event)
    assert payload == [0, 1, 2]
    assert record.ids == ("m-0", "m-1", "m-2")
    assert found.dead == f"{SQS}other"
    backwards = {"Records": event["Records"][::-1]}
    assert one(backwards)[0].start.key == record.start.key
    assert one({"Records": event["Records"][:2]})[0].start.key != record.start.key


def outcomes(event: dict[str, Any], *failed: int) -> list[Outcome]:
    return [
        Outcome(record, None if number in failed else {"jobId": "r"}, "Code", "text")
        for number, record in enumerate(starts(event))
    ]


def test_the_queue_keeps_exactly_what_was_not_started() -> None:
    event = {"Records": [message(n, number=f"m-{n}") for n in range(3)]}
    source = known(event)
    assert source.answer(outcomes(event, 1)) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert source.answer(outcomes(event)) == {"batchItemFailures": []}


def test_a_fifo_queue_is_read_in_order() -> None:
    assert known({"Records": [message(1, f"{SQS}steps.fifo")]}).ordered
    assert not known({"Records": [message(1)]}).ordered


def test_a_message_that_was_redriven_is_a_run_of_its_own_but_only_one() -> None:
    again = message({"num": 5}, number="m-2")
    told = json.dumps({"redriven": "run-1/1"})
    again["messageAttributes"] = {"devbridge": {"dataType": "String", "stringValue": told}}
    assert one({"Records": [again]})[0].start.key == "orders/redriven/run-1/1"
    again["messageAttributes"]["devbridge"]["stringValue"] = "no json"
    assert one({"Records": [again]})[0].start.key == "orders/m-2"


# --- the job's own queue ------------------------------------------------------------------------

CREATED = {
    "id": "e-1",
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {
        "bucket": {"name": "files-1"},
        "object": {"key": "order-1.jpg", "size": 3, "etag": "abc", "sequencer": "0A"},
    },
}
SOLD = {"id": "e-2", "source": "shop", "detail-type": "Sold", "detail": {"n": 1}}
PUBLISHED = {"Type": "Notification", "MessageId": "s-1", "TopicArn": TOPIC, "Message": '{"t":1}'}
ROW = {
    "eventID": "r-1",
    "eventName": "INSERT",
    "dynamodb": {"SequenceNumber": "1", "Keys": {"id": {"S": "a"}}},
}


def delivered(kind: str, name: str, event: object = None, **more: object) -> dict[str, Any]:
    head = {"kind": kind, "name": name, **more}
    return {"devbridge": head, "event": event, "payload": {"full": True}}


@pytest.mark.parametrize(
    ("body", "kind", "name", "payload", "key"),
    [
        (
            delivered("object", "files", CREATED),
            "object",
            "files",
            {
                "bucket": "files-1",
                "key": "order-1.jpg",
                "size": 3,
                "etag": "abc",
                "version": None,
                "event": "created",
            },
            "files/files-1/order-1.jpg/0A",
        ),
        (delivered("event", "shop", SOLD), "event", "shop", {"n": 1}, "shop/e-2"),
        (PUBLISHED, "topic", "jobs", {"t": 1}, "jobs/s-1"),
        (
            delivered("schedule", "nightly", id="arn/2026-11-26T10:00:00Z"),
            "schedule",
            "nightly",
            {"full": True},
            "nightly/arn/2026-11-26T10:00:00Z",
        ),
        ({"other": 1}, "queue", "inbox", {"other": 1}, "inbox/m-1"),
        ([1], "queue", "inbox", [1], "inbox/m-1"),
        ("text", "queue", "inbox", "text", "inbox/m-1"),
    ],
)
def test_the_jobs_own_queue_has_what_other_triggers_tell(
    body: object, kind: str, name: str, payload: object, key: str
) -> None:
    record, found, told = one({"Records": [message(body, LISTENING.inbox)]})
    assert (found.kind, found.name, told, record.start.key) == (kind, name, payload, key)
    assert record.ids == ("m-1",)
    assert (found.dead, found.source) == (LISTENING.dead, LISTENING.inbox)


def test_what_is_delivered_twice_has_one_key() -> None:
    first, second = (
        one({"Records": [message(PUBLISHED, LISTENING.inbox, number)]})[0] for number in ("a", "b")
    )
    assert first.start.key == second.start.key
    assert first.ids != second.ids


def test_a_deleted_object_is_told_so() -> None:
    gone = {**CREATED, "detail-type": "Object Deleted"}
    payload = one({"Records": [message(delivered("object", "files", gone), LISTENING.inbox)]})[2]
    assert payload["event"] == "deleted"


def test_a_key_that_is_too_long_is_shortened_and_stays_its_own() -> None:
    def of(tail: str) -> str:
        said = {**CREATED["detail"]["object"], "key": "k" * 1024 + tail}  # type: ignore[index]
        event = {**CREATED, "detail": {**CREATED["detail"], "object": said}}  # type: ignore[dict-item]
        record = one({"Records": [message(delivered("object", "f", event), LISTENING.inbox)]})[0]
        assert record.start.key is not None
        return record.start.key

    assert len(of("")) <= 1024
    assert of("a") != of("b")


# --- streams ------------------------------------------------------------------------------------

STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/notes/stream/2026"


def click(data: bytes, number: str = "7") -> dict[str, Any]:
    return {
        "eventSource": "aws:kinesis",
        "eventSourceARN": STREAM,
        "eventID": f"shard:{number}",
        "kinesis": {"sequenceNumber": number, "data": base64.b64encode(data).decode()},
    }


@pytest.mark.parametrize(
    ("data", "payload"),
    [(b'{"a": 1}', {"a": 1}), (b"text", "text"), (b"\xff\x00", "/wA=")],
)
def test_a_record_of_a_stream_is_what_its_bytes_say(data: bytes, payload: object) -> None:
    record, found, told = one({"Records": [click(data)]})
    assert (told, found.kind, found.name) == (payload, "stream", "clicks")
    assert (record.ids, record.start.key) == (("7",), "clicks/shard:7")


def test_a_row_is_plain_values_and_its_numbers_keep_their_digits() -> None:
    image = {
        "id": {"S": "a"},
        "n": {"N": "1.00000000000000000000000000000000001"},
        "on": {"BOOL": True},
        "no": {"NULL": True},
        "list": {"L": [{"N": "1"}, {"M": {"x": {"SS": ["y"]}}}]},
        "set": {"NS": ["1", "2"]},
    }
    record = {
        "eventSource": "aws:dynamodb",
        "eventSourceARN": TABLE,
        "eventID": "r-1",
        "eventName": "MODIFY",
        "dynamodb": {"SequenceNumber": "9", "Keys": {"id": {"S": "a"}}, "NewImage": image},
    }
    found = one({"Records": [record]})[1]
    assert b'"n":1.00000000000000000000000000000000001' in found.payload
    told = json.loads(found.payload)
    assert told["new"]["list"] == [1, {"x": ["y"]}]
    assert (told["new"]["set"], told["new"]["no"], told["new"]["on"]) == ([1, 2], None, True)
    assert (told["event"], told["keys"], told["old"]) == ("MODIFY", {"id": "a"}, None)


def test_a_stream_is_asked_for_the_first_that_was_not_started() -> None:
    event = {"Records": [click(b"1", "7"), click(b"2", "8")]}
    assert known(event).ordered
    assert known(event).answer(outcomes(event, 1)) == {
        "batchItemFailures": [{"itemIdentifier": "8"}]
    }


# --- asynchronous callers -----------------------------------------------------------------------


def logs(**more: object) -> dict[str, Any]:
    said = {
        "messageType": "DATA_MESSAGE",
        "logGroup": "/aws/lambda/api",
        "logStream": "s",
        "logEvents": [{"id": "1", "timestamp": 0, "message": "ERROR"}],
        **more,
    }
    return {
        "awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(said).encode())).decode()}
    }


def test_lines_of_a_log_are_unpacked() -> None:
    record, found, payload = one(logs())
    assert (found.kind, found.name, record.start.key) == ("log", "api", "api/1")
    assert payload["logEvents"][0]["message"] == "ERROR"


def test_that_logs_asks_whether_it_gets_through_starts_nothing() -> None:
    assert starts(logs(messageType="CONTROL_MESSAGE")) == []


@pytest.mark.parametrize(
    ("event", "kind", "payload"),
    [
        (
            {"Records": [{"EventSource": "aws:sns", "Sns": {**PUBLISHED, "Message": "hi"}}]},
            "topic",
            "hi",
        ),
        (SOLD, "event", {"n": 1}),
    ],
)
def test_who_calls_the_invoker_itself_is_heard(
    event: dict[str, Any], kind: str, payload: object
) -> None:
    _, found, told = one(event)
    assert (found.kind, told, found.source) == (kind, payload, LISTENING.inbox)


@pytest.mark.parametrize("event", [SOLD, logs()])
def test_who_does_not_wait_hears_of_a_failure_by_an_error_only(event: dict[str, Any]) -> None:
    with pytest.raises(NotStarted, match="Code: text"):
        known(event).answer(outcomes(event, 0))
    assert known(event).answer(outcomes(event)) == {"runs": [{"jobId": "r"}]}


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        {},
        {"Records": []},
        {"Records": [1]},
        {"Records": [{"eventSource": "aws:other"}]},
        {"devbridge": 1, "action": "run"},
        {"requestContext": None},
    ],
)
def test_what_is_of_no_kind_is_left_to_the_callers_of_devbridge(event: object) -> None:
    assert source_of(event) is None


# --- what is sent back ----------------------------------------------------------------------------


CHANGED = {**ROW, "eventSource": "aws:dynamodb", "eventSourceARN": "arn:aws:dynamodb:x:1:table/t"}


@pytest.mark.parametrize("event", [{"Records": [CHANGED]}, logs()])
def test_what_was_in_no_queue_comes_once_more_as_another_run(event: dict[str, Any]) -> None:
    first, before, payload = one(event)
    assert before.source == LISTENING.invoker
    again, found, same = one({"redriven": "run-1/abc", "event": event})
    assert same == payload
    assert again.start.key == f"{found.name}/redriven/run-1/abc"
    assert (found.redriven, found.source) == ("run-1/abc", before.source)
    (letter,) = dead_letters(found, "run-2", FAILED, None, 1)
    assert '"redriven": "run-1/abc"' in letter.attributes["devbridge"]["StringValue"]
    assert one({"redriven": "", "event": event})[0] == first


def test_who_sends_it_back_hears_what_was_not_started() -> None:
    event = {"redriven": "", "event": {"Records": [CHANGED]}}
    (record,) = starts(event)
    outcomes = [Outcome(record, {"jobId": "r"}), Outcome(record, None, "Code", "text")]
    assert known(event).answer(outcomes) == {
        "runs": [{"jobId": "r"}],
        "refused": [{"id": record.ids[0], "code": "Code", "error": "text"}],
    }
    assert source_of({"redriven": "", "event": {"other": 1}}) is None


# --- schedules that do not overlap ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "alone"), [({"alone": True}, "nightly"), ({"alone": 1}, ""), ({}, "")]
)
def test_a_schedule_says_whether_its_runs_may_overlap(said: dict[str, Any], alone: str) -> None:
    head = {"kind": "schedule", "name": "nightly", "id": "a/1", **said}
    body = {"devbridge": head, "event": {}, "payload": 1}
    record, _, _ = one({"Records": [message(body, LISTENING.inbox)]})
    assert (record.start.alone, record.start.key) == (alone, "nightly/a/1")


def test_a_time_that_is_sent_back_is_run_in_any_case() -> None:
    head = {"kind": "schedule", "name": "nightly", "id": "a/1", "alone": True}
    back = message({"devbridge": head, "event": {}, "payload": 1}, LISTENING.inbox)
    back["messageAttributes"] = {"devbridge": {"stringValue": json.dumps({"redriven": "r"})}}
    (record,) = starts({"Records": [back]})
    assert record.start.alone == ""
