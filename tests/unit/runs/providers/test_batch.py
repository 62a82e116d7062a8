from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.runs.model import State
from devbridge.runs.providers.base import Asked
from devbridge.runs.providers.batch import Batch, ended, looked
from devbridge.runs.providers.containers import holds
from runner.outcome import Failure
from tests.unit.aws import FakeBatch

UUID = "0b1c2d3e-0000-4000-8000-000000000001"
ASKED = Asked(f"p:{UUID}", UUID, {"DEVBRIDGE_PAYLOAD": "1"})
UNABLE = (
    "ECS was unable to assume the role 'arn:aws:iam::1:role/r' that was provided for this task."
)
HOST = "Host EC2 (instance i-0123456789) terminated."


def door(fake: FakeBatch) -> Batch:
    place = {"queue": "arn:queue", "definition": "arn:definition:3"}
    return Batch({"batch": fake.client}.__getitem__, place)


def test_a_job_is_submitted_once_for_it_is_known_by_its_name() -> None:
    fake = FakeBatch()
    place = door(fake).start(ASKED)
    assert fake.jobs[place]["jobName"] == UUID
    assert fake.jobs[place]["definition"] == "arn:definition:3"
    assert fake.variables(place) == ASKED.variables
    assert door(fake).start(ASKED) == place
    again = door(fake).start(Asked(ASKED.run_id, UUID, ASKED.payload, 1))
    assert again != place
    assert fake.jobs[again]["jobName"] == f"{UUID}-1"


@pytest.mark.parametrize("character", ["x", '"'])
def test_what_a_job_is_told_has_room_in_a_tasks_overrides_with_what_batch_adds(
    character: str,
) -> None:
    payload = character * max(n for n in range(8192) if holds(character * n))
    fake, longest = FakeBatch(), "p" * 128
    place = door(fake).start(Asked(f"{longest}:{UUID}", UUID, {"DEVBRIDGE_PAYLOAD": payload}))
    (task,) = fake.jobs[place]["ecsProperties"]["taskProperties"]
    (container,) = task["containers"]
    added = {
        "AWS_BATCH_JOB_ID": UUID,
        "AWS_BATCH_JOB_ATTEMPT": "10",
        "AWS_BATCH_JQ_NAME": longest,
        "AWS_BATCH_CE_NAME": longest,
    }
    container["environment"] += [{"name": name, "value": value} for name, value in added.items()]
    overrides = {"containerOverrides": [container], "cpu": "192000", "memory": "24000000"}
    assert 7900 < len(json.dumps(overrides)) <= 8192


def test_a_job_is_terminated() -> None:
    fake = FakeBatch()
    place = door(fake).start(ASKED)
    door(fake).stop(place)
    assert fake.jobs[place]["statusReason"] == "cancelled by devbridge"
    assert door(fake).look([place])[place].state is State.CANCELLED
    assert door(fake).look(["gone"]) == {}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("SUBMITTED", State.QUEUED),
        ("PENDING", State.QUEUED),
        ("RUNNABLE", State.QUEUED),
        ("STARTING", State.STARTING),
        ("RUNNING", State.RUNNING),
        ("SUCCEEDED", State.SUCCEEDED),
    ],
)
def test_the_status_of_a_job_is_a_state(status: str, state: State) -> None:
    assert looked({"status": status}).state is state


