from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from devbridge.errors import CloudError, PayloadTooLarge, UnknownRun
from devbridge.protocol import codec
from devbridge.runs.codebuild import Build, Builds, interpret, is_build_id
from tests.unit.codebuild import PROJECT, FakeCodeBuild, client

BUCKET = "devbridge-assets-111122223333-eu-west-1"
UUID = "0b1c2d3e-0000-4000-8000-000000000001"
BUILD = f"{PROJECT}:{UUID}"


class There:
    """A CodeBuild and an S3 in memory, and the runs of a job there."""

    def __init__(self, **variables: str) -> None:
        self.codebuild = FakeCodeBuild(variables)
        self.s3 = client("s3")
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self.builds = self.runs_of()

    def runs_of(
        self,
        *,
        container: bool = False,
        inline: bool = False,
        project: str = PROJECT,
        encryption_key: str | None = None,
    ) -> Builds:
        return Builds(
            self.codebuild.client,
            lambda: self.s3,
            app="demo",
            stage="prod",
            job="factorial",
            project=project,
            bucket=BUCKET,
            container=container,
            inline=inline,
            encryption_key=encryption_key,
        )

    def keys(self) -> list[str]:
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def object(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def given(self, job_id: str) -> dict[str, str]:
        """What a build's environment has of its payload."""
        variables = self.codebuild.builds[job_id]["environment"]["environmentVariables"]
        return {v["name"]: v["value"] for v in variables if "PAYLOAD" in v["name"]}


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BUILD, True),
        (UUID, False),
        (f"{PROJECT}:{UUID[:-1]}", False),
        (f"{PROJECT}/..:{UUID}", False),
        ("", False),
        (None, False),
    ],
)
def test_the_form_of_a_builds_id(text: object, expected: bool) -> None:
    assert is_build_id(text) is expected


# --- what a build says of its run ---------------------------------------------------------------


def a_build(status: str = "IN_PROGRESS", phase: str = "BUILD", **more: Any) -> dict[str, Any]:
    variables = {
        "DEVBRIDGE_JOB_NAME": "factorial",
        "DEVBRIDGE_HANDLER": "a.handler",
        "DEVBRIDGE_ATTEMPTS": "3",
    }
    return {
        "id": BUILD,
        "buildStatus": status,
        "currentPhase": phase,
        "environment": {
            "environmentVariables": [{"name": k, "value": v} for k, v in variables.items()]
        },
        **more,
    }


def exported(**values: str) -> list[dict[str, str]]:
    return [{"name": f"DEVBRIDGE_{name}", "value": value} for name, value in values.items()]


def a_phase(kind: str, status: str, message: str = "", code: str = "") -> dict[str, Any]:
    contexts = [{"statusCode": code, "message": message}]
    return {"phaseType": kind, "phaseStatus": status, "startTime": 5.0, "contexts": contexts}


@pytest.mark.parametrize(
    ("phase", "state"),
    [
        (None, "QUEUED"),
        ("SUBMITTED", "QUEUED"),
        ("QUEUED", "QUEUED"),
        ("PROVISIONING", "STARTING"),
        ("DOWNLOAD_SOURCE", "STARTING"),
        ("INSTALL", "STARTING"),
        ("PRE_BUILD", "STARTING"),
        ("BUILD", "RUNNING"),
        ("POST_BUILD", "RUNNING"),
        ("FINALIZING", "RUNNING"),
        ("COMPLETED", "RUNNING"),
    ],
)
def test_the_phase_of_a_build_is_the_state_of_its_run(phase: Any, state: str) -> None:
    run = interpret(a_build(phase=phase))
    assert (run.state, run.final) == (state, False)
    assert interpret(a_build(phase=phase), waiting=True).state == "QUEUED"


