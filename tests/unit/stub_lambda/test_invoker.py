from __future__ import annotations

from typing import Any

import pytest

from devbridge.errors import BrokerUnreachable, CloudError
from devbridge.protocol.errors import TooLarge
from stub_lambda.events import Context, Question, Refused, Start
from stub_lambda.invoker import answer
from stub_lambda.records import NotStarted


class Request:
    aws_request_id = "r"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"

    def get_remaining_time_in_millis(self) -> int:
        return 1


CONTEXT = Request()


class Recorder:
    """Says what it was asked, or raises."""

    job = "factorial"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def run_id(self, key: str) -> str:
        return f"demo_ann_factorial:{key}"

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        return self._said("started", start, context)

    def ask(self, question: Question, context: Context) -> dict[str, Any]:
        return self._said("asked", question, context)

    def _said(self, what: str, asked: object, context: Context) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return {what: asked, "context": context}


RUN = {"devbridge": 1, "action": "run", "payload": 5}
STATUS = {"devbridge": 1, "action": "status", "jobId": "a"}


def test_a_run_is_started_and_a_question_is_asked() -> None:
    started = answer(Recorder, RUN, CONTEXT)
    assert started == {"started": Start(b"5", None, remember=False), "context": CONTEXT}
    assert answer(Recorder, STATUS, CONTEXT)["asked"] == Question("status", "a")


@pytest.mark.parametrize("event", [RUN, STATUS])
@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Refused("Offline", "nobody"), "Offline", "nobody"),
        (TooLarge("7 MB"), "PayloadTooLarge", "7 MB: put it in S3 and send the key"),
        (
            CloudError("refused", remedy="wait"),
            "CloudError",
            str(CloudError("refused", remedy="wait")),
        ),
        (BrokerUnreachable("gone"), "BrokerUnreachable", "gone"),
    ],
)
def test_what_the_caller_can_act_on_is_an_answer(
    event: object, error: Exception, code: str, message: str
) -> None:
    told = answer(lambda: Recorder(error), event, CONTEXT)
    assert told == {"error": {"code": code, "message": message}}


def test_a_bad_event_and_an_invoker_that_cannot_be_opened_are_answers_too() -> None:
    assert answer(Recorder, {}, CONTEXT)["error"]["code"] == "BadEvent"

    def fail() -> Recorder:
        raise CloudError("no")

    assert answer(fail, RUN, CONTEXT)["error"]["code"] == "CloudError"


def test_a_mistake_of_ours_is_an_exception_which_lambda_logs() -> None:
    with pytest.raises(ZeroDivisionError):
        answer(lambda: Recorder(ZeroDivisionError()), RUN, CONTEXT)


# --- events of AWS's services -------------------------------------------------------------------


class Clock:
    """A context whose time is over after some starts."""

    aws_request_id = "r"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:1:function:f"

    def __init__(self, *left: float) -> None:
        self.left = list(left)

    def get_remaining_time_in_millis(self) -> int:
        return int((self.left.pop(0) if self.left else 9.0) * 1000)


class Starter:
    """Starts what it is given, or answers each key as it is told."""

    job = "a"

    def __init__(self, **answers: dict[str, Any] | Exception) -> None:
        self.answers = answers
        self.keys: list[str] = []

    def run_id(self, key: str) -> str:
        return key

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        key = (start.key or "").rpartition("/")[2]
        self.keys.append(key)
        found = self.answers.get(key, {"jobId": key, "state": "QUEUED"})
        if isinstance(found, Exception):
            raise found
        return found

    def ask(self, question: Question, context: Context) -> dict[str, Any]:
        raise AssertionError(question, context)


def messages(*ids: str, fifo: bool = False) -> dict[str, Any]:
    arn = f"arn:aws:sqs:eu-west-1:1:q{'.fifo' if fifo else ''}"
    return {
        "Records": [
            {"eventSource": "aws:sqs", "eventSourceARN": arn, "messageId": each, "body": "1"}
            for each in ids
        ]
    }


def failures(starter: Starter, event: dict[str, Any], context: Any = None) -> list[str]:
    found = answer(lambda: starter, event, context or Clock())
    return [each["itemIdentifier"] for each in found["batchItemFailures"]]


@pytest.mark.parametrize(
    "refusal",
    [
        Refused("NoDaemon", "nobody is there"),
        CloudError("AWS has refused"),
        BrokerUnreachable("no broker"),
        TooLarge("6 MB"),
        {"error": {"code": "Rejected", "message": "an answer, but no run"}},
    ],
)
def test_a_refusal_that_is_an_answer_elsewhere_deletes_no_message(
    refusal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    starter = Starter(b=refusal)
    assert failures(starter, messages("a", "b", "c")) == ["b"]
    assert starter.keys == ["a", "b", "c"]
    assert "devbridge: b: " in capsys.readouterr().out


def test_what_comes_after_a_failure_in_an_ordered_queue_is_not_started() -> None:
    starter = Starter(b=CloudError("no"))
    assert failures(starter, messages("a", "b", "c", fifo=True)) == ["b", "c"]
    assert starter.keys == ["a", "b"]


def test_what_there_is_no_time_for_comes_again() -> None:
    starter = Starter()
    assert failures(starter, messages("a", "b", "c"), Clock(5.0, 1.0)) == ["c"]
    assert starter.keys == ["a", "b"]


def test_an_invoker_that_cannot_be_opened_deletes_nothing_either() -> None:
    def broken() -> Starter:
        raise CloudError("a variable is missing")

    assert answer(broken, messages("a"), Clock())["batchItemFailures"]
    with pytest.raises(NotStarted):
        answer(broken, {"detail-type": "Sold", "source": "shop", "id": "e"}, Clock())
