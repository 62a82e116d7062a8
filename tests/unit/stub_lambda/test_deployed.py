from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from devbridge.protocol.codec import job_id
from runner.places import Places
from stub_lambda import deployed, handler
from stub_lambda.events import BAD_EVENT
from tests.unit.codebuild import PROJECT, FakeCodeBuild, client

BUCKET = "devbridge-assets-111122223333-eu-west-1"
ENVIRONMENT = {
    "DEVBRIDGE_APP": "demo",
    "DEVBRIDGE_STAGE": "prod",
    "DEVBRIDGE_JOB": "factorial",
    "DEVBRIDGE_PROJECT": PROJECT,
    "DEVBRIDGE_BUCKET": BUCKET,
}


class Context:
    aws_request_id = "request-1"
    invoked_function_arn = ""

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


@pytest.fixture
def codebuild(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCodeBuild]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        fake, s3 = FakeCodeBuild(), client("s3")
        s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        monkeypatch.setattr(deployed, "_client", {"codebuild": fake.client, "s3": s3}.get)
        forget()
        yield fake
        forget()


def forget() -> None:
    deployed.runs_of.cache_clear()
    deployed.starter_of.cache_clear()


def ask(action: str, **fields: Any) -> dict[str, Any]:
    event = {"devbridge": 1, "action": action, **fields}
    answer: dict[str, Any] = deployed.handler(event, Context())
    return answer


def test_a_run_has_an_id_of_its_own_and_is_a_build(codebuild: FakeCodeBuild) -> None:
    answer = ask("run", payload={"num": 5})
    run_id = f"{PROJECT}:{job_id('demo', 'prod', 'factorial', Context.aws_request_id)}"
    assert answer == {"jobId": run_id, "state": "QUEUED", "duplicate": False}
    assert ask("run", payload={"num": 5}) == {**answer, "duplicate": True}  # Lambda's retry
    (build,) = codebuild.builds.values()
    assert {"name": "DEVBRIDGE_RUN_ID", "value": run_id, "type": "PLAINTEXT"} in build[
        "environment"
    ]["environmentVariables"]


