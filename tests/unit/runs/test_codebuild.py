from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from devbridge.errors import (
    CloudError,
    NotDeployed,
    NotFound,
    PayloadTooLarge,
    UnknownJob,
    UnknownRun,
)
from devbridge.protocol import codec
from devbridge.runs.codebuild import CodeBuildRun, CodeBuildStore
from devbridge.runs.model import State
from runner.outcome import Failure
from tests.unit.codebuild import PROJECT, FakeCodeBuild
from tests.unit.runs.clouds import S3

BUCKET = "devbridge-assets-111122223333-eu-west-1"
UUID = "0b1c2d3e-0000-4000-8000-000000000001"
BUILD = f"{PROJECT}:{UUID}"


class There:
    """A CodeBuild and an S3 in memory, and the runs of a job there."""

    def __init__(self, **variables: str) -> None:
        self.codebuild = FakeCodeBuild(variables)
        self.s3 = S3(bucket=BUCKET)
        self.store = self.runs_of()

    def runs_of(self, *, project: str = PROJECT, **options: Any) -> CodeBuildStore:
        return CodeBuildStore(
            self.codebuild.client,
            lambda: self.s3,
            app="demo",
            stage="prod",
            job="factorial",
            project=project,
            bucket=BUCKET,
            **options,
        )

    def keys(self) -> list[str]:
        return sorted(self.s3.objects)

    def object(self, key: str) -> bytes:
        return self.s3.objects[key]

    def given(self, job_id: str) -> dict[str, str]:
        """What a build's environment has of its payload."""
        variables = self.codebuild.builds[job_id]["environment"]["environmentVariables"]
        given = [v for v in variables if "PAYLOAD" in v["name"]]
        assert {v["type"] for v in given} == {"PLAINTEXT"}
        return {v["name"]: v["value"] for v in given}


def start(
    store: CodeBuildStore, payload: bytes, *, key: str, remember: bool
) -> tuple[str, State, bool]:
    started = store.start("factorial", payload, key=key, remember=remember)
    record = started.run.record
    return record.job_id, record.state, started.duplicate


def ids(runs: Sequence[CodeBuildRun]) -> list[str]:
    return [run.record.job_id for run in runs]


# --- starting -----------------------------------------------------------------------------------


TOKEN = codec.job_id("demo", "prod", "factorial", "k")
PAYLOAD = f"payloads/demo/prod/factorial/{TOKEN}.json"
RECORD = f"runs/demo/prod/factorial/{TOKEN}"


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("remember", [False, True])
def test_a_key_starts_one_run(remember: bool, inline: bool) -> None:
    there = There()
    runs = there.runs_of(inline=inline)
    first = start(runs, b'{"num":5}', key="k", remember=remember)
    again = start(runs, b'{"num":5}', key="k", remember=remember)
    other = start(runs, b'{"num":5}', key="other", remember=remember)
    assert first == (next(iter(there.codebuild.builds)), "QUEUED", False)
    assert again == (first[0], "QUEUED", remember)
    assert other[0] != first[0]


def test_a_builds_record_has_a_pointer_to_its_payload_and_nothing_of_it() -> None:
    there = There()
    job_id, *_ = start(there.store, b'{"card":4111}', key="k", remember=False)
    assert there.given(job_id) == {"DEVBRIDGE_PAYLOAD_KEY": PAYLOAD}
    assert "4111" not in json.dumps(there.codebuild.builds[job_id])
    assert there.keys() == [PAYLOAD]
    assert there.object(PAYLOAD) == b'{"card":4111}'


def test_a_payload_is_encrypted_with_the_key_that_is_named() -> None:
    there, key = There(), "arn:aws:kms:eu-west-1:123456789012:key/1"
    start(there.runs_of(encryption_key=key), b"1", key="k", remember=False)
    assert there.s3.more[PAYLOAD]["SSEKMSKeyId"] == key