def test_a_run_that_has_succeeded_has_its_result_and_its_times() -> None:
    build = a_build(
        "SUCCEEDED",
        "COMPLETED",
        startTime=1.0,
        endTime=9.0,
        phases=[a_phase("BUILD", "SUCCEEDED")],
        exportedEnvironmentVariables=exported(STATE="SUCCEEDED", RESULT="[0]", ATTEMPT="2"),
        logs={"groupName": "g", "streamName": "s"},
    )
    assert interpret(build) == Build(
        BUILD, "factorial", "SUCCEEDED", 2, 3, 1.0, 5.0, 9.0, "[0]", None, None, "COMPLETED", "g",
        "s",
    )  # fmt: skip


def test_a_container_that_has_succeeded_has_a_result_of_null() -> None:
    assert interpret(a_build("SUCCEEDED")).result == "null"


@pytest.mark.parametrize("state", ["FAILED", "TIMED_OUT", "CRASHED"])
def test_how_the_handler_has_ended_is_in_the_exported_variables(state: str) -> None:
    error = json.dumps({"type": "KeyError", "message": "'ü'"})
    variables = exported(STATE=state, ERROR=error, ATTEMPT="3")
    run = interpret(a_build("FAILED", exportedEnvironmentVariables=variables))
    assert (run.state, run.error_type, run.error_message) == (state, "KeyError", "'ü'")
    assert (run.attempt, run.result) == (3, None)


def test_a_run_begins_with_its_first_attempt_not_with_its_wait_for_its_turn() -> None:
    told = exported(STATE="FAILED", STARTED="7.250")
    phases = [a_phase("BUILD", "FAILED")]
    assert interpret(
        a_build("FAILED", phases=phases, exportedEnvironmentVariables=told)
    ).started_at == pytest.approx(7.25)
    assert interpret(a_build("FAILED", phases=phases)).started_at == pytest.approx(5)


def test_a_stopped_build_does_not_say_which_attempt_was_the_last() -> None:
    assert interpret(a_build("STOPPED")).attempt == 0
    assert interpret(a_build()).attempt == 1
    only = a_build("STOPPED")
    only["environment"]["environmentVariables"].pop()  # DEVBRIDGE_ATTEMPTS
    assert interpret(only).attempt == 1


def test_a_run_that_was_terminated_in_a_build_that_nobody_stopped_says_so() -> None:
    error = json.dumps({"type": "Terminated", "message": "SIGTERM"})
    told = exported(STATE="CANCELLED", ERROR=error)
    run = interpret(a_build("FAILED", exportedEnvironmentVariables=told))
    assert (run.state, run.error_type) == ("CANCELLED", "Terminated")


def test_a_run_that_took_too_long_need_not_have_an_error() -> None:
    variables = exported(STATE="TIMED_OUT", ATTEMPT="1")
    run = interpret(a_build("FAILED", exportedEnvironmentVariables=variables))
    assert (run.state, run.error_type) == ("TIMED_OUT", None)


@pytest.mark.parametrize(
    ("build", "state", "error_type", "message"),
    [
        (a_build("STOPPED"), "CANCELLED", None, None),
        (a_build("TIMED_OUT", phases=[a_phase("BUILD", "TIMED_OUT")]), "TIMED_OUT", None, None),
        (
            a_build("TIMED_OUT", phases=[a_phase("QUEUED", "TIMED_OUT")]),
            "TIMED_OUT",
            "BuildTimedOut",
            "the build has timed out in phase QUEUED",
        ),
        (
            a_build("FAILED", phases=[a_phase("PROVISIONING", "FAILED", "no image", "IMAGE_PULL")]),
            "CRASHED",
            "BuildFailed",
            "the build has ended FAILED in phase PROVISIONING: IMAGE_PULL no image",
        ),
        (
            a_build("FAULT", phases=[a_phase("BUILD", "FAULT")]),
            "CRASHED",
            "BuildFailed",
            "the build has ended FAULT in phase BUILD",
        ),
        (
            a_build("FAILED", "COMPLETED"),
            "CRASHED",
            "BuildFailed",
            "the build has ended FAILED in phase COMPLETED",
        ),
        (
            {
                **a_build(
                    "FAILED",
                    phases=[
                        a_phase(
                            "BUILD",
                            "FAILED",
                            "Error while executing command: x. Reason: exit status 3",
                            "COMMAND_EXECUTION_ERROR",
                        )
                    ],
                ),
                "environment": {"environmentVariables": []},
            },
            "FAILED",
            "CommandFailed",
            "the command exited with code 3",
        ),
    ],
)
def test_an_end_without_the_runners_word_is_told_as_what_it_was(
    build: dict[str, Any], state: str, error_type: str | None, message: str | None
) -> None:
    run = interpret(build)
    assert (run.state, run.error_type, run.error_message) == (state, error_type, message)
    assert run.final


