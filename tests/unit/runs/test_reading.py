from __future__ import annotations

import json

import pytest

from devbridge.runs.deciding import decide
from devbridge.runs.model import State
from devbridge.runs.providers.base import Look
from devbridge.runs.records import End
from tests.unit.aws import Refused
from tests.unit.codebuild import PROJECT
from tests.unit.runs.worlds import BUCKET, DeployedWorld

UUID = "ffffffff-0000-4000-8000-000000000001"


def uuid_of(run_id: str) -> str:
    return run_id.partition(":")[2]


def test_a_run_that_ends_between_two_questions_has_its_own_word() -> None:
    """The runner tells its end, and then its task stops: just after S3 was asked."""
    world = DeployedWorld("fargate")
    run_id = world.add(State.RUNNING)
    describe = world.ecs.DescribeTasks

    def meanwhile(**asked: object) -> object:
        world.end(run_id, State.SUCCEEDED)
        task = world.ecs.tasks[world.place(run_id)]
        task |= {"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited"}
        return describe(**asked)  # type: ignore[arg-type]

    world.ecs.DescribeTasks = meanwhile  # type: ignore[method-assign]
    known = world.runs.reader.known(uuid_of(run_id))
    assert decide(known, world.now()).record.state is State.SUCCEEDED


def test_a_run_that_has_told_its_end_is_not_looked_for_at_its_provider() -> None:
    world = DeployedWorld("batch")
    known = world.runs.reader.known(uuid_of(world.add(State.SUCCEEDED)))
    assert (known.asked, known.look, world.batch.calls) == (False, None, [])


def test_a_hundred_runs_are_one_question() -> None:
    world = DeployedWorld("batch")
    uuids = [uuid_of(world.add(State.RUNNING)) for _ in range(100)]
    assert [known.uuid for known in world.runs.reader.all([*uuids, UUID])] == uuids
    assert world.batch.calls == ["DescribeJobs"]


def test_the_log_group_is_the_jobs_own_where_its_provider_names_none() -> None:
    world = DeployedWorld("fargate")
    run_id = world.add(State.RUNNING)
    world.ecs.tasks[world.place(run_id)]["startedAt"] = 5.0
    ((group, stream),) = world.runs.reader.known(uuid_of(run_id)).look.logs
    assert group == "/own"
    assert stream.startswith("job/job/")


def test_the_log_group_is_the_jobs_own_where_an_invoker_has_written_the_end() -> None:
    world = DeployedWorld("fargate")
    run_id = world.add(State.RUNNING)
    end = End(State.CANCELLED, world.now(), logs=(("", "job/job/1"), ("/old", "2")))
    world.runs.reader.kept.make_end(uuid_of(run_id), end)
    known = world.runs.reader.known(uuid_of(run_id))
    assert known.end.logs == (("/own", "job/job/1"), ("/old", "2"))


@pytest.mark.parametrize("code", ["AccessDeniedException", "ServerException"])
def test_who_may_not_ask_what_ran_the_job_before_knows_what_s3_knows(code: str) -> None:
    world = DeployedWorld("batch")
    run_id = world.add(State.RUNNING)
    world.batch.refuses = lambda _: Refused(code)
    with pytest.raises(world.batch.client.exceptions.ClientError):
        world.runs.reader.known(uuid_of(run_id))
    world.compute = "fargate"
    moved = world._runs().reader
    if code == "ServerException":
        with pytest.raises(world.batch.client.exceptions.ClientError):
            moved.known(uuid_of(run_id))
        return
    known = moved.known(uuid_of(run_id))
    assert (known.asked, decide(known, world.now() + 9e9).record.state) == (False, State.RUNNING)


@pytest.mark.parametrize("uuid", ["", "x", "../../other", UUID[:-1], UUID])
def test_what_is_no_runs_id_is_no_run(uuid: str) -> None:
    world = DeployedWorld("batch")
    assert world.runs.reader.known(uuid) is None
    assert world.runs.reader.older(f"{PROJECT}:{uuid}") is None


def test_what_a_machine_tells_is_no_word_of_the_next() -> None:
    world = DeployedWorld("codebuild")
    run_id = world.add(State.RUNNING)
    key = world.runs.kept.places.told(uuid_of(run_id))
    world.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps({"state": "FAILED"}).encode())
    known = world.runs.reader.known(uuid_of(run_id))
    assert known.told is None
    assert isinstance(known.look, Look)
