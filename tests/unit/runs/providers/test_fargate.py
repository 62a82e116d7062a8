from __future__ import annotations

import datetime
from typing import Any

import pytest

from devbridge.runs.model import State
from devbridge.runs.providers.base import Asked, NoRoom
from devbridge.runs.providers.fargate import Fargate, ended, looked
from runner.outcome import Failure
from tests.unit.aws import FakeEcs

UUID = "0b1c2d3e-0000-4000-8000-000000000001"
ASKED = Asked(f"p:{UUID}", UUID, {"DEVBRIDGE_PAYLOAD": "1"})
ARN = "arn:aws:ecs:eu-west-1:111122223333:task/demo_prod/0123456789abcdef"
PLACE = {
    "cluster": "demo_prod",
    "definition": "arn:definition:3",
    "container": "job",
    "subnets": ["subnet-1"],
    "groups": ["sg-1"],
    "publicIp": True,
    "spot": True,
}
MOMENT = datetime.datetime.fromtimestamp(5.5, tz=datetime.UTC)


def door(fake: FakeEcs, **place: Any) -> Fargate:
    return Fargate({"ecs": fake.client}.__getitem__, {**PLACE, **place})


def test_a_task_is_started_once() -> None:
    fake = FakeEcs()
    place = door(fake).start(ASKED)
    assert door(fake).start(ASKED) == place
    assert door(fake).start(Asked(ASKED.run_id, UUID, ASKED.payload, 1)) != place
    asked = fake.asked[place]
    assert fake.variables(place) == ASKED.variables
    assert (asked["startedBy"], asked["taskDefinition"]) == (UUID, "arn:definition:3")
    assert asked["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert asked["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "ENABLED",
    }


def test_a_task_that_is_not_on_spare_capacity_may_be_private() -> None:
    fake = FakeEcs()
    asked = fake.asked[door(fake, spot=False, publicIp=False).start(ASKED)]
    assert asked["capacityProviderStrategy"][0]["capacityProvider"] == "FARGATE"
    assert asked["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"


@pytest.mark.parametrize(
    ("failures", "message"),
    [
        (
            [{"reason": "Capacity is unavailable", "detail": "later"}],
            "Capacity is unavailable later",
        ),
        ([], "Fargate has started no task"),
    ],
)
def test_no_task_is_no_room(failures: list[dict[str, str]], message: str) -> None:
    fake = FakeEcs()
    fake.RunTask = lambda **_: {"tasks": [], "failures": failures}  # type: ignore[method-assign]
    with pytest.raises(NoRoom, match=message):
        door(fake).start(ASKED)


def test_a_task_is_stopped_and_looked_at_in_the_cluster_that_it_is_in() -> None:
    fake = FakeEcs()
    place = door(fake).start(ASKED)
    other = door(fake, cluster="demo_ann").start(Asked("p:x", "x" * 36, ASKED.payload))
    elsewhere = Fargate({"ecs": fake.client}.__getitem__, {})
    assert set(elsewhere.look([place, other, ARN])) == {place, other}
    assert fake.calls.count("DescribeTasks") == 2
    elsewhere.stop(place)
    assert elsewhere.look([place])[place].state is State.CANCELLED
    assert elsewhere.look([ARN.replace("demo_prod", "gone")]) == {}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PROVISIONING", State.QUEUED),
        ("PENDING", State.STARTING),
        ("ACTIVATING", State.STARTING),
        ("RUNNING", State.RUNNING),
        ("DEACTIVATING", State.RUNNING),
        ("STOPPING", State.RUNNING),
        ("DEPROVISIONING", State.RUNNING),
    ],
)
def test_the_status_of_a_task_is_a_state(status: str, state: State) -> None:
    assert looked({"taskArn": ARN, "lastStatus": status}).state is state


def a_task(stop: str, why: str = "", code: int | None = None, reason: str = "") -> dict[str, Any]:
    container: dict[str, Any] = {"name": "job"}
    container |= {} if code is None else {"exitCode": code}
    container |= {"reason": reason} if reason else {}
    return {
        "taskArn": ARN,
        "lastStatus": "STOPPED",
        "startedBy": UUID,
        "stopCode": stop,
        "stoppedReason": why,
        "startedAt": MOMENT,
        "stoppedAt": MOMENT + datetime.timedelta(seconds=2),
        "containers": [{"name": "sidecar", "exitCode": 9}, container],
    }


EXITED = ("EssentialContainerExited", "Essential container in task exited")


@pytest.mark.parametrize(
    ("task", "state", "failure"),
    [
        (a_task(*EXITED, 0), State.SUCCEEDED, None),
        (
            a_task(*EXITED, 3),
            State.FAILED,
            Failure("CommandFailed", "the command exited with code 3"),
        ),
        (
            a_task(*EXITED, 137, "OutOfMemoryError: Container killed due to memory usage"),
            State.CRASHED,
            Failure(
                "OutOfMemory",
                "memory ran out, and the container was killed: give the job more memory",
            ),
        ),
        (
            a_task("TaskFailedToStart", "CannotPullContainerError: pull image manifest: 404"),
            State.CRASHED,
            Failure("CannotPullContainerError", "pull image manifest: 404"),
        ),
        (
            a_task("TaskFailedToStart", "ResourceInitializationError: unable to pull secrets"),
            State.CRASHED,
            Failure("ResourceInitializationError", "unable to pull secrets"),
        ),
        (a_task("UserInitiated", "Task stopped by user", 143), State.CANCELLED, None),
        (a_task("UserInitiated", "cancelled by devbridge"), State.CANCELLED, None),
    ],
)
def test_a_task_that_has_stopped_says_why(
    task: dict[str, Any], state: State, failure: Failure | None
) -> None:
    look = looked(task)
    assert (look.state, look.failure, look.infrastructure) == (state, failure, False)
    assert (look.started_at, look.ended_at) == (5.5, 7.5)
    assert look.logs == (("", "job/job/0123456789abcdef"),)


@pytest.mark.parametrize("code", [None, 0, 75, 143])
@pytest.mark.parametrize(
    ("stop", "why"),
    [
        ("SpotInterruption", "Your Spot Task was interrupted."),
        ("TerminationNotice", "Task retirement"),
        ("UserInitiated", "Your Spot Task was interrupted."),
    ],
)
def test_a_task_that_was_taken_away_is_nobodys_failure(
    stop: str, why: str, code: int | None
) -> None:
    assert looked(a_task(stop, why, code)).infrastructure


def test_an_event_has_what_the_task_has() -> None:
    task = {
        **a_task(*EXITED, 3),
        "startedAt": "1970-01-01T00:00:05.500Z",
        "stoppedAt": "1970-01-01T00:00:07.5Z",
    }
    found = ended({"source": "aws.ecs", "detail": task})
    assert found is not None
    assert (found.uuid, found.place, found.look) == (UUID, ARN, looked(a_task(*EXITED, 3)))


@pytest.mark.parametrize(
    "event",
    [
        {"source": "aws.ecs", "detail": {"lastStatus": "RUNNING", "startedBy": UUID}},
        {"source": "aws.ecs", "detail": {**a_task(*EXITED, 3), "startedBy": "ecs-svc/1"}},
        {"source": "aws.batch", "detail": {}},
    ],
)
def test_what_is_no_end_of_a_run_is_nothing(event: dict[str, Any]) -> None:
    assert ended(event) is None
