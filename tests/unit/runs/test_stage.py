from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.errors import UnknownJob, UnknownRun
from devbridge.runs import cloudwatch, deployed
from devbridge.runs.model import State
from devbridge.runs.stage import POLL_LOCAL, DeployedStore
from tests.unit.codebuild import PROJECT

from .worlds import StageWorld

UUID = "ffffffff-0000-4000-8000-000000000001"


@pytest.fixture
def world(tmp_path: Path) -> StageWorld:
    return StageWorld(tmp_path)


@pytest.mark.parametrize("given", [f"{PROJECT}:{UUID}", f"{PROJECT}:", "a:"])
def test_what_names_a_project_is_a_builds_id_or_its_beginning(
    world: StageWorld, given: str
) -> None:
    assert world.store.owns(given)
    assert not world.store.owns(given.replace(":", "-"))


def test_a_run_is_found_by_its_whole_uuid_without_a_list(world: StageWorld) -> None:
    build = world.add(State.RUNNING)
    uuid = build.partition(":")[2]
    assert [run.record.job_id for run in world.store.find(uuid)] == [build]
    assert world.store.find(uuid, "other") == []
    assert "ListBuildsForProject" not in world.codebuild.calls


def test_runs_of_a_job_are_read_by_their_names_without_a_list(world: StageWorld) -> None:
    build = world.add(State.FAILED)
    assert isinstance(world.store, DeployedStore)
    found = world.store.named("factorial", [build.partition(":")[2], UUID])
    assert [run.record.job_id for run in found] == [build]
    with pytest.raises(UnknownJob):
        world.store.named("gone", [UUID])


def test_a_uuid_is_found_in_upper_case_and_a_project_as_it_is_written(world: StageWorld) -> None:
    build = [world.add(State.RUNNING) for _ in range(10)][-1]
    uuid = build.partition(":")[2]
    assert uuid.endswith("a")
    assert [run.record.job_id for run in world.store.find(uuid.upper())] == [build]
    assert world.store.find(build[:-1].upper()) == []


def test_a_whole_id_of_another_stage_of_the_app_is_found(world: StageWorld) -> None:
    app, there, invoker = (getattr(world.store, f"_{n}") for n in ("app", "there", "invoker"))
    world.store = DeployedStore(app, there, "ann", lambda: None, invoker)
    build = world.add(State.RUNNING)
    assert world.store.get(build).record.job_id == build
    assert [run.record.job_id for run in world.store.find(build)] == [build]


@pytest.mark.parametrize("project", ["shop_prod_factorial", "demo_prod_gone", "demo", "x_y"])
def test_a_project_of_no_job_of_the_app_says_where_to_go(world: StageWorld, project: str) -> None:
    with pytest.raises(UnknownRun, match=f"the project '{project}' is not that of one job") as told:
        world.store.find(f"{project}:{UUID}")
    assert told.value.where == "stage 'prod'"
    assert told.value.remedy is not None
    assert "--stage" in told.value.remedy


def test_a_job_that_is_not_deployed_has_no_runs_and_hides_no_others(world: StageWorld) -> None:
    """Of the two jobs, only one has a project."""
    build = world.add(State.FAILED)
    assert [run.record.job_id for run in world.store.recent(9)] == [build]
    assert world.missing == []


def test_when_no_job_is_deployed_somebody_is_asked_why(world: StageWorld) -> None:
    assert world.store.recent(9, "other") == []
    assert world.missing == ["asked"]


def test_the_newest_of_all_jobs_come_first_and_no_more_than_asked_for(world: StageWorld) -> None:
    added = [world.add(State.FAILED) for _ in range(3)]
    assert [run.record.job_id for run in world.store.recent(2)] == added[:0:-1]


def test_a_job_that_the_app_does_not_have_is_not_started(world: StageWorld) -> None:
    with pytest.raises(UnknownJob, match="has no job 'nothing'"):
        world.store.start("nothing", b"1", key="k", remember=True)


def test_the_embedded_cloud_is_asked_more_often_than_aws(world: StageWorld) -> None:
    run = world.store.get(world.add(State.RUNNING))
    assert run.poll == deployed.POLL == 2
    world.there.endpoint_url = "http://127.0.0.1:4566"
    assert world.store.get(run.record.job_id).poll == POLL_LOCAL
    assert cloudwatch.SETTLE > 1