def test_another_request_of_the_same_is_another_run(
    codebuild: FakeCodeBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask("run", payload=1)
    monkeypatch.setattr(Context, "aws_request_id", "request-2")
    assert ask("run", payload=1)["jobId"] != first["jobId"]
    assert len(codebuild.builds) == 2


@pytest.mark.parametrize("generated", [{}, {"generatedKey": True}])
def test_a_key_is_known_when_codebuild_has_forgotten_it(
    codebuild: FakeCodeBuild, generated: dict[str, bool]
) -> None:
    first = ask("run", payload=1, idempotencyKey="k", **generated)
    codebuild.tokens.clear()
    assert ask("run", payload=1, idempotencyKey="k", **generated) == {**first, "duplicate": True}
    assert len(codebuild.builds) == 1


def test_a_run_begins_at_the_checkpoint_that_comes_with_it(codebuild: FakeCodeBuild) -> None:
    run_id = ask("run", payload=1, checkpoint='{"epoch": 3}')["jobId"]
    key = Places("demo/prod/factorial").checkpoint(run_id.partition(":")[2])
    assert deployed._client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == (
        b'{"epoch": 3}'
    )


def test_a_status_has_the_words_of_the_stub(codebuild: FakeCodeBuild) -> None:
    running = codebuild.add()
    assert ask("status", jobId=running["id"]) == {
        "jobId": running["id"],
        "job": "factorial",
        "state": "RUNNING",
        "attempt": 1,
        "maxAttempts": 1,
    }
    error = json.dumps({"type": "KeyError", "message": "'x'"})
    variables = {"DEVBRIDGE_STATE": "FAILED", "DEVBRIDGE_ERROR": error}
    running["buildStatus"] = "FAILED"
    running["exportedEnvironmentVariables"] = named(variables)
    failed = ask("status", jobId=running["id"])
    assert (failed["state"], failed["failure"]) == (
        "FAILED",
        {"type": "KeyError", "message": "'x'"},
    )


@pytest.mark.parametrize("value", [0, None, "ü", {"a": [1]}])
def test_only_who_asks_for_the_result_gets_it(codebuild: FakeCodeBuild, value: object) -> None:
    variables = {"DEVBRIDGE_STATE": "SUCCEEDED", "DEVBRIDGE_RESULT": json.dumps(value)}
    build = codebuild.add("SUCCEEDED", exportedEnvironmentVariables=named(variables))
    assert ask("result", jobId=build["id"])["result"] == value
    assert "result" not in ask("status", jobId=build["id"])


def test_a_result_that_lambda_does_not_return_is_told(codebuild: FakeCodeBuild) -> None:
    deployed._client("s3").put_object(Bucket=BUCKET, Key="results/r", Body=b"1" * 6_291_457)
    variables = {"DEVBRIDGE_STATE": "SUCCEEDED", "DEVBRIDGE_RESULT": "@results/r"}
    build = codebuild.add("SUCCEEDED", exportedEnvironmentVariables=named(variables))
    error = ask("result", jobId=build["id"])["error"]
    assert error["code"] == "PayloadTooLarge"
    assert "6,291,457 bytes" in error["message"]


def test_of_two_payloads_with_one_key_the_first_counts_as_in_devbridge_dev(
    codebuild: FakeCodeBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVBRIDGE_INLINE", "1")
    first = ask("run", payload=1, idempotencyKey="g", generatedKey=True)
    assert ask("run", payload=2, idempotencyKey="g", generatedKey=True)["jobId"] == first["jobId"]


def test_a_cancellation_stops_the_build(codebuild: FakeCodeBuild) -> None:
    build = codebuild.add()
    answer = {"jobId": build["id"], "state": "CANCELLED", "was": "RUNNING"}
    assert ask("cancel", jobId=build["id"]) == answer


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
@pytest.mark.parametrize(
    "job_id", [None, "", "none", "0b1c2d3e-0000-4000-8000-000000000001", "p:0b1c2d3e"]
)
def test_a_run_that_nobody_knows_is_told(
    codebuild: FakeCodeBuild, action: str, job_id: object
) -> None:
    assert ask(action, jobId=job_id)["error"]["code"] == "UnknownRun"


def test_what_codebuild_refuses_is_an_answer(
    codebuild: FakeCodeBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVBRIDGE_PROJECT", "gone")
    monkeypatch.setattr(
        FakeCodeBuild, "_StartBuild", lambda *_: {"__type": "ResourceNotFoundException"}
    )
    error = ask("run")["error"]
    assert error["code"] == "CloudError"
    assert "the run could not be started" in error["message"]


def test_a_container_takes_small_payloads_only(
    codebuild: FakeCodeBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVBRIDGE_CONTAINER", "1")
    assert ask("run", payload="x" * 8192)["error"]["code"] == "PayloadTooLarge"


@pytest.mark.parametrize("event", [None, {}, {"devbridge": 1, "action": "rm"}])
def test_a_bad_event_is_told(codebuild: FakeCodeBuild, event: object) -> None:
    assert deployed.handler(event, Context())["error"]["code"] == BAD_EVENT


def test_a_missing_variable_is_told(
    codebuild: FakeCodeBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEVBRIDGE_PROJECT")
    assert "DEVBRIDGE_PROJECT is missing" in ask("run")["error"]["message"]


# --- the stub's runs in the cloud ---------------------------------------------------------------


@pytest.fixture
def stub(codebuild: FakeCodeBuild, monkeypatch: pytest.MonkeyPatch) -> FakeCodeBuild:
    monkeypatch.setenv("DEVBRIDGE_IOT_ENDPOINT", "iot.example")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(handler, "_bridge", None)
    return codebuild


@pytest.mark.parametrize("action", ["status", "result", "cancel"])
def test_the_stub_asks_codebuild_about_builds(stub: FakeCodeBuild, action: str) -> None:
    build = stub.add()
    event = {"devbridge": 1, "action": action, "jobId": build["id"]}
    assert (
        handler.handler(event, Context()) == deployed.handler(event, Context())
        or action == "cancel"
    )
    assert build["buildStatus"] == ("STOPPED" if action == "cancel" else "IN_PROGRESS")


def test_the_stub_of_a_job_that_is_not_deployed_knows_no_builds(
    stub: FakeCodeBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEVBRIDGE_PROJECT")
    event = {"devbridge": 1, "action": "status", "jobId": stub.add()["id"]}
    assert handler.handler(event, Context())["error"]["code"] == "UnknownRun"
    assert stub.calls == []


def test_it_imports_nothing_but_the_standard_library_and_its_own_rooms() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import stub_lambda.deployed, devbridge.runs.deployed, devbridge.runs.starting\n"
        "for name in set(sys.modules) - before: print(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    tops = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert tops == {"devbridge", "runner", "stub_lambda"}
    assert "devbridge.transport" not in loaded


def named(variables: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def test_no_call_outlives_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("boto3.client", lambda _service, config: asked.append(config))
    getattr(deployed._client, "__wrapped__", deployed._client)("s3")
    assert (asked[0].connect_timeout, asked[0].read_timeout) == (3, 8)


def test_a_time_of_a_schedule_is_passed_over_while_the_run_of_another_goes_on(
    codebuild: FakeCodeBuild, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = "arn:aws:sqs:eu-west-1:111122223333:inbox"
    monkeypatch.setenv("DEVBRIDGE_TRIGGERS", json.dumps({"inbox": inbox}))

    def strike(time: str) -> None:
        head = {"kind": "schedule", "name": "nightly", "id": time, "alone": True}
        record = {
            "eventSource": "aws:sqs",
            "eventSourceARN": inbox,
            "messageId": time,
            "body": json.dumps({"devbridge": head, "event": {}, "payload": 1}),
        }
        answer = deployed.handler({"Records": [record]}, Context())
        assert answer == {"batchItemFailures": []}

    strike("1")
    strike("1")
    assert (len(codebuild.builds), capsys.readouterr().out) == (1, "")
    strike("2")
    assert len(codebuild.builds) == 1
    said = capsys.readouterr().out
    assert "schedule 'nightly'" in said
    first = f"{PROJECT}:{job_id('demo', 'prod', 'factorial', 'nightly/1')}"
    assert first in said
    ask("cancel", jobId=first)
    strike("3")
    assert len(codebuild.builds) == 2
