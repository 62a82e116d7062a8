"""Services have the tasks that they ask for. That these run, the integration tests show."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.ecs.services import Services
from devbridge.emulator.inside.machines.failure import Failure
from tests.unit.emulator.inside.conftest import MakeModule

CLUSTER = "arn:aws:ecs:eu-west-1:1:cluster/c"


class World:
    """One service, and tasks that are records."""

    def __init__(self, ministack: MakeModule) -> None:
        self.tasks: list[Any] = []
        self.asked: list[dict[str, Any]] = []
        self.refused = False
        self.service: dict[str, Any] = {
            "serviceName": "s",
            "serviceArn": "arn:aws:ecs:eu-west-1:1:service/c/s",
            "clusterArn": CLUSTER,
            "taskDefinition": "f:1",
            "status": "ACTIVE",
            "desiredCount": 2,
            "deployments": [{"status": "PRIMARY"}, {"status": "ACTIVE"}],
        }

        class Stored(dict[str, Any]):
            """As ministack keeps them: of one account and region, and all of them."""

        stored = Stored({"c/s": self.service})
        stored._data = {("1", "eu-west-1", "c/s"): self.service}  # type: ignore[attr-defined]
        self.ecs = ministack("services.ecs", _services=stored)
        ministack("core.responses", request_scope=lambda *_: contextlib.nullcontext())
        self.services = Services(self.run, lambda: self.tasks, 1)
        self.services.plug_in(self.ecs)

    def run(self, request: dict[str, Any]) -> None:
        if self.refused:
            raise Failure("ClientException", "no role")
        self.asked.append(request)
        record = {
            "group": request["group"],
            "clusterArn": CLUSTER,
            "taskDefinitionArn": request["taskDefinition"],
            "desiredStatus": "RUNNING",
            "lastStatus": "RUNNING",
            "createdAt": len(self.asked),
        }

        def stop(*_: str) -> None:
            record["desiredStatus"] = "STOPPED"

        self.tasks.append(SimpleNamespace(record=record, stop=stop))

    def running(self) -> list[int]:
        known = [each.record for each in self.tasks]
        return [each["createdAt"] for each in known if each["desiredStatus"] == "RUNNING"]


@pytest.fixture
def world(ministack: MakeModule) -> World:
    return World(ministack)


def test_as_many_tasks_are_started_as_are_missing_and_the_newest_stopped_first(
    world: World,
) -> None:
    world.ecs._reconcile_service_tasks("c", "c/s")
    assert world.running() == [1, 2]
    assert {each["group"] for each in world.asked} == {"service:s"}
    assert (world.service["runningCount"], len(world.service["deployments"])) == (2, 1)
    world.service["desiredCount"] = 1
    world.services.keep("c", "c/s")
    assert world.running() == [1]


def test_tasks_of_an_older_definition_are_replaced(world: World) -> None:
    world.services.keep("c", "c/s")
    world.service["taskDefinition"] = "f:2"
    world.services.keep("c", "c/s")
    assert world.running() == [3, 4]


def test_a_service_that_is_deleted_keeps_none(world: World) -> None:
    world.services.keep("c", "c/s")
    world.service["status"] = "INACTIVE"
    world.services.keep("c", "c/s")
    world.services.keep("c", "c/other")
    assert world.running() == []


def test_a_task_that_has_ended_is_replaced_at_the_next_look(world: World) -> None:
    world.services.look()
    world.tasks[0].stop()
    world.services.look()
    assert world.running() == [2, 3]


def test_a_task_that_cannot_be_started_is_no_error_of_who_asks(world: World) -> None:
    world.refused = True
    world.services.keep("c", "c/s")
    assert (world.running(), world.service["runningCount"]) == ([], 0)
