from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from devbridge.emulator.inside.batch.run import Job
from devbridge.emulator.inside.batch.service import Service
from devbridge.emulator.inside.machines import metadata, roles
from devbridge.emulator.inside.machines.task import Room
from tests.unit.emulator.inside.batch.worlds import ask, batch_of
from tests.unit.emulator.inside.conftest import MakeModule

ENVIRONMENT = {"type": "SPOT", "maxvCpus": 4, "subnets": ["s"]}
ORDER = [{"order": 1, "computeEnvironment": "e"}]


class World:
    """A queue and a definition, and jobs that run until they are told."""

    def __init__(self, ministack: MakeModule) -> None:
        self.batch = batch_of(ministack)
        self.service = Service(Room(roles.Register(), metadata.Register()))
        self.service.plug_in()
        self.release = threading.Event()
        self.asked: list[Any] = []
        for operation, request in (
            ("createcomputeenvironment", {"computeEnvironmentName": "e"}),
            ("createjobqueue", {"jobQueueName": "q", "computeEnvironmentOrder": ORDER}),
            ("registerjobdefinition", {"jobDefinitionName": "d"}),
        ):
            more = {"computeResources": ENVIRONMENT, "containerProperties": {"image": "i"}}
            assert ask(self.batch, operation, **more, **request)[0] == 200

    def __call__(self, operation: str, **request: Any) -> tuple[int, Any]:
        return ask(self.batch, operation, **request)

    def submit(self, **more: Any) -> tuple[int, Any]:
        return self("submitjob", **{"jobName": "n", "jobQueue": "q", "jobDefinition": "d", **more})


@pytest.fixture
def world(ministack: MakeModule, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(ministack)

    def run(job: Job, depends: Any) -> None:
        made.asked += [("depends", each.record["jobId"]) for each in depends]
        made.release.wait(30)
        job.record["status"] = "SUCCEEDED"
        job.ended.set()
        job.on_change()

    def note(name: str) -> Any:
        def noted(job: Job, reason: str) -> None:
            made.asked.append((name, job.record["jobId"], reason))
            made.release.set()

        return noted

    monkeypatch.setattr(Job, "run", run)
    monkeypatch.setattr(Job, "tell", lambda _: None)
    for name in ("cancel", "terminate", "end"):
        monkeypatch.setattr(Job, name, note(name))
    yield made
    made.release.set()
    for thread in threading.enumerate():
        if thread.name == "batch-job":
            thread.join(30)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"jobName": "a b"}, "does not match"),
        ({"jobQueue": "none"}, "Job queue none does not exist"),
        ({"jobDefinition": "none"}, "JobDefinition none does not exist"),
        (
            {"containerOverrides": {"command": ["x" * 30_720]}},
            "Job size must be less than 30 KiB, got 31 KiB",
        ),
        ({"arrayProperties": {"size": 1}}, "from 2 to 10000 jobs"),
        ({"timeout": {"attemptDurationSeconds": 1}}, "at least 60 seconds"),
    ],
)
def test_what_is_refused_is_an_error_of_aws(world: World, request_: Any, words: str) -> None:
    status, answer = world.submit(**request_)
    assert (status, answer["__type"]) == (400, "ClientException")
    assert words in answer["message"]
    assert world.batch._jobs == {}


def test_a_queue_that_is_disabled_takes_no_jobs(world: World) -> None:
    world("updatejobqueue", jobQueue="q", state="DISABLED")
    assert "is disabled" in world.submit()[1]["message"]


def test_a_job_is_found_and_listed_and_waits_for_the_one_it_depends_on(world: World) -> None:
    first = world.submit(jobName="first")[1]["jobId"]
    second = world.submit(dependsOn=[{"jobId": first}])[1]["jobId"]
    _, found = world("describejobs", jobs=[second, "none"])
    assert [each["jobId"] for each in found["jobs"]] == [second]
    _, page = world("listjobs", jobQueue="q", jobStatus="SUBMITTED", maxResults=1)
    assert [each["jobName"] for each in page["jobSummaryList"]] == ["first"]
    _, rest = world("listjobs", jobQueue="q", jobStatus="SUBMITTED", nextToken=page["nextToken"])
    assert [each["jobId"] for each in rest["jobSummaryList"]] == [second]
    assert "nextToken" not in rest
    assert world("listjobs")[0] == 400
    world.release.set()
    assert ("depends", first) in world.asked


def test_an_array_has_jobs_of_its_own_and_is_over_when_they_are(world: World) -> None:
    parent = world.submit(arrayProperties={"size": 2})[1]["jobId"]
    _, listed = world("listjobs", arrayJobId=parent, jobStatus="SUBMITTED")
    assert [each["jobId"] for each in listed["jobSummaryList"]] == [f"{parent}:0", f"{parent}:1"]
    _, listed = world("listjobs", jobQueue="q", jobStatus="SUBMITTED")
    assert [each["jobId"] for each in listed["jobSummaryList"]] == [parent]
    world("terminatejob", jobId=parent, reason="r")
    assert world.asked == [("terminate", f"{parent}:{index}", "r") for index in range(2)]
    for thread in threading.enumerate():
        if thread.name == "batch-job":
            thread.join(30)
    assert world.batch._jobs[parent]["status"] == "SUCCEEDED"


def test_a_reason_is_needed_to_end_a_job_and_the_job_as_well(world: World) -> None:
    job_id = world.submit()[1]["jobId"]
    assert "must be specified" in world("canceljob", jobId=job_id)[1]["message"]
    assert "does not exist" in world("canceljob", jobId="none", reason="r")[1]["message"]
    assert world("canceljob", jobId=job_id, reason="r") == (200, {})
    assert world.asked == [("cancel", job_id, "r")]


def test_the_jobs_of_a_queue_end_with_it(world: World) -> None:
    job_id = world.submit()[1]["jobId"]
    world("updatejobqueue", jobQueue="q", state="DISABLED")
    world("deletejobqueue", jobQueue="q")
    assert world.asked == [("terminate", job_id, "The job queue was deleted")]


def test_a_job_of_a_cloud_that_died_is_over(world: World) -> None:
    running, done = ({"jobId": str(n), "status": s} for n, s in enumerate(("RUNNING", "SUCCEEDED")))
    world.batch.load_persisted_state({"a": running, "b": done})
    assert (running["status"], done["status"]) == ("FAILED", "SUCCEEDED")
    assert running["statusReason"] == "Host EC2 (the embedded cloud) terminated."


@pytest.mark.parametrize("end", ["get_state", "reset"])
def test_jobs_end_before_ministack_saves_or_forgets_them(world: World, end: str) -> None:
    ids = [world.submit()[1]["jobId"] for _ in range(2)]
    getattr(world.batch, end)()
    assert [each[:2] for each in world.asked] == [("end", job_id) for job_id in reversed(ids)]
