"""How the stub asks about a run, and what it makes of the daemon's answer."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.protocol import codec
from devbridge.protocol.messages import (
    REJECT_UNKNOWN_RUN,
    Cancel,
    Cancelled,
    Rejected,
    Reply,
    Request,
    Status,
    StatusReply,
)
from stub_lambda import handler as module
from stub_lambda.bridge import Answer, NoAnswer, Silence
from stub_lambda.settings import Settings

JOB_ID = "6f1c2f4e-52a5-4a0b-9a44-3d1f0c9a7b11"


class Context:
    aws_request_id = "r"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


class Daemon:
    """Stands where the bridge is: keeps the requests, gives one answer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stub_id = codec.new_id()
        self.requests: list[Request] = []
        self.answer: Answer | NoAnswer = NoAnswer(Silence.NEVER_CONNECTED)

    def replies(self, kind: type[Reply], **fields: Any) -> None:
        self.answer = Answer(kind(request_id=codec.new_id(), **fields))

    def ask(self, request: Request, wait: float) -> Answer | NoAnswer:
        assert codec.decode(codec.encode(request)) == request
        self.requests.append(request)
        return self.answer


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    for name, value in {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "ann",
        "DEVBRIDGE_JOB": "factorial",
        "DEVBRIDGE_IOT_ENDPOINT": "iot.example",
        "AWS_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    fake = Daemon(Settings.from_environment())
    monkeypatch.setattr(module, "_bridge", fake)
    return fake


def ask(action: str, job_id: object = JOB_ID) -> dict[str, Any]:
    return module.handler({"devbridge": 1, "action": action, "jobId": job_id}, Context())


def test_a_cancellation_is_answered_with_the_states_before_and_after(daemon: Daemon) -> None:
    daemon.replies(Cancelled, job_id=JOB_ID, state="CANCELLED", was="QUEUED")
    assert ask("cancel") == {"jobId": JOB_ID, "state": "CANCELLED", "was": "QUEUED"}
    (request,) = daemon.requests
    assert isinstance(request, Cancel)
    assert request.job == "factorial"


@pytest.mark.parametrize(("action", "with_result"), [("status", False), ("result", True)])
def test_only_who_asks_for_the_result_gets_it(
    daemon: Daemon, action: str, with_result: bool
) -> None:
    known = {"job_id": JOB_ID, "job": "factorial", "attempt": 1, "max_attempts": 3}
    daemon.replies(StatusReply, **known, state="SUCCEEDED", result=b"0" if with_result else None)
    answer = {"jobId": JOB_ID, "job": "factorial", "attempt": 1, "maxAttempts": 3}
    assert ask(action) == {
        **answer,
        "state": "SUCCEEDED",
        **({"result": 0} if with_result else {}),
    }
    (request,) = daemon.requests
    assert isinstance(request, Status)
    assert request.with_result is with_result


def test_the_error_of_a_failure_is_in_its_status(daemon: Daemon) -> None:
    known = {"job_id": JOB_ID, "job": "factorial", "attempt": 1, "max_attempts": 1}
    daemon.replies(StatusReply, **known, state="FAILED", error_type="KeyError", error_message="'x'")
    assert ask("status")["failure"] == {"type": "KeyError", "message": "'x'"}


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
@pytest.mark.parametrize("job_id", [None, 5, "", "3f2a", "../" + JOB_ID])
def test_what_cannot_be_an_id_is_an_unknown_run_and_is_not_sent(
    daemon: Daemon, action: str, job_id: object
) -> None:
    assert ask(action, job_id)["error"]["code"] == REJECT_UNKNOWN_RUN
    assert daemon.requests == []


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
def test_a_run_that_the_daemon_does_not_know_is_told_as_such(daemon: Daemon, action: str) -> None:
    daemon.replies(Rejected, code=REJECT_UNKNOWN_RUN, message="nothing is known")
    assert ask(action) == {"error": {"code": "UnknownRun", "message": "nothing is known"}}


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
@pytest.mark.parametrize(
    ("silence", "code", "said"),
    [
        (Silence.NEVER_CONNECTED, "NoDaemon", "no devbridge is connected to demo (stage ann)"),
        (Silence.OFFLINE, "Offline", "devbridge of ann@laptop is not running for demo"),
        (Silence.NO_ANSWER, "NoAnswer", "devbridge of ann@laptop did not answer for demo"),
    ],
)
def test_a_question_that_nobody_answers_says_who_was_expected(
    daemon: Daemon, action: str, silence: Silence, code: str, said: str
) -> None:
    daemon.answer = NoAnswer(silence, who="ann@laptop")
    error = ask(action)["error"]
    assert error["code"] == code
    assert said in error["message"]


def test_an_unknown_action_lists_those_there_are(daemon: Daemon) -> None:
    assert '"result"' in ask("explode")["error"]["message"]
