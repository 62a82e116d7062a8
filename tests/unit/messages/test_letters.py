"""What a dead letter says of itself, and what is sent back of it."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from devbridge.errors import UnknownMessage
from devbridge.messages.letters import Letter, letter, whole_ids
from runner.dead_letters import DeadLetter, dead_letters
from runner.messages import Listening
from runner.outcome import FAILED, Failure
from runner.triggered import triggered
from stub_lambda.sources import source_of
from tests.unit.messages.test_streams import INVOKER, sequence, told

INCOMING = "arn:aws:sqs:eu-west-1:111122223333:incoming"
INBOX = "arn:aws:sqs:eu-west-1:111122223333:inbox"
LISTENING = Listening(
    inbox=INBOX,
    dead="arn:aws:sqs:eu-west-1:111122223333:dead",
    sources={INCOMING: {"name": "incoming"}},
)


def record(body: str, arn: str = INCOMING, number: str = "m-1", **attributes: Any) -> Any:
    """As Lambda hands a message over."""
    return {
        "messageId": number,
        "body": body,
        "messageAttributes": attributes,
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
    }


def started(*records: Any, listening: Listening = LISTENING) -> Any:
    """The runs that such a call of the invoker starts."""
    event = {"Records": list(records)}
    source = source_of(event)
    assert source is not None
    return source.starts(event, listening)


def failed(start: Any, run: str) -> list[DeadLetter]:
    """What is sent of a run that has failed for good."""
    found = triggered(start.payload)
    assert found is not None
    return dead_letters(found, run, FAILED, Failure("ValueError", "no"), 3)


def received(sent: DeadLetter, number: str = "d-1") -> Letter:
    """As `devbridge dlq` gets it."""
    return letter(
        {
            "MessageId": number,
            "ReceiptHandle": "r",
            "Body": sent.body,
            "MessageAttributes": dict(sent.attributes),
            "Attributes": {"SentTimestamp": "1800000000500", "ApproximateReceiveCount": "2"},
        }
    )


def handed_over(given: dict[str, Any], arn: str = INCOMING, number: str = "m-2") -> Any:
    """A message that was sent with these parameters, as Lambda hands it over."""
    attributes = {
        name: {"dataType": each["DataType"], "stringValue": each.get("StringValue")}
        for name, each in given["MessageAttributes"].items()
    }
    return record(given["MessageBody"], arn, number, **attributes)


def test_the_letter_of_a_failed_run_tells_all_of_it() -> None:
    (start,) = started(record('{"num": 5}', colour={"dataType": "String", "stringValue": "red"}))
    (sent,) = failed(start.start, "run-1")
    assert received(sent).as_json() == {
        "id": "d-1",
        "sentAt": "2027-01-15T08:00:00.500Z",
        "receives": 2,
        "run": "run-1",
        "error": "ValueError: no",
        "attempt": 3,
        "trigger": "queue incoming",
        "source": INCOMING,
        "group": None,
        "redriven": None,
        "records": None,
        "attributes": {"colour": "red", "devbridge": sent.attributes["devbridge"]["StringValue"]},
        "body": '{"num": 5}',
    }


def test_what_goes_back_is_the_message_itself_and_starts_a_run_of_another_key() -> None:
    (first,) = started(record('{"num": 5}', colour={"dataType": "String", "stringValue": "red"}))
    (sent,) = failed(first.start, "run-1")
    back = received(sent).back("https://x/incoming")
    assert back["MessageBody"] == '{"num": 5}'
    assert back["MessageAttributes"]["colour"] == {"DataType": "String", "StringValue": "red"}
    (again,) = started(handed_over(back))
    assert again.start.key.startswith("incoming/redriven/run-1/")
    found = triggered(again.start.payload)
    assert found is not None
    assert found.payload == b'{"num": 5}'
    assert found.source == INCOMING


def test_sent_back_twice_it_has_the_same_key_whatever_its_message_is_called() -> None:
    (start,) = started(record("1"))
    (sent,) = failed(start.start, "run-1")
    keys = {
        started(handed_over(received(sent).back("https://x/q"), number=number))[0].start.key
        for number in ("m-2", "m-3")
    }
    assert len(keys) == 1


def test_each_message_of_a_run_of_several_has_its_own_key() -> None:
    listening = Listening("", "dead", {INCOMING: {"name": "incoming", "together": True}})
    (start,) = started(record("1"), record("1", number="m-2"), listening=listening)
    letters = [received(each) for each in failed(start.start, "run-1")]
    assert len({each.key for each in letters}) == 2


def test_what_fails_again_says_so_and_has_another_key() -> None:
    (first,) = started(record("1"))
    (sent,) = failed(first.start, "run-1")
    before = received(sent)
    (second,) = started(handed_over(before.back("https://x/q")))
    (again,) = failed(second.start, "run-2")
    after = received(again)
    assert after.redriven == before.key
    assert after.key.startswith("run-2/")


def moved(body: str, source: str = INCOMING, attributes: Any = None) -> Letter:
    """What SQS has moved itself."""
    return letter(
        {
            "MessageId": "m-1",
            "ReceiptHandle": "r",
            "Body": body,
            "Attributes": {
                "SentTimestamp": "1800000000500",
                "ApproximateReceiveCount": "6",
                "DeadLetterQueueSourceArn": source,
                "MessageGroupId": "g",
            },
            "MessageAttributes": attributes or {},
        }
    )


def test_of_a_message_that_sqs_has_moved_what_sqs_tells_is_known() -> None:
    found = moved("x")
    assert (found.run, found.attempt, found.receives) == ("", None, 6)
    assert found.error == "its run could not be started"
    assert found.source == INCOMING
    assert found.trigger == "queue incoming"
    assert found.key == "m-1"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"responsePayload": {"errorMessage": "no", "errorType": "ValueError"}}, "ValueError: no"),
        ({"responsePayload": {"errorMessage": "no"}}, "Error: no"),
        ({}, "RetriesExhausted"),
    ],
)
def test_what_a_function_has_failed_at_says_with_what(more: dict[str, Any], error: str) -> None:
    asked = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": {}}
    assert moved(json.dumps({**asked, **more})).error == error


@pytest.mark.parametrize(
    ("body", "trigger"),
    [
        ('{"devbridge": {"kind": "object", "name": "files"}, "event": {}}', "object files"),
        ('{"Type": "Notification", "TopicArn": "arn:aws:sns:x:1:news"}', "topic news"),
        ("[" * 100_000, "queue inbox"),
        ("[]", "queue inbox"),
    ],
)
def test_what_was_in_a_jobs_own_queue_names_its_trigger(body: str, trigger: str) -> None:
    assert moved(body, INBOX).trigger == trigger


def test_what_could_not_be_started_twice_keeps_its_key() -> None:
    """If it was started all the same, there is to be one run."""
    back = moved("x").back("https://x/q")
    assert moved("x", attributes=back["MessageAttributes"]).key == "m-1"


def test_a_fifo_queue_gets_its_group_and_nothing_that_it_would_swallow() -> None:
    first = moved("x").back("https://x/q.fifo")
    assert first["MessageGroupId"] == "g"
    assert first == moved("x").back("https://x/q.fifo")
    (start,) = started(record("1"))
    (sent,) = failed(start.start, "run-1")
    ids = {
        received(sent, number).back("https://x/q.fifo")["MessageDeduplicationId"]
        for number in ("d-1", "d-2")
    }
    assert len(ids) == 2


def test_a_message_with_ten_attributes_of_its_own_goes_back_with_them() -> None:
    own = {f"a{n}": {"DataType": "String", "StringValue": "x"} for n in range(10)}
    assert moved("x", attributes=own).back("https://x/q")["MessageAttributes"] == own


def test_what_is_binary_goes_back_as_it_was_and_is_shown_as_base64() -> None:
    own = {"a": {"DataType": "Binary", "BinaryValue": b"\0\1", "BinaryListValues": []}}
    found = moved("x", attributes=own)
    assert found.back("https://x/q")["MessageAttributes"]["a"]["BinaryValue"] == b"\0\1"
    assert found.as_json()["attributes"]["a"] == base64.b64encode(b"\0\1").decode()


def test_an_attribute_of_the_same_name_that_is_another_ones_does_no_harm() -> None:
    for text in ("no JSON", "5", json.dumps({"run": None})):
        own = {"devbridge": {"DataType": "String", "StringValue": text}}
        assert moved("x", attributes=own).run == ""


def test_ids_are_found_by_their_beginning() -> None:
    assert whole_ids(["3f2a", "3f9c", "7c9e"], ["3f2", "7", "7c"]) == ["3f2a", "7c9e"]
    with pytest.raises(UnknownMessage, match="2 messages have ids that begin with '3f'"):
        whole_ids(["3f2a", "3f9c"], ["3f"])
    with pytest.raises(UnknownMessage, match="did you mean '3f2a'"):
        whole_ids(["3f2a"], ["3f2b"])


def test_of_records_that_lambda_has_given_up_it_is_told_where_they_are() -> None:
    found = moved(json.dumps(told(5, 9, 3)), source="")
    assert found.error == "3 records could not be started: RetryAttemptsExhausted"
    assert (found.trigger, found.source, found.invoker) == ("stream clicks-1", INVOKER, INVOKER)
    assert found.as_json()["records"]["first"] == sequence(5)
    assert found.key == "m-1"


def test_what_was_in_no_queue_goes_to_its_invoker_as_it_came() -> None:
    head = {"run": "run-1", "kind": "log", "trigger": "speak", "source": INVOKER}
    text = {"DataType": "String", "StringValue": json.dumps(head)}
    said = {"logGroup": "g", "logEvents": []}
    body = json.dumps({"devbridge": {"kind": "log", "name": "speak"}, "event": said})
    found = moved(body, source="", attributes={"devbridge": text})
    assert found.invoker == INVOKER
    data = base64.b64decode(found.event["awslogs"]["data"])
    assert json.loads(gzip.decompress(data)) == said
    assert moved("x").invoker == ""
