"""How the stub asks the daemon, and what it makes of its answer or its silence."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from devbridge.protocol import codec
from devbridge.protocol.messages import (
    REJECT_UNKNOWN_RUN,
    Accepted,
    Cancel,
    Cancelled,
    Rejected,
    Reply,
    Request,
    Run,
    Status,
    StatusReply,
)
from stub_lambda import deployed
from stub_lambda import handler as module
from stub_lambda.bridge import Answer, NoAnswer, Silence
from stub_lambda.environment import Placement
from stub_lambda.events import Question, Start
from stub_lambda.settings import OFFLINE_CLOUD, OFFLINE_ERROR, OFFLINE_QUEUE, Settings

JOB_ID = "6f1c2f4e-52a5-4a0b-9a44-3d1f0c9a7b11"
BUILD_ID = "demo_ann_factorial:0b1c2d3e-0000-4000-8000-000000000001"
ENVIRONMENT = {
    "DEVBRIDGE_APP": "demo",
    "DEVBRIDGE_STAGE": "ann",
    "DEVBRIDGE_JOB": "factorial",
    "DEVBRIDGE_IOT_ENDPOINT": "iot.example",
    "AWS_REGION": "eu-west-1",
}
WHO = "ann@laptop"


class Context:
    aws_request_id = "lambda-request"
    invoked_function_arn = ""

    def __init__(self, remaining: int = 10_000) -> None:
        self.remaining = remaining

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining


class Daemon:
    """Stands where the bridge is: keeps the requests, gives one answer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stub_id = codec.new_id()
        self.requests: list[Request] = []
        self.waits: list[float] = []
        self.enough: list[float | None] = []
        self.answer: Answer | NoAnswer = NoAnswer(Silence.NEVER_CONNECTED)

    def replies(self, kind: type[Reply], **fields: Any) -> None:
        self.answer = Answer(kind(request_id=codec.new_id(), **fields))

    def ask(self, request: Request, wait: float, enough: float | None = None) -> Answer | NoAnswer:
        self.enough.append(enough)
        assert codec.decode(codec.encode(request)) == request
        self.requests.append(request)
        self.waits.append(wait)
        return self.answer


class Builds:
    """Stands for the deployed invoker."""

    def __init__(self) -> None:
        self.asked: list[Start | Question] = []
        self.of: tuple[object, ...] = ()

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        self.asked.append(start)
        return {"jobId": BUILD_ID, "state": "QUEUED", "duplicate": False}

    def ask(self, question: Question, context: Context) -> dict[str, Any]:
        self.asked.append(question)
        return {"jobId": question.job_id, "state": "RUNNING"}


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    fake = Daemon(Settings.from_environment())
    monkeypatch.setattr(module, "_bridge", fake)
    return fake


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> Builds:
    fake = Builds()

    def of(*names: object) -> Builds:
        fake.of = names
        return fake

    monkeypatch.setattr(deployed.Deployed, "of", of)
    return fake


def under(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, offline: str, *, project: bool = True
) -> None:
    """Have the stage this offline policy."""
    monkeypatch.setenv("DEVBRIDGE_OFFLINE", offline)
    if project:
        monkeypatch.setenv("DEVBRIDGE_PROJECT", "p")
        monkeypatch.setenv("DEVBRIDGE_BUCKET", "b")
    daemon.settings = Settings.from_environment()


def ask(action: str, job_id: object = JOB_ID) -> dict[str, Any]:
    event = {"devbridge": 1, "action": action, "jobId": job_id}
    answer: dict[str, Any] = module.handler(event, Context())
    return answer


def run(payload: object = None, **fields: Any) -> dict[str, Any]:
    event = {"devbridge": 1, "action": "run", "payload": payload, **fields}
    answer: dict[str, Any] = module.handler(event, Context())
    return answer


# --- runs ---------------------------------------------------------------------------------------