def test_of_two_payloads_with_one_key_the_first_counts_as_in_devbridge_dev() -> None:
    there = There()
    first, *_ = start(there.store, b"1", key="k", remember=False)
    assert start(there.store, b"2", key="k", remember=False)[0] == first
    assert there.object(PAYLOAD) == b"1"


def test_a_call_that_comes_again_when_the_run_has_read_its_payload_leaves_none() -> None:
    there = There()
    job_id, *_ = start(there.store, b"1", key="k", remember=False)
    del there.s3.objects[PAYLOAD]
    there.codebuild.builds[job_id]["currentPhase"] = "BUILD"
    assert start(there.store, b"1", key="k", remember=False)[:2] == (job_id, "RUNNING")
    assert there.keys() == []


def test_a_run_that_codebuild_refuses_leaves_no_payload() -> None:
    there = There()
    start(there.runs_of(inline=True), b"1", key="k", remember=False)
    with pytest.raises(ClientError, match="mismatch"):
        start(there.store, b"1", key="k", remember=False)
    assert there.keys() == []


def test_a_payload_stays_when_nobody_knows_whether_the_run_was_started() -> None:
    there = There()
    there.codebuild.client.meta.events.register_first(
        "before-send.codebuild", lambda **_: raise_(ReadTimeoutError(endpoint_url="u"))
    )
    with pytest.raises(ReadTimeoutError):
        start(there.store, b"1", key="k", remember=False)
    assert there.keys() == [PAYLOAD]


def raise_(error: Exception) -> NoReturn:
    raise error


def test_a_users_key_is_known_when_codebuild_has_forgotten_it() -> None:
    there = There()
    job_id, *_ = start(there.store, b"1", key="k", remember=True)
    there.codebuild.tokens.clear()
    there.codebuild.builds[job_id]["buildStatus"] = "SUCCEEDED"
    assert start(there.store, b"2", key="k", remember=True) == (job_id, "SUCCEEDED", True)
    assert there.keys() == [PAYLOAD, RECORD]
    assert there.object(PAYLOAD) == b"1"


def test_a_users_key_whose_run_is_forgotten_starts_another() -> None:
    there = There()
    first, *_ = start(there.store, b"1", key="k", remember=True)
    there.codebuild.tokens.clear()
    del there.codebuild.builds[first]
    second, _, duplicate = start(there.store, b"1", key="k", remember=True)
    assert (second != first, duplicate) == (True, False)
    assert start(there.store, b"1", key="k", remember=True)[0] == second


def test_a_generated_key_leaves_nothing_behind() -> None:
    there = There()
    start(there.runs_of(inline=True), b"1", key="k", remember=False)
    assert there.keys() == []


@pytest.mark.parametrize(("size", "inline"), [(8192, True), (8193, False)])
def test_of_a_job_that_says_inline_a_large_payload_goes_through_s3(size: int, inline: bool) -> None:
    there, payload = There(), b'"' + b"x" * (size - 2) + b'"'
    runs = there.runs_of(inline=True)
    job_id, *_ = start(runs, payload, key="k", remember=False)
    start(runs, payload, key="k", remember=False)  # the same parameters again
    if inline:
        assert there.given(job_id) == {"DEVBRIDGE_PAYLOAD": payload.decode()}
        assert there.keys() == []
    else:
        assert there.given(job_id) == {"DEVBRIDGE_PAYLOAD_KEY": PAYLOAD}
        assert there.object(PAYLOAD) == payload


def test_a_container_takes_small_payloads_only() -> None:
    there = There()
    runs = there.runs_of(container=True)
    start(runs, b"1", key="k", remember=False)
    with pytest.raises(PayloadTooLarge, match="a container job takes 8,192"):
        start(runs, b"x" * 8193, key="l", remember=False)