def a_job(
    reason: str = "", code: int | None = None, why: str = "", *, waited: float | None = None
) -> dict[str, Any]:
    """A job that has failed; or after so many seconds without ever having had a machine."""
    container: dict[str, Any] = {"name": "job", "logStreamName": "job/job/1", "reason": why}
    container = container if waited is None else {"name": "job"}
    container |= {} if code is None else {"exitCode": code}
    options = {"options": {"awslogs-group": "g"}}
    attempt = {
        "startedAt": 2_000,
        "taskProperties": [{"containers": [container]}],
        "statusReason": reason,
    }
    return {
        "jobId": "j",
        "jobName": UUID,
        "status": "FAILED",
        "statusReason": reason,
        "createdAt": 1_000,
        "stoppedAt": 9_000 if waited is None else 1_000 + int(waited * 1000),
        "attempts": [attempt] if waited is None else [],
        "ecsProperties": {
            "taskProperties": [
                {"containers": [{**container, "logConfiguration": options}]}
            ]
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("job", "state", "failure"),
    [
        (
            a_job("Essential container in task exited", 1),
            State.FAILED,
            Failure("CommandFailed", "the command exited with code 1"),
        ),
        (
            a_job("Essential container in task exited", 137, "OutOfMemoryError: Container killed"),
            State.CRASHED,
            Failure(
                "OutOfMemory",
                "memory ran out, and the container was killed: give the job more memory",
            ),
        ),
        (
            a_job("Essential container in task exited", 139),
            State.CRASHED,
            Failure("Killed", "the container was ended by signal 11"),
        ),
        (a_job("Job attempt duration exceeded timeout", 143), State.TIMED_OUT, None),
        (a_job("Job attempt duration exceeded timeout", 75), State.TIMED_OUT, None),
        ({**a_job("not needed any more", 143), "isTerminated": True}, State.CANCELLED, None),
        ({**a_job("not needed", waited=5), "isTerminated": True}, State.CANCELLED, None),
        ({**a_job("not needed", waited=5), "isCancelled": True}, State.CANCELLED, None),
        (a_job("cancelled by devbridge", 143), State.CANCELLED, None),
        (a_job("cancelled by devbridge", waited=5), State.CANCELLED, None),
        *(
            (
                {**a_job(UNABLE, waited=waited), "isTerminated": False, "isCancelled": False},
                State.CRASHED,
                Failure("NotStarted", f"the container did not run: {UNABLE}"),
            )
            for waited in (5, None)
        ),
        (
            a_job("some words of AWS", 143),
            State.CRASHED,
            Failure("Killed", "the container was ended by signal 15"),
        ),
        (
            a_job("CannotPullContainerError: no such image: x/y"),
            State.CRASHED,
            Failure("CannotPullContainerError", "no such image: x/y"),
        ),
        (
            a_job("Task failed to start", why="ResourceInitializationError: no route to S3"),
            State.CRASHED,
            Failure("ResourceInitializationError", "no route to S3"),
        ),
        (
            a_job("Task failed to start"),
            State.CRASHED,
            Failure("NotStarted", "the container did not run: Task failed to start"),
        ),
        (
            a_job("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", waited=1800),
            State.CRASHED,
            Failure(
                "NoMachine",
                "no machine was found in 30m00s: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
            ),
        ),
        (
            a_job("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", waited=600),
            State.CRASHED,
            Failure(
                "NoMachine",
                "no machine was found in 10m00s: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
            ),
        ),
    ],
)
def test_a_job_that_has_failed_says_why(
    job: dict[str, Any], state: State, failure: Failure | None
) -> None:
    look = looked(job)
    assert (look.state, look.failure, look.infrastructure) == (state, failure, False)


@pytest.mark.parametrize("code", [None, 143, 75])
@pytest.mark.parametrize(
    "reason", [HOST, "Your Spot Task was interrupted.", "Spot interruption notice"]
)
def test_a_host_that_has_gone_is_nobodys_failure(reason: str, code: int | None) -> None:
    look = looked(a_job(reason, code))
    assert (look.state, look.infrastructure) == (State.CRASHED, True)
    assert look.failure == Failure("HostTerminated", f"the machine has gone: {reason}")


def test_an_interrupted_runner_has_its_own_exit_code() -> None:
    look = looked(a_job("Essential container in task exited", 75))
    assert (look.exit_code, look.infrastructure, look.state) == (75, False, State.FAILED)


def test_a_job_has_a_stream_for_each_attempt() -> None:
    job = a_job("Essential container in task exited", 1)
    first = {"startedAt": 1_500, "container": {"logStreamName": "job/job/0"}}
    job["attempts"].insert(0, first)
    look = looked(job)
    assert look.logs == (("g", "job/job/0"), ("g", "job/job/1"))
    assert (look.started_at, look.ended_at) == (1.5, 9.0)


def test_an_event_has_what_the_job_has() -> None:
    job = a_job("Essential container in task exited", 1)
    event = {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": job}
    found = ended(event)
    assert found is not None
    assert (found.uuid, found.place, found.look) == (UUID, "j", looked(job))
    restarted = ended({**event, "detail": {**job, "jobName": f"{UUID}-3"}})
    assert restarted is not None
    assert restarted.uuid == UUID


@pytest.mark.parametrize(
    "event",
    [
        {"source": "aws.batch", "detail": {"status": "RUNNING", "jobName": UUID}},
        {"source": "aws.batch", "detail": {"status": "FAILED", "jobName": "by-hand", "jobId": "j"}},
        {"source": "aws.ecs", "detail": {"status": "FAILED"}},
    ],
)
def test_what_is_no_end_of_a_run_is_nothing(event: dict[str, Any]) -> None:
    assert ended(event) is None