def test_a_run_has_its_payload_its_job_and_the_id_that_its_key_gives(daemon: Daemon) -> None:
    daemon.replies(Accepted, job_id=JOB_ID, state="QUEUED", duplicate=True)
    before = time.time()
    answer = run({"num": 5}, idempotencyKey="k")
    assert answer == {"jobId": JOB_ID, "state": "QUEUED", "duplicate": True}
    (sent,) = daemon.requests
    assert isinstance(sent, Run)
    assert (sent.job, sent.payload, sent.idempotency_key) == ("factorial", b'{"num":5}', "k")
    assert sent.job_id == codec.job_id("demo", "ann", "factorial", "k")
    assert sent.stub_id == daemon.stub_id
    assert before <= sent.sent_at <= time.time()


def test_without_a_key_lambdas_own_retries_are_the_same_run(daemon: Daemon) -> None:
    run(1)
    run(1)
    first, second = daemon.requests
    assert isinstance(first, Run)
    assert isinstance(second, Run)
    assert first.job_id == second.job_id
    assert first.job_id == codec.job_id("demo", "ann", "factorial", "lambda-request")
    assert first.request_id != second.request_id
    assert first.idempotency_key is None


def test_the_wait_leaves_the_function_a_second_to_answer(daemon: Daemon) -> None:
    for remaining in (20_000, 10_000, 9_000, 4_000):
        module.handler({"devbridge": 1, "action": "run"}, Context(remaining))
        module.handler({"devbridge": 1, "action": "status", "jobId": JOB_ID}, Context(remaining))
    assert daemon.waits == [8, 8, 8, 8, 8, 8, 3, 3]


def test_a_record_whose_run_the_broker_keeps_leaves_time_for_the_others_of_its_batch(
    daemon: Daemon,
) -> None:
    message = {"messageId": "m", "body": "1", "eventSource": "aws:sqs", "eventSourceARN": "arn:q"}
    daemon.answer = NoAnswer(Silence.NO_ANSWER, stored=True, who=WHO)
    assert module.handler({"Records": [message]}, Context()) == {"batchItemFailures": []}
    run()
    assert (daemon.waits, daemon.enough) == ([8, 8], [4, None])


def test_a_payload_over_the_limits_says_what_to_do(daemon: Daemon) -> None:
    error = run("x" * codec.MAX_BODY)["error"]
    assert error["code"] == "PayloadTooLarge"
    assert error["message"].endswith("put it in S3 and send the key")


# --- a daemon that does not answer --------------------------------------------------------------

SILENCES = [
    (Silence.NEVER_CONNECTED, "NoDaemon", "no devbridge is connected to demo (stage ann)"),
    (Silence.OFFLINE, "Offline", "devbridge of ann@laptop is not running for demo (stage ann)"),
    (Silence.NO_ANSWER, "NoAnswer", "devbridge of ann@laptop did not answer for demo (stage ann)"),
]


@pytest.mark.parametrize("silence", [Silence.OFFLINE, Silence.NO_ANSWER])
def test_a_run_that_the_broker_keeps_is_queued(daemon: Daemon, silence: Silence) -> None:
    daemon.answer = NoAnswer(silence, stored=True, who=WHO)
    answer = run(idempotencyKey="k")
    job_id = codec.job_id("demo", "ann", "factorial", "k")
    assert answer == {"jobId": job_id, "state": "QUEUED", "duplicate": False}


@pytest.mark.parametrize("offline", [OFFLINE_QUEUE, OFFLINE_ERROR])
@pytest.mark.parametrize(("silence", "code", "said"), SILENCES)
def test_a_run_that_the_broker_does_not_keep_is_refused(
    daemon: Daemon,
    builds: Builds,
    monkeypatch: pytest.MonkeyPatch,
    offline: str,
    silence: Silence,
    code: str,
    said: str,
) -> None:
    under(daemon, monkeypatch, offline)
    daemon.answer = NoAnswer(silence, who=WHO)
    error = run()["error"]
    assert error["code"] == code
    assert said in error["message"]
    assert ("may start when it wakes up" in error["message"]) is (silence is Silence.NO_ANSWER)
    assert builds.asked == []


