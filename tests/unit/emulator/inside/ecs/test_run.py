from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from devbridge.emulator.inside.ecs import records
from devbridge.emulator.inside.ecs.run import Live, asked
from devbridge.emulator.inside.machines import metadata, roles
from devbridge.emulator.inside.machines.runtimes import OWN
from devbridge.emulator.inside.machines.task import Room
from tests.waiting import eventually

ARN = "arn:aws:ecs:eu-west-1:1:task/c/0a"
DEFINITION: dict[str, Any] = {
    "family": "f",
    "revision": 1,
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/f:1",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": "job",
            "image": f"python:{OWN}-slim",
            "entryPoint": ["sh", "-c"],
            "command": ["sleep 1000"],
            "environment": [{"name": "A", "value": "1"}],
            "secrets": [{"name": "S", "valueFrom": "/s"}],
        }
    ],
}


def task(**override: Any) -> dict[str, Any]:
    request = {"overrides": {"containerOverrides": [{"name": "job", **override}]}}
    return records.new_task(
        request, DEFINITION, arn=ARN, cluster_arn="cluster", strategy=[], now=1.0
    )


def test_a_container_is_what_the_definition_and_the_request_say() -> None:
    override = {"command": ["x"], "environment": [{"name": "B", "value": "2"}]}
    made = asked(task(**override), {**DEFINITION, "taskRoleArn": "r"})
    assert (made.region, made.role_arn) == ("eu-west-1", "r")
    (container,) = made.containers
    assert (container.entry_point, container.command) == (["sh", "-c"], ["x"])
    assert container.environment == {"A": "1", "B": "2"}
    assert container.secrets == {"S": "/s"}
    assert container.stop_timeout == 30


class World:
    """A task that sleeps, and the events that it has put."""

    def __init__(self) -> None:
        plain = {**DEFINITION["containerDefinitions"][0], "secrets": []}
        definition = {**DEFINITION, "containerDefinitions": [plain]}
        self.events: list[Any] = []
        room = Room(roles.Register(), metadata.Register())
        self.live = Live(task(), definition, room, self.put)
        self.thread = threading.Thread(target=self.live.run)
        self.thread.start()
        eventually(lambda: self.live.record["lastStatus"] == "RUNNING")

    def put(self, kind: str, resources: Sequence[str], detail: Any) -> None:
        self.events.append((detail["desiredStatus"], detail["lastStatus"], detail["version"]))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("GATEWAY_PORT", "1")
    return World()


def test_a_task_that_is_taken_away_says_so_before_it_ends(world: World) -> None:
    world.live.interrupt(False)
    world.thread.join(30)
    record = world.live.record
    assert (record["stopCode"], record["containers"][0]["exitCode"]) == (records.SPOT, 143)
    assert world.events[3:] == [("STOPPED", "RUNNING", 4), ("STOPPED", "STOPPED", 5)]


def test_a_task_that_ends_with_its_cloud_has_ended_at_once_and_once(world: World) -> None:
    world.live.end(records.TERMINATED, "the cloud was stopped")
    record = world.live.snapshot()
    assert (record["lastStatus"], record["containers"][0]["exitCode"]) == ("STOPPED", 137)
    world.thread.join(30)
    assert world.live.record == record
    assert [status for _, status, _ in world.events].count("STOPPED") == 1