# --- starting -----------------------------------------------------------------------------------


TOKEN = codec.job_id("demo", "prod", "factorial", "k")
PAYLOAD = f"payloads/demo/prod/factorial/{TOKEN}.json"
RECORD = f"runs/demo/prod/factorial/{TOKEN}"


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("remember", [False, True])
def test_a_key_starts_one_run(remember: bool, inline: bool) -> None:
    there = There()
    runs = there.runs_of(inline=inline)
    first = runs.start(b'{"num":5}', key="k", remember=remember)
    again = runs.start(b'{"num":5}', key="k", remember=remember)
    other = runs.start(b'{"num":5}', key="other", remember=remember)
    assert first == (next(iter(there.codebuild.builds)), "QUEUED", False)
    assert again == (first[0], "QUEUED", remember)
    assert other[0] != first[0]


def test_a_builds_record_has_a_pointer_to_its_payload_and_nothing_of_it() -> None:
    there = There()
    job_id, *_ = there.builds.start(b'{"card":4111}', key="k", remember=False)
    assert there.given(job_id) == {"DEVBRIDGE_PAYLOAD_KEY": PAYLOAD}
    assert "4111" not in json.dumps(there.codebuild.builds[job_id])
    assert there.keys() == [PAYLOAD]
    assert there.object(PAYLOAD) == b'{"card":4111}'


def test_a_payload_is_encrypted_with_the_key_that_is_named() -> None:
    there, key = There(), "arn:aws:kms:eu-west-1:123456789012:key/1"
    there.runs_of(encryption_key=key).start(b"1", key="k", remember=False)
    head = there.s3.head_object(Bucket=BUCKET, Key=PAYLOAD)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_of_two_payloads_with_one_key_the_first_counts_as_in_devbridge_dev() -> None:
    there = There()
    first, *_ = there.builds.start(b"1", key="k", remember=False)
    assert there.builds.start(b"2", key="k", remember=False)[0] == first
    assert there.object(PAYLOAD) == b"1"


def test_a_call_that_comes_again_when_the_run_has_read_its_payload_leaves_none() -> None:
    there = There()
    job_id, *_ = there.builds.start(b"1", key="k", remember=False)
    there.s3.delete_object(Bucket=BUCKET, Key=PAYLOAD)
    there.codebuild.builds[job_id]["currentPhase"] = "BUILD"
    assert there.builds.start(b"1", key="k", remember=False)[:2] == (job_id, "RUNNING")
    assert there.keys() == []


def test_a_run_that_codebuild_refuses_leaves_no_payload() -> None:
    there = There()
    there.runs_of(inline=True).start(b"1", key="k", remember=False)
    with pytest.raises(ClientError, match="mismatch"):
        there.builds.start(b"1", key="k", remember=False)
    assert there.keys() == []


def test_a_payload_stays_when_nobody_knows_whether_the_run_was_started() -> None:
    there = There()
    there.codebuild.client.meta.events.register_first(
        "before-send.codebuild", lambda **_: raise_(ReadTimeoutError(endpoint_url="u"))
    )
    with pytest.raises(ReadTimeoutError):
        there.builds.start(b"1", key="k", remember=False)
    assert there.keys() == [PAYLOAD]


