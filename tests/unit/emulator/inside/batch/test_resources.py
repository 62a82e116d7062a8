from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.batch.resources import Resources
from devbridge.emulator.inside.batch.run import Host
from devbridge.emulator.inside.batch.scheduler import Environment
from devbridge.emulator.inside.machines.failure import Failure
from tests.unit.emulator.inside.batch.worlds import BASE, batch_of
from tests.unit.emulator.inside.conftest import MakeModule


class Made:
    """Resources with an environment of each kind and a queue before each."""

    def __init__(self, ministack: MakeModule) -> None:
        self.batch = batch_of(ministack)
        self.changes = 0
        self.resources = Resources(self.changed)
        for name, kind in (("ec2", "SPOT"), ("fargate", "FARGATE")):
            self.ask("createcomputeenvironment", **environment(name, kind))
            self.ask("createjobqueue", jobQueueName=f"{name}-queue", **order(name))

    def changed(self) -> None:
        self.changes += 1

    def ask(self, operation: str, **request: Any) -> Any:
        return self.resources.operations[operation](request)


def environment(name: str, kind: str, **more: Any) -> dict[str, Any]:
    resources = {"type": kind, "maxvCpus": 4, "subnets": ["s"], "instanceRole": "profile", **more}
    return {"computeEnvironmentName": name, "computeResources": resources}


def order(*names: str) -> dict[str, Any]:
    entries = [{"order": n, "computeEnvironment": name} for n, name in enumerate(names)]
    return {"computeEnvironmentOrder": entries}


@pytest.fixture
def made(ministack: MakeModule) -> Made:
    return Made(ministack)


def test_a_queue_s_place_is_what_its_environments_are_now(made: Made) -> None:
    queue = made.resources.queue(f"{BASE}:job-queue/ec2-queue")
    place = made.resources.place(queue, fargate=False)
    arn = f"{BASE}:compute-environment/ec2"
    assert place.environments() == [Environment(arn, 4.0, has_gpus=False)]
    resources = {"maxvCpus": 8, "instanceTypes": ["optimal", "g5.xlarge"]}
    made.ask("updatecomputeenvironment", computeEnvironment=arn, computeResources=resources)
    assert place.environments() == [Environment(arn, 8.0, has_gpus=True)]
    assert made.changes == 1
    made.ask("updatecomputeenvironment", computeEnvironment="ec2", state="DISABLED")
    assert place.environments() == []
    assert place.limits() == {}
    limit = {"reason": "r", "maxTimeSeconds": 600, "action": "CANCEL", "state": "RUNNABLE"}
    made.ask("updatejobqueue", jobQueue="ec2-queue", jobStateTimeLimitActions=[limit])
    assert place.limits() == {"r": 600.0}


def test_an_instance_has_the_role_of_its_profile_and_fargate_none(made: Made) -> None:
    def host(name: str, fargate: bool) -> Host:
        place = made.resources.place(made.resources.queue(f"{name}-queue"), fargate)
        return place.host(f"{BASE}:compute-environment/{name}")

    assert host("ec2", False).role_arn == "arn:aws:iam::1:role/host"
    assert host("ec2", False).cluster.startswith("AWSBatch-ec2-")
    assert (host("fargate", True).fargate, host("ec2", False).fargate) == (True, False)


def test_a_queue_is_for_definitions_of_its_own_kind(made: Made) -> None:
    with pytest.raises(Failure, match="for Fargate, and the job queue ec2-queue has no such"):
        made.resources.place(made.resources.queue("ec2-queue"), fargate=True)


def test_a_revision_is_there_until_it_is_deregistered(made: Made) -> None:
    for _ in range(2):
        registered = made.ask(
            "registerjobdefinition", jobDefinitionName="d", containerProperties={"image": "i"}
        )
    assert registered["jobDefinitionArn"] == f"{BASE}:job-definition/d:2"
    assert made.resources.definition("d")["revision"] == 2
    assert made.resources.definition("d:1")["revision"] == 1
    made.ask("deregisterjobdefinition", jobDefinition=registered["jobDefinitionArn"])
    assert made.resources.definition("d")["revision"] == 1
    with pytest.raises(Failure, match="d:2 does not exist or is not active"):
        made.resources.definition("d:2")

    def shown(**asked: Any) -> list[int]:
        found = made.ask("describejobdefinitions", **asked)["jobDefinitions"]
        return [each["revision"] for each in found]

    assert shown(jobDefinitionName="d", status="ACTIVE") == [1]
    assert shown(jobDefinitions=["d:2"]) == [2]
    assert shown(jobDefinitionName="other") == []


@pytest.mark.parametrize(
    ("operation", "request_", "words"),
    [
        ("createcomputeenvironment", environment("a b", "SPOT"), "does not match"),
        ("createcomputeenvironment", environment("ec2", "SPOT"), "already exists: ec2"),
        ("createcomputeenvironment", environment("n", "SPOT", subnets=[]), "must have subnets"),
        ("createcomputeenvironment", environment("n", "SPOT", maxvCpus=0), "must have maxvCpus"),
        ("createjobqueue", {"jobQueueName": "n", **order("ec2", "fargate")}, "both Fargate and"),
        ("createjobqueue", {"jobQueueName": "n", **order("none")}, "does not exist: none"),
        ("createjobqueue", {"jobQueueName": "n", **order()}, "1 to 3 compute environments"),
        (
            "updatejobqueue",
            {"jobQueue": "ec2-queue", "jobStateTimeLimitActions": [{"maxTimeSeconds": 599}]},
            "from 600 to 86400",
        ),
        ("deletejobqueue", {"jobQueue": "ec2-queue"}, "must be disabled first"),
        ("deletecomputeenvironment", {"computeEnvironment": "ec2"}, "must be disabled first"),
        ("registerjobdefinition", {"jobDefinitionName": "a b"}, "does not match"),
    ],
)
def test_what_batch_refuses(made: Made, operation: str, request_: Any, words: str) -> None:
    with pytest.raises(Failure, match=words):
        made.ask(operation, **request_)


def test_an_environment_is_deleted_after_its_queues(made: Made) -> None:
    made.ask("updatecomputeenvironment", computeEnvironment="ec2", state="DISABLED")
    with pytest.raises(Failure, match="existing JobQueue relationship"):
        made.ask("deletecomputeenvironment", computeEnvironment="ec2")
    made.ask("updatejobqueue", jobQueue="ec2-queue", state="DISABLED")
    made.ask("deletejobqueue", jobQueue="ec2-queue")
    made.ask("deletecomputeenvironment", computeEnvironment="ec2")
    assert list(made.batch._compute_envs) == ["fargate"]
