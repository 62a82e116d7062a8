from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from devbridge.emulator.inside.batch import records, run
from devbridge.emulator.inside.batch.run import Host, Job, Place
from devbridge.emulator.inside.batch.scheduler import MAX_RESOURCE, Environment, Scheduler
from devbridge.emulator.inside.machines import metadata, roles
from devbridge.emulator.inside.machines.failure import Failure
from devbridge.emulator.inside.machines.task import Asked, Room
from tests.waiting import eventually

DEFINITION: dict[str, Any] = {
    "jobDefinitionArn": "arn:aws:batch:eu-west-1:1:job-definition/d:1",
    "containerProperties": {
        "image": "i",
        "resourceRequirements": [{"type": "VCPU", "value": "2"}],
    },
}


class FakeContainer:
    def __init__(self, wanted: Any) -> None:
        self.wanted = wanted
        self.exit_code: int | None = None


class FakeTask:
    """A task that ends as it is told, or when it is told to stop."""

    made: list[FakeTask]

    def __init__(self, asked: Asked, room: Room) -> None:
        self.asked = asked
        self.containers = [FakeContainer(each) for each in asked.containers]
        self.ended = threading.Event()
        self.failure: Failure | None = None
        self.pids = [1]
        FakeTask.made.append(self)

    def prepare(self) -> None:
        if FakeTask.fails:
            raise FakeTask.fails

    fails: Failure | None = None

    def start(self, *_: Any) -> None: ...

    def wait(self, _: Any) -> None:
        assert self.ended.wait(30)

    def exit(self, code: int) -> None:
        for each in self.containers:
            each.exit_code = code
        self.ended.set()

    def stop(self) -> None:
        self.exit(143)

    def kill(self) -> None:
        self.exit(137)

    def end(self) -> None:
        self.kill()

    def close(self) -> None: ...


class World:
    """A queue before an environment of two vCPUs, and its jobs."""

    def __init__(self) -> None:
        self.turns = Scheduler()
        self.limits: dict[str, float] = {}
        self.groups: list[str] = []
        self.events: list[str] = []
        self.threads: list[threading.Thread] = []
        self.vcpus = 2.0

    def environments(self) -> Sequence[Environment]:
        return [Environment("e", self.vcpus)]

    def job(self, depends: Sequence[Job] = (), **request: Any) -> Job:
        record = records.new_job(
            {"jobName": "n", **request},
            DEFINITION,
            job_id=f"j{len(self.threads)}",
            arn="arn:aws:batch:eu-west-1:1:job/j",
            queue_arn="q",
            now=1,
        )
        host = Host("e", "cluster", fargate=False)
        place = Place(
            "q", self.environments, lambda: self.limits, lambda _: host, self.groups.append
        )
        room = Room(roles.Register(), metadata.Register())

        def put(kind: str, resources: Sequence[str], detail: Any) -> None:
            self.events.append(detail["status"])

        made = Job(record, DEFINITION, place, room, self.turns, put)
        thread = threading.Thread(target=made.run, args=(depends,))
        self.threads.append(thread)
        thread.start()
        return made


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(FakeTask, "made", [], raising=False)
    monkeypatch.setattr(FakeTask, "fails", None)
    monkeypatch.setattr(run, "Task", FakeTask)
    monkeypatch.setattr(run, "_LOOK", 0.01)
    yield made
    for thread in made.threads:
        thread.join(30)
        assert not thread.is_alive()


def task(number: int = 0) -> FakeTask:
    return eventually(lambda: FakeTask.made[number : number + 1])[0]


def over(job: Job) -> tuple[str, str]:
    assert job.ended.wait(30)
    return job.record["status"], job.record["statusReason"]


def is_(job: Job, status: str) -> None:
    eventually(lambda: job.record["status"] == status)


def test_a_job_tells_of_each_of_its_states(world: World) -> None:
    job = world.job()
    task().exit(0)
    assert over(job) == ("SUCCEEDED", "Essential container in task exited")
    assert world.events == [
        *("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")
    ]
    assert world.groups == ["/aws/batch/job"]