def raise_(error: Exception) -> NoReturn:
    raise error


def test_a_users_key_is_known_when_codebuild_has_forgotten_it() -> None:
    there = There()
    job_id, *_ = there.builds.start(b"1", key="k", remember=True)
    there.codebuild.tokens.clear()
    there.codebuild.builds[job_id]["buildStatus"] = "SUCCEEDED"
    assert there.builds.start(b"2", key="k", remember=True) == (job_id, "SUCCEEDED", True)
    assert there.keys() == [PAYLOAD, RECORD]
    assert there.object(PAYLOAD) == b"1"


def test_a_users_key_whose_run_is_forgotten_starts_another() -> None:
    there = There()
    first, *_ = there.builds.start(b"1", key="k", remember=True)
    there.codebuild.tokens.clear()
    del there.codebuild.builds[first]
    second, _, duplicate = there.builds.start(b"1", key="k", remember=True)
    assert (second != first, duplicate) == (True, False)
    assert there.builds.start(b"1", key="k", remember=True)[0] == second


def test_a_generated_key_leaves_nothing_behind() -> None:
    there = There()
    there.runs_of(inline=True).start(b"1", key="k", remember=False)
    assert there.keys() == []


@pytest.mark.parametrize(("size", "inline"), [(8192, True), (8193, False)])
def test_of_a_job_that_says_inline_a_large_payload_goes_through_s3(size: int, inline: bool) -> None:
    there, payload = There(), b'"' + b"x" * (size - 2) + b'"'
    runs = there.runs_of(inline=True)
    job_id, *_ = runs.start(payload, key="k", remember=False)
    runs.start(payload, key="k", remember=False)  # the same parameters again
    if inline:
        assert there.given(job_id) == {"DEVBRIDGE_PAYLOAD": payload.decode()}
        assert there.keys() == []
    else:
        assert there.given(job_id) == {"DEVBRIDGE_PAYLOAD_KEY": PAYLOAD}
        assert there.object(PAYLOAD) == payload


def test_a_container_takes_small_payloads_only() -> None:
    there = There()
    runs = there.runs_of(container=True)
    runs.start(b"1", key="k", remember=False)
    with pytest.raises(PayloadTooLarge, match="a container job takes 8,192"):
        runs.start(b"x" * 8193, key="l", remember=False)


def test_what_is_json_and_no_text_is_escaped() -> None:
    there = There()
    payload = codec.dump_json({"half": "\ud800", "face": "\U0001f642"})
    job_id, *_ = there.runs_of(inline=True).start(payload, key="k", remember=False)
    value = there.given(job_id)["DEVBRIDGE_PAYLOAD"]
    there.builds.start(payload, key="other", remember=False)
    (key,) = there.keys()
    assert value == there.object(key).decode() == '{"half":"\\ud800","face":"\U0001f642"}'
    assert json.loads(value) == {"half": "\ud800", "face": "\U0001f642"}


# --- asking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("job_id", [BUILD, f"other-project:{UUID}", UUID, "none", ""])
def test_a_run_that_is_not_the_jobs_is_unknown(job_id: str) -> None:
    there = There()
    for ask in (there.builds.get, there.builds.cancel):
        with pytest.raises(UnknownRun, match="nothing is known of a run"):
            ask(job_id)


@pytest.mark.parametrize(
    ("phase", "was", "state"),
    [
        ("QUEUED", "QUEUED", "CANCELLED"),
        ("INSTALL", "STARTING", "CANCELLED"),
        ("BUILD", "RUNNING", "CANCELLED"),
    ],
)
def test_a_cancelled_run_is_stopped(phase: str, was: str, state: str) -> None:
    there = There()
    build = there.codebuild.add(phase=phase)
    assert there.builds.cancel(build["id"]) == (was, state)
    assert build["buildStatus"] == "STOPPED"
    assert there.builds.cancel(build["id"]) == ("CANCELLED", "CANCELLED")
    assert there.codebuild.calls.count("StopBuild") == 1


