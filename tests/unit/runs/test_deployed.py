"""The runs of a deployed job, beyond what every store promises: see `test_base`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from devbridge.errors import CloudError, NotFound, UnknownJob, UnknownRun
from devbridge.runs.deployed import DeployedRuns, Through
from devbridge.runs.model import State
from devbridge.runs.reading import Reader
from runner.claims import Claim
from runner.outcome import Failure
from tests.unit.codebuild import PROJECT
from tests.unit.runs.worlds import BUCKET, DeployedWorld, ids

UUID = "0b1c2d3e-0000-4000-8000-000000000001"
BUILD = f"{PROJECT}:{UUID}"
COMPUTES = ("codebuild", "batch", "fargate", "lambda")


def exported(**values: str) -> list[dict[str, str]]:
    return [{"name": f"DEVBRIDGE_{name}", "value": value} for name, value in values.items()]


def built(world: DeployedWorld, **told: str) -> str:
    """A run whose build has failed or succeeded with these exported variables."""
    run_id = world.add(State.RUNNING)
    build = world.codebuild.builds[world.place(run_id)]
    build["buildStatus"] = "SUCCEEDED" if told["STATE"] == "SUCCEEDED" else "FAILED"
    build["exportedEnvironmentVariables"] = exported(**told)
    return run_id


# --- which runs there are -----------------------------------------------------------------------


@pytest.mark.parametrize("compute", COMPUTES)
@pytest.mark.parametrize("job_id", [BUILD, f"other-project:{UUID}", UUID, "none", ""])
def test_a_run_that_is_not_the_jobs_is_unknown(compute: str, job_id: str) -> None:
    with pytest.raises(UnknownRun, match="nothing is known of a run") as caught:
        DeployedWorld(compute).runs.get(job_id)
    assert caught.value.where == f"project {PROJECT}"


def test_a_job_of_another_name_is_not_started_here() -> None:
    world = DeployedWorld("codebuild")
    with pytest.raises(UnknownJob, match="'other'"):
        world.runs.start("other", b"1", key="k", remember=False)
    assert world.runs.find(PROJECT, "other") == world.runs.recent(1, "other") == []
    assert world.codebuild.calls == []


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED])
@pytest.mark.parametrize("compute", COMPUTES)
def test_a_run_stays_readable_when_its_job_has_moved(compute: str, state: State) -> None:
    world = DeployedWorld(compute)
    run_id = world.add(state)
    world.compute = "fargate" if compute == "batch" else "batch"
    moved = world._runs()
    assert moved.get(run_id).record.state is state
    assert ids(moved.recent(1)) == [run_id]
    assert moved.get(run_id).cancel().was is state


# --- runs of earlier versions -------------------------------------------------------------------


def test_a_build_that_an_earlier_version_has_started_is_a_run() -> None:
    world = DeployedWorld("codebuild")
    build = world.codebuild.add(phase="BUILD")
    build["environment"]["environmentVariables"] += exported(PAYLOAD='"ü"', ATTEMPTS="3")
    run = world.runs.get(build["id"])
    assert (run.record.state, run.record.max_attempts) == (State.RUNNING, 3)
    assert run.record.created_at == build["startTime"]
    assert json.loads(run.payload()) == "ü"
    assert ids(world.runs.find(build["id"])) == [build["id"]]
    assert world.runs.recent(1) == []
    done = run.cancel()
    assert (done.was, done.state) == (State.RUNNING, State.CANCELLED)
    assert run.refresh().state is State.CANCELLED
    assert not [key for key in world.s3.objects if key.startswith("runs/")]


def test_an_invoker_of_a_job_that_is_elsewhere_asks_codebuild_nothing() -> None:
    world = DeployedWorld("fargate")
    build = world.codebuild.add()
    with pytest.raises(UnknownRun):
        world.runs.get(build["id"])
    reads = DeployedRuns(world.runs.reader)
    assert reads.get(build["id"]).record.job_id == build["id"]


def test_an_earlier_run_that_codebuild_has_forgotten_is_unknown() -> None:
    world = DeployedWorld("codebuild")
    build = world.codebuild.add()
    run = world.runs.get(build["id"])
    world.codebuild.builds.clear()
    with pytest.raises(UnknownRun):
        run.refresh()


# --- results and errors -------------------------------------------------------------------------


@pytest.mark.parametrize("compute", COMPUTES)
def test_a_large_result_is_read_for_who_asks_for_it(compute: str) -> None:
    world, large = DeployedWorld(compute), b'"' + b"x" * 5000 + b'"'
    run_id = world.add(State.RUNNING)
    world.end(run_id, State.SUCCEEDED, large)
    run = world.runs.get(run_id)
    assert (run.record.result, run.refresh().result) == (None, None)
    assert run.refresh(result=True).result == large
    (at,) = (key for key in world.s3.objects if key.startswith("results/"))
    del world.s3.objects[at]
    assert run.refresh(result=True).result == large
    with pytest.raises(CloudError, match="the result is not in S3") as caught:
        world.runs.get(run_id).refresh(result=True)
    assert caught.value.where == f"s3://{BUCKET}/{at}"
    assert caught.value.remedy == "large results are kept for 30 days: run the job again"


def test_a_run_that_has_ended_is_not_asked_about_again() -> None:
    world = DeployedWorld("codebuild")
    run = world.runs.get(world.add(State.SUCCEEDED))
    asked = len(world.codebuild.calls)
    assert run.refresh(result=True).state is State.SUCCEEDED
    assert len(world.codebuild.calls) == asked


def test_a_message_that_is_in_s3_is_read_for_who_asks_about_that_run_only() -> None:
    world, at = DeployedWorld("codebuild"), "results/demo/prod/factorial/u.error.json"
    run_id = built(world, STATE="FAILED", ERROR=json.dumps({"type": "KeyError", "at": at}))
    body = json.dumps({"type": "KeyError", "message": "'card'"}).encode()
    world.s3.put_object(Bucket=BUCKET, Key=at, Body=body)
    (listed,) = world.runs.recent(1)
    elsewhere = "its message is in S3, `devbridge status` shows it"
    assert listed.record.failure == Failure("KeyError", elsewhere)
    whole = Failure("KeyError", "'card'")
    assert world.runs.get(run_id).record.failure == whole
    assert [run.record.failure for run in world.runs.find(run_id)] == [whole]
    del world.s3.objects[at]
    gone = world.runs.get(run_id).record.failure
    assert gone == Failure("KeyError", "its message is not in S3: it is kept for 30 days")


# --- what a run was given, and has kept ---------------------------------------------------------


@pytest.mark.parametrize("inline", [False, True])
def test_a_payload_is_known_though_its_run_has_read_and_deleted_it(inline: bool) -> None:
    world = DeployedWorld("fargate", inline=inline)
    run = world.runs.start("factorial", b'"5"', key="k", remember=False).run
    assert run.payload() == b'"5"'
    world.runs.kept.delete(world.runs.kept.places.payload(run.record.job_id.partition(":")[2]))
    assert run.payload() == b'"5"'


def test_a_payload_of_which_no_version_is_left_must_be_given() -> None:
    world = DeployedWorld("fargate")
    run = world.runs.start("factorial", b"5", key="k", remember=False).run
    (at,) = (key for key in world.s3.objects if key.startswith("payloads/"))
    del world.s3.objects[at]
    with pytest.raises(NotFound, match="not kept any more") as caught:
        run.payload()
    assert caught.value.remedy == "give it: --payload"


def test_the_last_checkpoint_of_a_run_is_known() -> None:
    world = DeployedWorld("fargate")
    run: Any = world.runs.start("factorial", b"5", key="k", remember=False).run
    assert run.checkpoint() is None
    world.runs.kept.put_checkpoint(run.record.job_id.partition(":")[2], b'{"epoch": 2}')
    assert run.checkpoint() == b'{"epoch": 2}'


def test_the_output_of_runs_is_not_for_who_cannot_read_it() -> None:
    world = DeployedWorld("codebuild")
    run = world.runs.get(world.add(State.RUNNING))
    with pytest.raises(CloudError, match="cannot be read from here"):
        list(run.output(follow=False))


@pytest.mark.parametrize(
    ("compute", "others"),
    [("codebuild", "CodeBuild"), ("batch", ""), ("fargate", ""), ("lambda", "Lambda")],
)
def test_a_run_says_who_else_writes_to_its_log(compute: str, others: str) -> None:
    world = DeployedWorld(compute)
    run = world.runs.get(world.add(State.RUNNING))
    assert (run.printers, run.compute) == (others, compute)


def test_a_run_that_has_no_place_yet_has_no_other_printers() -> None:
    world = DeployedWorld("batch")
    world.runs.kept.make_claim(UUID, Claim(world.now(), 1, "batch"))
    run = world.runs.get(f"{PROJECT}:{UUID}")
    assert (run.printers, run.compute, run.logs) == ("", "batch", ())


# --- who may only look --------------------------------------------------------------------------


def test_who_may_only_look_starts_and_ends_runs_through_the_invoker() -> None:
    world = DeployedWorld("fargate")
    reads = DeployedRuns(world.runs.reader, through=world.invoker())
    started = reads.start("factorial", b"1", key="k", remember=True, checkpoint=b"[7]")
    run_id = started.run.record.job_id
    assert reads.start("factorial", b"1", key="k", remember=True).duplicate
    run = reads.get(run_id)
    assert run.checkpoint() == b"[7]"
    done = run.cancel()
    assert (done.was, done.state) == (State.QUEUED, State.CANCELLED)
    assert world.ecs.calls.count("StopTask") == 1


def test_who_has_no_invoker_starts_nothing() -> None:
    reads = DeployedRuns(DeployedWorld("fargate").runs.reader)
    with pytest.raises(CloudError, match="cannot be started or ended from here"):
        reads.start("factorial", b"1", key="k", remember=True)


def test_a_run_that_nobody_has_placed_is_told_to_the_invoker_by_who_looks_at_it() -> None:
    world = DeployedWorld("fargate")
    reads = DeployedRuns(world.runs.reader, through=world.invoker())
    world.runs.kept.make_claim(UUID, Claim(world.now(), 1, "fargate", payload="1"))
    assert reads.get(BUILD).record.state is State.QUEUED
    assert world.ecs.calls == []
    other = UUID.replace("0b1c", "0b1d")
    world.runs.kept.make_claim(other, Claim(world.now() - 61, 1, "fargate", payload="1"))
    run = reads.get(f"{PROJECT}:{other}")
    assert run.record.state is State.QUEUED
    assert world.ecs.calls.count("RunTask") == 1
    run.refresh()
    assert world.ecs.calls.count("RunTask") == 1


def test_whose_turn_it_is_is_looked_at_once_a_minute_for_who_waits_for_a_run() -> None:
    world, now, asked = DeployedWorld("fargate"), [1_000.0], list[str]()

    class Invoker:
        def get(self, run_id: str) -> None:
            asked.append(run_id)

    waits = replace(world.runs.reader.deployment, waits=True)
    reader = Reader(world.runs.reader.kept, world.runs.reader.provider, waits)
    through = cast("Through", Invoker())
    reads = DeployedRuns(reader, through=through, now=lambda: now[0])
    world.runs.kept.make_claim(UUID, Claim(now[0], 1, "fargate", payload="1"))
    run = reads.get(BUILD)
    for seconds, times in [(59, 0), (2, 1), (1, 1), (60, 2)]:
        now[0] += seconds
        assert run.refresh().state is State.QUEUED
        assert asked == [BUILD] * times


# --- cancelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.QUEUED, State.STARTING, State.RUNNING])
def test_a_cancelled_run_is_stopped_once(state: State) -> None:
    world = DeployedWorld("codebuild")
    run_id = world.add(state)
    done = world.runs.get(run_id).cancel()
    assert (done.job_id, done.job, done.was, done.state) == (
        run_id, "factorial", state, State.CANCELLED,
    )  # fmt: skip
    assert world.codebuild.builds[world.place(run_id)]["buildStatus"] == "STOPPED"
    again = world.runs.get(run_id).cancel()
    assert (again.was, again.state) == (State.CANCELLED, State.CANCELLED)
    assert world.codebuild.calls.count("StopBuild") == 1


@pytest.mark.parametrize(
    ("compute", "stops"),
    [("codebuild", "StopBuild"), ("batch", "TerminateJob"), ("fargate", "StopTask")],
)
def test_a_cancellation_that_has_not_reached_its_provider_is_taken_there_by_the_next(
    compute: str, stops: str
) -> None:
    world = DeployedWorld(compute)
    run_id = world.add(State.RUNNING)
    world.end_only(run_id)
    for _ in range(2):
        assert world.runs.get(run_id).cancel().was is State.CANCELLED
    calls = [*world.codebuild.calls, *world.batch.calls, *world.ecs.calls]
    assert calls.count(stops) == 1
