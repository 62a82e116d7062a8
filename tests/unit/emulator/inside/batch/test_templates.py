from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.batch import templates
from devbridge.emulator.inside.batch.service import Service
from devbridge.emulator.inside.machines import metadata, roles
from devbridge.emulator.inside.machines.task import Room
from tests.unit.emulator.inside.batch.worlds import BASE, batch_of
from tests.unit.emulator.inside.conftest import MakeModule

RESOURCES = {"Type": "SPOT", "MaxvCpus": "4", "Subnets": ["s"]}


@pytest.fixture
def handlers(ministack: MakeModule) -> Any:
    batch = batch_of(ministack)
    Service(Room(roles.Register(), metadata.Register())).plug_in()
    provisioners = SimpleNamespace(
        _RESOURCE_HANDLERS={"batch": batch},
        _physical_name=lambda stack, title, *, max_len: f"{stack}-{title}",
    )
    templates.keep(provisioners)
    return provisioners._RESOURCE_HANDLERS


def test_resources_are_made_changed_in_place_and_deleted(handlers: Any) -> None:
    batch = handlers["batch"]
    environment = handlers["AWS::Batch::ComputeEnvironment"]
    made, attributes = environment["create"]("E", {"ComputeResources": RESOURCES}, "s")
    assert made == f"{BASE}:compute-environment/s-E" == attributes["ComputeEnvironmentArn"]
    queue = handlers["AWS::Batch::JobQueue"]
    order = {"ComputeEnvironmentOrder": [{"Order": "1", "ComputeEnvironment": made}]}
    jobs, attributes = queue["create"]("Q", {"Priority": "3", **order}, "s")
    assert jobs == f"{BASE}:job-queue/s-Q" == attributes["JobQueueArn"]
    assert batch._job_queues["s-Q"]["priority"] == 3
    changed = {"ComputeResources": {**RESOURCES, "MaxvCpus": 8}}
    assert environment["update"](made, {}, changed, "s")[0] == made
    assert batch._compute_envs["s-E"]["computeResources"]["maxvCpus"] == 8
    queue["delete"](jobs, {})
    environment["delete"](made, {})
    assert (batch._compute_envs, batch._job_queues) == ({}, {})


def test_a_definition_s_change_is_a_revision_in_the_place_of_the_one_before(handlers: Any) -> None:
    definition = handlers["AWS::Batch::JobDefinition"]
    properties = {"ContainerProperties": {"Image": "i"}, "Parameters": {"Keep": "x"}}
    made, _ = definition["create"]("D", properties, "s")
    changed, attributes = definition["update"](made, properties, properties, "s")
    assert (made[-2:], changed[-2:]) == (":1", ":2")
    assert attributes == {"JobDefinitionArn": changed}
    revisions = handlers["batch"]._job_definitions["s-D"]
    assert [each["status"] for each in revisions] == ["INACTIVE", "ACTIVE"]
    assert revisions[0]["parameters"] == {"Keep": "x"}
    kept = {**properties, "ResourceRetentionPolicy": {"SkipDeregisterOnUpdate": True}}
    definition["update"](changed, properties, kept, "s")
    assert [each["status"] for each in revisions] == ["INACTIVE", "ACTIVE", "ACTIVE"]


def test_what_batch_refuses_is_the_reason_why_a_stack_fails(handlers: Any) -> None:
    with pytest.raises(ValueError, match=r"either containerProperties .* \(ClientException\)"):
        handlers["AWS::Batch::JobDefinition"]["create"]("D", {}, "s")