HELD = "arn:aws:sqs:eu-west-1:1:q"


@pytest.mark.parametrize("offline", [OFFLINE_QUEUE, OFFLINE_ERROR, OFFLINE_CLOUD])
def test_a_message_that_is_held_waits_in_its_queue_and_nowhere_else(
    daemon: Daemon, builds: Builds, monkeypatch: pytest.MonkeyPatch, offline: str
) -> None:
    under(daemon, monkeypatch, offline)
    monkeypatch.setenv("DEVBRIDGE_TRIGGERS", json.dumps({"sources": {HELD: {"held": True}}}))
    record = {"messageId": "m", "body": "1", "eventSource": "aws:sqs", "eventSourceARN": HELD}
    for stored in (False, True):
        daemon.answer = NoAnswer(Silence.OFFLINE, stored=stored, who=WHO)
        answer = module.handler({"Records": [record]}, Context())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert builds.asked == []


def test_under_cloud_a_run_that_finds_no_daemon_is_a_build(
    daemon: Daemon, builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    under(daemon, monkeypatch, OFFLINE_CLOUD)
    daemon.answer = NoAnswer(Silence.OFFLINE, who=WHO)
    assert run([1], idempotencyKey="k")["jobId"] == BUILD_ID
    assert builds.asked == [Start(b"[1]", "k", remember=True)]
    assert builds.of == ("demo", "ann", "factorial", Placement("p", "b", place={"project": "p"}))


@pytest.mark.parametrize("silence", [Silence.NO_ANSWER, Silence.NEVER_CONNECTED])
def test_under_cloud_a_run_that_the_daemon_may_have_is_not_started_a_second_time(
    daemon: Daemon, builds: Builds, monkeypatch: pytest.MonkeyPatch, silence: Silence
) -> None:
    under(daemon, monkeypatch, OFFLINE_CLOUD)
    daemon.answer = NoAnswer(silence, who=WHO)
    assert "error" in run()
    assert builds.asked == []


def test_under_cloud_a_job_that_is_not_deployed_says_so(
    daemon: Daemon, builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    under(daemon, monkeypatch, OFFLINE_CLOUD, project=False)
    daemon.answer = NoAnswer(Silence.OFFLINE, who=WHO)
    error = run()["error"]
    assert error["code"] == "NotDeployed"
    assert "the job factorial of demo is not deployed" in error["message"]
    assert "devbridge deploy" in error["message"]


def test_a_daemon_that_nobody_knows_the_owner_of_is_just_devbridge(daemon: Daemon) -> None:
    daemon.answer = NoAnswer(Silence.OFFLINE)
    assert run()["error"]["message"].startswith("devbridge is not running for")


# --- questions ----------------------------------------------------------------------------------


def test_a_cancellation_is_answered_with_the_states_before_and_after(daemon: Daemon) -> None:
    daemon.replies(Cancelled, job_id=JOB_ID, state="CANCELLED", was="QUEUED")
    assert ask("cancel") == {"jobId": JOB_ID, "state": "CANCELLED", "was": "QUEUED"}
    (request,) = daemon.requests
    assert isinstance(request, Cancel)
    assert (request.job, request.job_id) == ("factorial", JOB_ID)
    assert request.stub_id == daemon.stub_id


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
    assert (request.with_result, request.job, request.job_id) == (with_result, "factorial", JOB_ID)


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
@pytest.mark.parametrize("job_id", [None, 5, "", "3f2a", "../" + JOB_ID])
def test_what_cannot_be_an_id_is_an_unknown_run_and_is_not_sent(
    daemon: Daemon, builds: Builds, action: str, job_id: object
) -> None:
    assert ask(action, job_id)["error"]["code"] == REJECT_UNKNOWN_RUN
    assert (daemon.requests, builds.asked) == ([], [])


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
def test_a_run_that_the_daemon_does_not_know_is_told_as_such(daemon: Daemon, action: str) -> None:
    daemon.replies(Rejected, code=REJECT_UNKNOWN_RUN, message="nothing is known")
    assert ask(action) == {"error": {"code": "UnknownRun", "message": "nothing is known"}}


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
@pytest.mark.parametrize(("silence", "code", "said"), SILENCES)
def test_a_question_that_nobody_answers_says_who_was_expected(
    daemon: Daemon, action: str, silence: Silence, code: str, said: str
) -> None:
    daemon.answer = NoAnswer(silence, who=WHO)
    error = ask(action)["error"]
    assert error["code"] == code
    assert said in error["message"]
    assert "wakes up" not in error["message"], "it starts nothing"


def test_a_cancellation_that_the_broker_keeps_is_told_to_wait(daemon: Daemon) -> None:
    daemon.answer = NoAnswer(Silence.OFFLINE, stored=True, who=WHO)
    told = {"jobId": JOB_ID, "was": "QUEUED", "state": "QUEUED", "waits": True}
    assert ask("cancel") == told


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
@pytest.mark.parametrize("offline", [OFFLINE_QUEUE, OFFLINE_CLOUD])
def test_a_run_that_is_a_build_is_asked_of_the_deployed_invoker(
    daemon: Daemon, builds: Builds, monkeypatch: pytest.MonkeyPatch, action: str, offline: str
) -> None:
    under(daemon, monkeypatch, offline)
    assert ask(action, BUILD_ID) == {"jobId": BUILD_ID, "state": "RUNNING"}
    assert builds.asked == [Question(action, BUILD_ID)]
    assert daemon.requests == []


def test_without_a_deployed_job_no_build_is_a_run_of_it(daemon: Daemon, builds: Builds) -> None:
    assert ask("status", BUILD_ID)["error"]["code"] == REJECT_UNKNOWN_RUN
    assert builds.asked == []


# --- between invocations ------------------------------------------------------------------------


def test_the_bridge_is_kept_until_the_settings_change(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Daemon] = []

    def bridge(settings: Settings) -> Daemon:
        made.append(Daemon(settings))
        return made[-1]

    monkeypatch.setattr(module, "Bridge", bridge)
    run()
    assert (made, len(daemon.requests)) == ([], 1)
    monkeypatch.setenv("DEVBRIDGE_STAGE", "bob")
    run()
    run()
    (second,) = made
    assert second.settings.stage == "bob"
    assert len(second.requests) == 2
    monkeypatch.setattr(module, "_bridge", None)
    run()
    assert len(made) == 2


def test_a_missing_variable_is_an_error_that_the_caller_sees(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEVBRIDGE_APP")
    assert "DEVBRIDGE_APP is missing" in run()["error"]["message"]


def test_it_imports_nothing_but_the_standard_library_its_two_protocols_and_its_own_rooms() -> None:
    code = (
        "import sys; before = set(sys.modules); import stub_lambda.handler\n"
        "for name in set(sys.modules) - before: print(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split()) - {"socks"}  # paho's own, where it is installed
    assert {name.split(".")[0] for name in loaded} - sys.stdlib_module_names == {
        "devbridge",
        "paho",
        "runner",
        "stub_lambda",
        "websockets",
    }
    assert {name for name in loaded if name.startswith("runner.")} == {
        "runner.claims",
        "runner.dead_letters",
        "runner.messages",
        "runner.outcome",
        "runner.sigv4",
        "runner.triggered",
    }
    ours = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("devbridge.")}
    assert ours == {"devbridge.errors", "devbridge.protocol", "devbridge.transport"}
    assert "asyncio" not in loaded
