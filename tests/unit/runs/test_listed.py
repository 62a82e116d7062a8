"""The list of a deployed job's runs, beyond what every store promises: see `test_base`."""

from __future__ import annotations

from devbridge.runs.model import State
from tests.unit.codebuild import PROJECT
from tests.unit.runs.worlds import DeployedWorld, ids


def test_runs_are_listed_the_newest_first_over_all_pages() -> None:
    world = DeployedWorld("batch")
    world.s3.page = 20
    added = [world.add(State.RUNNING if n % 50 else State.SUCCEEDED) for n in range(120)]
    newest = added[::-1]
    assert ids(world.runs.recent(3)) == newest[:3]
    assert world.batch.calls == ["DescribeJobs"]
    assert ids(world.runs.recent(101)) == newest[:101]
    assert world.batch.calls == ["DescribeJobs"] * 2
    assert ids(world.runs.recent(4, state=State.SUCCEEDED)) == [added[n] for n in (100, 50, 0)]
    assert world.runs.recent(9, state=State.FAILED) == []


def test_runs_are_found_by_the_beginning_of_their_id_or_of_the_part_behind_the_project() -> None:
    world = DeployedWorld("batch")
    added = [world.add(State.QUEUED) for _ in range(3)]
    for prefix in (f"{PROJECT}:0000", PROJECT, "00000000-"):
        assert ids(world.runs.find(prefix)) == added[::-1]
    last = added[-1]
    for prefix in (last, last.partition(":")[2]):
        assert ids(world.runs.find(prefix)) == [last]
    assert world.runs.find("ffff") == []
    uuids = [each.partition(":")[2] for each in added]
    assert ids(world.runs.named([uuids[2], uuids[0][:-4] + "ffff", uuids[0]])) == added[::-2]


def test_of_a_job_that_was_never_deployed_there_are_no_runs() -> None:
    world = DeployedWorld("batch")
    assert world.runs.recent(5) == world.runs.find("0000") == []