def test_what_is_json_and_no_text_is_escaped() -> None:
    there = There()
    payload = codec.dump_json({"half": "\ud800", "face": "\U0001f642"})
    job_id, *_ = start(there.runs_of(inline=True), payload, key="k", remember=False)
    value = there.given(job_id)["DEVBRIDGE_PAYLOAD"]
    start(there.store, payload, key="other", remember=False)
    (key,) = there.keys()
    assert value == there.object(key).decode() == '{"half":"\\ud800","face":"\U0001f642"}'
    assert json.loads(value) == {"half": "\ud800", "face": "\U0001f642"}


# --- asking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("job_id", [BUILD, f"other-project:{UUID}", UUID, "none", ""])
def test_a_run_that_is_not_the_jobs_is_unknown(job_id: str) -> None:
    there = There()
    with pytest.raises(UnknownRun, match="nothing is known of a run") as caught:
        there.store.get(job_id)
    assert caught.value.where == f"project {PROJECT}"


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
    done = there.store.get(build["id"]).cancel()
    assert (done.job_id, done.job, done.was, done.state) == (build["id"], "factorial", was, state)
    assert build["buildStatus"] == "STOPPED"
    again = there.store.get(build["id"]).cancel()
    assert (again.was, again.state) == ("CANCELLED", "CANCELLED")
    assert there.codebuild.calls.count("StopBuild") == 1


def test_runs_are_listed_the_newest_first_over_all_pages() -> None:
    there = There()
    added = [there.codebuild.add("FAILED" if n % 50 else "SUCCEEDED")["id"] for n in range(250)]
    newest = added[::-1]
    assert ids(there.store.recent(3)) == newest[:3]
    assert there.codebuild.calls == ["ListBuildsForProject", "BatchGetBuilds"]
    assert ids(there.store.recent(201)) == newest[:201]
    succeeded = ids(there.store.recent(4, state=State.SUCCEEDED))
    assert succeeded == [added[n] for n in (200, 150, 100, 50)]
    assert there.store.recent(9, state=State.RUNNING) == []


def test_runs_are_found_by_the_beginning_of_their_id() -> None:
    there = There()
    added = [there.codebuild.add()["id"] for _ in range(120)]
    last = added[0].partition(":")[2]
    assert ids(there.store.find(last)) == [added[0]]
    assert ids(there.store.find(added[0])) == [added[0]]
    assert len(there.store.find(f"{PROJECT}:0000")) == 120
    assert there.store.find("ffff") == []


def test_a_job_whose_project_is_not_there_is_not_deployed() -> None:
    there = There()
    with pytest.raises(NotDeployed, match="is not deployed") as told:
        there.runs_of(project="gone").recent(1)
    assert told.value.where == "project gone"
    with pytest.raises(NotDeployed):
        there.runs_of(project="gone").find("0000")


def test_runs_over_the_concurrency_are_queued() -> None:
    there = There(DEVBRIDGE_CONCURRENCY="2")
    there.codebuild.add("SUCCEEDED")
    three = [there.codebuild.add(phase=phase)["id"] for phase in ("BUILD", "INSTALL", "BUILD")]
    states = [there.store.get(run_id).record.state for run_id in three]
    assert states == ["RUNNING", "STARTING", "QUEUED"]
    assert [run.record.state for run in there.store.recent(4)] == [
        "QUEUED", "STARTING", "RUNNING", "SUCCEEDED",
    ]  # fmt: skip
    done = there.store.get(three[2]).cancel()
    assert (done.was, done.state) == ("QUEUED", "CANCELLED")


def exported(**values: str) -> list[dict[str, str]]:
    return [{"name": f"DEVBRIDGE_{name}", "value": value} for name, value in values.items()]


def test_a_large_result_is_read_for_who_asks_for_it() -> None:
    there, at = There(), "results/demo/prod/factorial/u.json"
    there.s3.put_object(Bucket=BUCKET, Key=at, Body=b'"large"')
    told = exported(STATE="SUCCEEDED", RESULT=f"@{at}")
    build = there.codebuild.add("SUCCEEDED", exportedEnvironmentVariables=told)
    run = there.store.get(build["id"])
    assert (run.record.result, run.refresh().result) == (None, None)
    assert run.refresh(result=True).result == b'"large"'
    del there.s3.objects[at]
    assert run.refresh(result=True).result == b'"large"'


