"""What of scaling CloudFormation is given, and hands on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.ecs import scaling
from devbridge.emulator.inside.ecs.templates import keep_scaling
from tests.unit.emulator.inside.conftest import MakeModule
from tests.unit.emulator.inside.ecs.test_scaling import STEPS, alarm, policy

TARGET = {
    "ResourceId": "service/c/s",
    "ScalableDimension": "ecs:service:DesiredCount",
    "ServiceNamespace": "ecs",
    "MinCapacity": 0,
    "MaxCapacity": 3,
}


@pytest.fixture
def world(ministack: MakeModule) -> Any:
    """A service, and handlers of which one is ministack's own."""
    service: dict[str, Any] = {
        "serviceArn": "arn:aws:ecs:eu-west-1:1:service/c/s",
        "status": "ACTIVE",
    }
    ministack("services.ecs", _services={"c/s": service})
    ministack("core.responses", get_region=lambda: "eu-west-1", get_account_id=lambda: "1")
    told: list[str] = []
    own = {name: lambda *_, name=name: told.append(name) for name in ("create", "update", "delete")}
    handlers: dict[str, Any] = {"AWS::CloudWatch::Alarm": own}
    provisioners = SimpleNamespace(
        _RESOURCE_HANDLERS=handlers, _physical_name=lambda stack, title, **_: f"{stack}-{title}"
    )
    keep_scaling(provisioners)
    return SimpleNamespace(service=service, handlers=handlers, told=told)


def test_a_target_a_policy_and_an_alarm_scale_the_service_that_they_name(world: Any) -> None:
    made = {
        kind.rpartition("::")[2]: handlers["create"] for kind, handlers in world.handlers.items()
    }
    physical, _ = made["ScalableTarget"]("T", TARGET, "stack")
    assert physical == "service/c/s|ecs:service:DesiredCount|ecs"
    arn, _ = made["ScalingPolicy"]("P", {**policy(STEPS), "ScalingTargetId": physical}, "stack")
    assert arn.endswith(":resource/ecs/service/c/s:policyName/P")
    name, attributes = made["Alarm"]("A", alarm(arn), "stack")
    assert (name, attributes["Arn"]) == ("stack-A", "arn:aws:cloudwatch:eu-west-1:1:alarm:stack-A")
    assert scaling.wanted(world.service, lambda *_: 8.0) == 2


def test_what_changes_takes_the_place_of_what_was(world: Any) -> None:
    target = world.handlers["AWS::ApplicationAutoScaling::ScalableTarget"]
    target["create"]("T", TARGET, "stack")
    target["update"]("p", TARGET, {**TARGET, "MaxCapacity": 9}, "stack", "T")
    assert world.service["_target"] == [0, 9]
    target["delete"]("p", TARGET)


def test_alarms_of_one_metric_are_ministacks_own(world: Any) -> None:
    handlers = world.handlers["AWS::CloudWatch::Alarm"]
    handlers["create"]("A", {"MetricName": "m"}, "stack")
    handlers["update"]("A", {}, {"MetricName": "m"}, "stack")
    handlers["delete"]("A", {"MetricName": "m"})
    handlers["update"]("A", {}, alarm(scaling.put_policy(world.service, "x", policy(STEPS))))
    handlers["delete"]("A", {"Metrics": [1]})
    assert world.told == ["create", "update", "delete"]
    assert list(world.service["_scaling_alarms"]) == ["A"]


def test_a_service_that_is_not_there_cannot_be_scaled(world: Any) -> None:
    create = world.handlers["AWS::ApplicationAutoScaling::ScalableTarget"]["create"]
    with pytest.raises(ValueError, match="No ECS service found for service/c/other"):
        create("T", {**TARGET, "ResourceId": "service/c/other"}, "stack")
