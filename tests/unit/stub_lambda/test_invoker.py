from __future__ import annotations

from typing import Any

import pytest

from devbridge.errors import BrokerUnreachable, CloudError
from devbridge.protocol.errors import TooLarge
from stub_lambda.events import Context, Question, Refused, Start
from stub_lambda.invoker import answer


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