def test_a_run_that_has_ended_is_not_asked_about_again() -> None:
    there = There()
    run = there.store.get(there.codebuild.add("SUCCEEDED")["id"])
    asked = len(there.codebuild.calls)
    assert run.refresh(result=True).state is State.SUCCEEDED
    assert len(there.codebuild.calls) == asked


def test_a_result_that_s3_has_deleted_is_told() -> None:
    there = There()
    told = exported(STATE="SUCCEEDED", RESULT="@results/x.json")
    run = there.store.get(there.codebuild.add("SUCCEEDED", exportedEnvironmentVariables=told)["id"])
    with pytest.raises(CloudError, match="the result is not in S3") as caught:
        run.refresh(result=True)
    assert caught.value.where == f"s3://{BUCKET}/results/x.json"
    assert caught.value.remedy == "large results are kept for 30 days: run the job again"


def test_a_message_that_is_in_s3_is_read_for_who_asks_about_that_run_only() -> None:
    there, at = There(), "results/demo/prod/factorial/u.error.json"
    error = json.dumps({"type": "KeyError", "at": at})
    told = exported(STATE="FAILED", ERROR=error)
    build = there.codebuild.add("FAILED", exportedEnvironmentVariables=told)
    body = json.dumps({"type": "KeyError", "message": "'card'"}).encode()
    there.s3.put_object(Bucket=BUCKET, Key=at, Body=body)
    (listed,) = there.store.recent(1)
    elsewhere = "its message is in S3, `devbridge status` shows it"
    assert listed.record.failure == Failure("KeyError", elsewhere)
    whole = Failure("KeyError", "'card'")
    assert there.store.get(build["id"]).record.failure == whole
    assert [run.record.failure for run in there.store.find(build["id"])] == [whole]
    del there.s3.objects[at]
    gone = there.store.get(build["id"]).record.failure
    assert gone == Failure("KeyError", "its message is not in S3: it is kept for 30 days")


def test_a_job_of_another_project_is_not_started_here() -> None:
    there = There()
    with pytest.raises(UnknownJob, match="'other'"):
        there.store.start("other", b"1", key="k", remember=False)
    assert there.store.find(PROJECT, "other") == there.store.recent(1, "other") == []
    assert there.codebuild.calls == []


def test_the_output_of_runs_is_not_for_who_cannot_read_it() -> None:
    there = There()
    run = there.store.get(there.codebuild.add()["id"])
    with pytest.raises(CloudError, match="cannot be read from here"):
        list(run.output(follow=False))


# --- what a run was given -----------------------------------------------------------------------


@pytest.mark.parametrize("inline", [False, True])
def test_a_payload_is_known_though_its_run_has_read_and_deleted_it(inline: bool) -> None:
    there = There()
    store = there.runs_of(inline=inline)
    build = store.start("factorial", b'"5"', key="k", remember=False).run.record.job_id
    assert store.get(build).payload() == b'"5"'
    store.kept.delete(PAYLOAD)
    assert store.get(build).payload() == b'"5"'


def test_a_payload_of_which_no_version_is_left_must_be_given() -> None:
    there = There()
    build = there.store.start("factorial", b"5", key="k", remember=False).run.record.job_id
    there.store.kept.delete(PAYLOAD)
    there.s3.deleted = {f"{PAYLOAD}.of-another": b"6"}
    with pytest.raises(NotFound, match="not kept any more") as caught:
        there.store.get(build).payload()
    assert caught.value.remedy == "give it: --payload"


def test_a_run_that_was_started_without_a_payload_was_given_null() -> None:
    there = There()
    assert there.store.get(there.codebuild.add()["id"]).payload() == b"null"
