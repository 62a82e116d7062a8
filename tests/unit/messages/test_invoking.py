"""What was in no queue is brought back by calling its job's invoker."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from devbridge.messages.invoking import Invoking
from devbridge.messages.letters import Letter, letter
from devbridge.messages.mover import NoWayBack
from tests.unit.aws import Fake
from tests.unit.messages.test_streams import INVOKER, FakeStream, sequence, told


class FakeLambda(Fake):
    service = "lambda"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []
        self.answer: Any = {"runs": [], "refused": []}
        self.error = ""

    def Invoke(self, *, FunctionName: str, Payload: Any) -> Any:  # noqa: N802, N803
        assert FunctionName == INVOKER
        self.asked.append(json.loads(Payload))
        answer = {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(self.answer).encode())}
        return answer | ({"FunctionError": self.error} if self.error else {})

    def ListEventSourceMappings(self, *, FunctionName: str) -> Any:  # noqa: N802, N803
        assert FunctionName == INVOKER
        consumer = "arn:aws:kinesis:eu-west-1:111122223333:stream/clicks-1/consumer/c:1"
        filters = {"Filters": [{"Pattern": '{"data": {"n": [{"numeric": [">", 5]}]}}'}]}
        return {
            "EventSourceMappings": [
                {"EventSourceArn": "arn:aws:sqs:eu-west-1:1:q", "BatchSize": 10},
                {"EventSourceArn": consumer, "BatchSize": 2, "FilterCriteria": filters},
            ]
        }


@pytest.fixture
def functions() -> FakeLambda:
    return FakeLambda()


def invoking(functions: FakeLambda, numbers: range = range(1, 20)) -> Invoking:
    stream = FakeStream("kinesis", numbers)
    return Invoking(lambda name: (functions if name == "lambda" else stream).client)


def of(body: Any, **attribute: Any) -> Letter:
    text = {"DataType": "String", "StringValue": json.dumps(attribute)}
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": json.dumps(body)}
    return letter({**message, "MessageAttributes": {"devbridge": text} if attribute else {}})


def test_records_that_were_given_up_come_as_many_at_once_as_before(functions: FakeLambda) -> None:
    found, there = of(told(5, 9, 4)), invoking(functions)
    assert found.invoker == INVOKER
    there.call(found.invoker, there.calls(found))
    numbers = [
        [each["kinesis"]["sequenceNumber"] for each in event["event"]["Records"]]
        for event in functions.asked
    ]
    assert numbers == [[sequence(6), sequence(7)], [sequence(8), sequence(9)]]
    assert {event["redriven"] for event in functions.asked} == {""}


def test_what_is_gone_has_no_way_back(functions: FakeLambda) -> None:
    with pytest.raises(NoWayBack, match="not in clicks-1 any more"):
        invoking(functions, range(0)).calls(of(told(5, 9, 5)))
    assert functions.asked == []


def test_a_run_that_has_failed_is_another_run(functions: FakeLambda) -> None:
    head = {"run": "run-1", "error": "E", "kind": "stream", "trigger": "c", "source": INVOKER}
    found, there = of({"devbridge": {}, "event": {"eventID": "e"}}, **head), invoking(functions)
    there.call(found.invoker, there.calls(found))
    assert functions.asked == [{"redriven": found.key, "event": {"Records": [{"eventID": "e"}]}}]


@pytest.mark.parametrize(
    ("answer", "error", "what"),
    [
        (
            {"runs": [], "refused": [{"id": "e", "code": "NoDaemon", "error": "start it"}]},
            "",
            "NoDaemon: start it",
        ),
        ({"error": {"code": "BadEvent"}}, "", "deploy it again"),
        ({"errorMessage": "boom"}, "Unhandled", "invoker has failed: boom"),
    ],
)
def test_what_is_not_started_stays(
    functions: FakeLambda, answer: Any, error: str, what: str
) -> None:
    functions.answer, functions.error = answer, error
    with pytest.raises(NoWayBack, match=what):
        invoking(functions).call(INVOKER, [{}])


def test_a_stream_that_the_job_does_not_read_is_not_read_for_it(functions: FakeLambda) -> None:
    """Anybody who may write to the queue may name another stream, with a name that begins so."""
    for name in ("secret", "clicks"):
        other = f"arn:aws:kinesis:eu-west-1:111122223333:stream/{name}"
        body = told(5, 9, 4)
        body["KinesisBatchInfo"]["streamArn"] = other
        with pytest.raises(NoWayBack, match=f"a stream that its job does not read: {other}"):
            invoking(functions).calls(of(body))
    assert functions.asked == []