def test_runs_are_listed_the_newest_first_over_all_pages() -> None:
    there = There()
    added = [there.codebuild.add("FAILED" if n % 50 else "SUCCEEDED")["id"] for n in range(250)]
    newest = added[::-1]
    assert [run.job_id for run in there.builds.list(3)] == newest[:3]
    assert [run.job_id for run in there.builds.list(201)] == newest[:201]
    succeeded = [run.job_id for run in there.builds.list(4, "SUCCEEDED")]
    assert succeeded == [added[n] for n in (200, 150, 100, 50)]
    assert there.builds.list(9, "RUNNING") == []


def test_runs_are_found_by_the_beginning_of_their_id() -> None:
    there = There()
    ids = [there.codebuild.add()["id"] for _ in range(120)]
    last = ids[0].partition(":")[2]
    assert [run.job_id for run in there.builds.find(last)] == [ids[0]]
    assert [run.job_id for run in there.builds.find(ids[0])] == [ids[0]]
    assert len(there.builds.find(f"{PROJECT}:0000")) == 120
    assert there.builds.find("ffff") == []


def test_a_project_that_is_not_there_is_codebuilds_own_error() -> None:
    there = There()
    with pytest.raises(there.codebuild.client.exceptions.ResourceNotFoundException):
        there.runs_of(project="gone").list(1)


def test_runs_over_the_concurrency_are_queued() -> None:
    there = There(DEVBRIDGE_CONCURRENCY="2")
    there.codebuild.add("SUCCEEDED")
    ids = [there.codebuild.add(phase=phase)["id"] for phase in ("BUILD", "INSTALL", "BUILD")]
    assert [there.builds.get(i).state for i in ids] == ["RUNNING", "STARTING", "QUEUED"]
    assert [run.state for run in there.builds.list(4)] == [
        "QUEUED", "STARTING", "RUNNING", "SUCCEEDED",
    ]  # fmt: skip
    assert there.builds.cancel(ids[2]) == ("QUEUED", "CANCELLED")


def test_a_result_is_read_where_it_is() -> None:
    there = There()
    there.s3.put_object(Bucket=BUCKET, Key="results/demo/prod/factorial/u.json", Body=b'"large"')
    small = Build(BUILD, "factorial", "SUCCEEDED", result="[1]")
    large = Build(BUILD, "factorial", "SUCCEEDED", result="@results/demo/prod/factorial/u.json")
    assert there.builds.result(small) == "[1]"
    assert there.builds.result(large) == '"large"'


def test_a_result_that_s3_has_deleted_is_told() -> None:
    gone = Build(BUILD, "factorial", "SUCCEEDED", result="@results/x.json")
    with pytest.raises(CloudError, match="large results are kept for 30 days"):
        There().builds.result(gone)


def test_a_message_that_is_in_s3_is_read_for_who_asks_about_that_run_only() -> None:
    there, at = There(), "results/demo/prod/factorial/u.error.json"
    error = json.dumps({"type": "KeyError", "at": at})
    told = exported(STATE="FAILED", ERROR=error)
    build = there.codebuild.add("FAILED", exportedEnvironmentVariables=told)
    body = json.dumps({"type": "KeyError", "message": "'card'"}).encode()
    there.s3.put_object(Bucket=BUCKET, Key=at, Body=body)
    (listed,) = there.builds.list(1)
    assert (listed.error_type, listed.error_message) == (
        "KeyError",
        "its message is in S3, `devbridge status` shows it",
    )
    assert there.builds.get(build["id"]).error_message == "'card'"
    assert [run.error_message for run in there.builds.find(build["id"])] == ["'card'"]
    there.s3.delete_object(Bucket=BUCKET, Key=at)
    gone = there.builds.get(build["id"])
    assert gone.error_message == "its message is not in S3: it is kept for 30 days"