@pytest.mark.parametrize(
    "asked",
    [
        {"containerOverrides": {"command": ["x" * 8192]}},
        {"containerOverrides": {"environment": [{"name": "A", "value": "x" * 7950}]}},
        {
            "ecsPropertiesOverride": {
                "taskProperties": [{"containers": [{"name": "d", "command": ["x" * 8192]}]}]
            }
        },
    ],
    ids=["command", "with what Batch adds", "of a task"],
)
def test_a_job_that_ecs_does_not_take_fails_without_an_attempt(world: World, asked: Any) -> None:
    job = world.job(retryStrategy={"attempts": 3}, **asked)
    assert over(job) == ("FAILED", "Container Overrides length must be at most 8192")
    assert (job.record["attempts"], FakeTask.made) == ([], [])
    assert "RUNNING" not in world.events
    assert not [name for name in job.snapshot() if name.startswith("_")]


def test_an_attempt_that_takes_too_long_is_stopped_and_not_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVBRIDGE_CODEBUILD_MINUTE", "0.1")
    strategy = {"attempts": 3}
    job = world.job(timeout={"attemptDurationSeconds": 60}, retryStrategy=strategy)
    assert over(job) == ("FAILED", "Job attempt duration exceeded timeout")
    (attempt,) = job.record["attempts"]
    assert attempt["container"]["exitCode"] == 143


def test_a_notice_that_was_heeded_in_time_is_a_success(world: World) -> None:
    job = world.job()
    is_(job, "RUNNING")
    task().stop = lambda: task().exit(0)  # type: ignore[method-assign]
    assert job.interrupt(False)
    assert over(job)[0] == "SUCCEEDED"


def test_what_is_taken_away_has_no_exit_code_and_runs_elsewhere(world: World) -> None:
    job = world.job(retryStrategy={"attempts": 2})
    is_(job, "RUNNING")
    assert job.interrupt(True)
    task(1).exit(0)
    assert over(job)[0] == "SUCCEEDED"
    first = job.record["attempts"][0]
    assert first["statusReason"].startswith("Host EC2 (instance i-")
    assert "exitCode" not in first["container"]
    assert [task(n).asked.variables["AWS_BATCH_JOB_ATTEMPT"] for n in (0, 1)] == ["1", "2"]  # type: ignore[index]
    assert not job.interrupt(True)


def test_a_job_that_waits_is_cancelled_and_one_that_runs_is_not(world: World) -> None:
    first, second = world.job(), world.job()
    is_(first, "RUNNING")
    assert not first.cancel("r")
    assert second.cancel("no more")
    assert over(second) == ("FAILED", "no more")
    assert second.record["isCancelled"]
    assert second.pids == []
    task().exit(1)
    assert over(first)[0] == "FAILED"


def test_who_waits_for_a_job_that_fails_fails_as_well(world: World) -> None:
    first = world.job()
    second = world.job([first])
    is_(second, "PENDING")
    task().exit(1)
    assert over(second) == ("FAILED", "Dependent Job failed")


def test_what_can_never_run_is_cancelled_by_its_queue_after_the_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVBRIDGE_CODEBUILD_MINUTE", "0.01")
    world.vcpus, world.limits = 1.0, {MAX_RESOURCE: 600}
    job = world.job()
    eventually(lambda: job.record.get("statusReason", "").startswith(f"{MAX_RESOURCE} - CE(s)"))
    assert over(job) == (
        "FAILED",
        f"Canceled by JobStateTimeLimit action due to reason: {MAX_RESOURCE}",
    )


@pytest.mark.parametrize(
    ("failure", "status_reason", "reason"),
    [
        (Failure("CannotPullContainerError", "x"), "Task failed to start", "CannotPull"),
        (Failure("ECS", "unable to assume"), "Task failed to start", "unable to assume"),
        (Failure("ResourceInitializationError", "x"), "ResourceInitializationError: x", "Resource"),
    ],
)
def test_what_cannot_start_says_why(
    world: World, failure: Failure, status_reason: str, reason: str
) -> None:
    FakeTask.fails = failure
    job = world.job()
    assert over(job) == ("FAILED", status_reason)
    assert job.record["container"]["reason"].startswith(reason)


def test_everything_of_a_job_may_be_ended_at_once(world: World) -> None:
    jobs = [world.job(), world.job()]
    is_(jobs[0], "RUNNING")
    end: Callable[[Job], None] = lambda job: job.end("stopped")  # noqa: E731
    for each in reversed(jobs):
        end(each)
    assert over(jobs[1]) == ("FAILED", "stopped")
    status, reason = over(jobs[0])
    assert (status, reason.partition(" (")[0]) == ("FAILED", "Host EC2")
    assert len(FakeTask.made) == 1
