"""What was in no queue is brought back by calling its job's invoker."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from devbridge.messages.invoking import _SIZE, Invoking, _parts
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
        self.waited = 0
        """How many calls were of who waits to the end."""

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
    clients = {"lambda": functions.client}
    return Invoking(lambda name: clients.get(name, stream.client), lambda: Waiting(functions))


class Waiting:
    """The client that waits as long as a function may take."""

    def __init__(self, functions: FakeLambda) -> None:
        self._functions = functions

    def invoke(self, **parameters: Any) -> Any:
        self._functions.waited += 1
        return self._functions.client.invoke(**parameters)


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
    assert functions.waited == 0  # an invoker has seconds, and starts nothing twice


def test_what_is_gone_has_no_way_back(functions: FakeLambda) -> None:
    with pytest.raises(NoWayBack, match="not in clicks-1 any more"):
        invoking(functions, range(0)).calls(of(told(5, 9, 5)))
    assert functions.asked == []


def test_a_function_is_called_with_what_lambda_would_call_it_with(functions: FakeLambda) -> None:
    found, there = of(told(5, 9, 4)), invoking(functions)
    assert found.given_up is not None
    answers: list[Any] = [None, {"batchItemFailures": []}, "done"]
    for answer in answers:
        functions.answer, functions.asked = answer, []
        there.call_function(INVOKER, there.events(found.given_up))
        assert [[*event] for event in functions.asked] == [["Records"], ["Records"]]
        assert functions.asked[0]["Records"][0]["kinesis"]["sequenceNumber"] == sequence(6)
    assert functions.waited == 6


@pytest.mark.parametrize(
    ("answer", "error", "what"),
    [
        ({"errorMessage": "boom"}, "Unhandled", "the function has failed at 2 records: boom"),
        (
            {"batchItemFailures": [{"itemIdentifier": "17"}]},
            "",
            "the function has failed at some of 2 records, from 17 on",
        ),
        ({"batchItemFailures": ["?"]}, "", "the function has failed at some of 2 records"),
    ],
)
def test_what_a_function_fails_at_stays(
    functions: FakeLambda, answer: Any, error: str, what: str
) -> None:
    functions.answer, functions.error = answer, error
    with pytest.raises(NoWayBack, match=what):
        invoking(functions).call_function(INVOKER, [{"Records": [{}, {}]}])


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


def test_records_come_in_parts_that_an_invocation_takes() -> None:
    assert _SIZE <= 6_000_000 * 0.9, "with what is around them"
    quarter = {"data": "x" * (_SIZE // 4 - len(json.dumps({"data": ""})))}
    assert [len(each) for each in _parts([quarter] * 5, 10)] == [4, 1]
    assert [len(each) for each in _parts([quarter] * 5, 3)] == [3, 2]


def test_a_stream_that_the_job_does_not_read_is_not_read_for_it(functions: FakeLambda) -> None:
    """Anybody who may write to the queue may name another stream, with a name that begins so."""
    for name in ("secret", "clicks"):
        other = f"arn:aws:kinesis:eu-west-1:111122223333:stream/{name}"
        body = told(5, 9, 4)
        body["KinesisBatchInfo"]["streamArn"] = other
        with pytest.raises(NoWayBack, match=f"a stream that is not read for it: {other}"):
            invoking(functions).calls(of(body))
    assert functions.asked == []
