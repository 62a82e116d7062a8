from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.batch import definitions
from devbridge.emulator.inside.batch.definitions import Need
from devbridge.emulator.inside.machines.failure import Failure


def sizes(**values: str) -> list[dict[str, str]]:
    return [{"type": kind, "value": value} for kind, value in values.items()]


def plain(**more: Any) -> dict[str, Any]:
    own = {"image": "i", "command": ["a"], "resourceRequirements": sizes(VCPU="1", MEMORY="2048")}
    return {"containerProperties": {**own, **more}}


def ecs(*names: str, **more: Any) -> dict[str, Any]:
    containers = [
        {"name": name, "image": "i", "resourceRequirements": sizes(VCPU="0.5", MEMORY="1024")}
        for name in names
    ]
    return {"ecsProperties": {"taskProperties": [{"containers": containers, **more}]}}


def test_both_ways_to_say_it_are_a_task() -> None:
    task = definitions.task_of(plain(jobRoleArn="j", executionRoleArn="e"))
    assert (task["taskRoleArn"], task["executionRoleArn"]) == ("j", "e")
    assert [each["name"] for each in task["containers"]] == ["default"]
    assert [each["name"] for each in definitions.containers_of(ecs("a", "b"))] == ["a", "b"]


def test_what_a_job_needs_is_what_all_its_containers_need() -> None:
    assert definitions.need_of(ecs("a", "b")) == Need(1.0)
    assert definitions.need_of(plain(resourceRequirements=sizes(VCPU="2", GPU="1"))) == Need(2.0, 1)
    assert definitions.need_of({"containerProperties": {"vcpus": 4}}) == Need(4.0)


def test_a_job_overrides_its_only_container() -> None:
    base = plain(environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}])
    override = {
        "command": ["b"],
        "environment": [{"name": "B", "value": "2"}],
        "resourceRequirements": sizes(VCPU="4"),
    }
    made = definitions.overridden(base, {"containerOverrides": override})
    (container,) = definitions.containers_of(made)
    assert container["command"] == ["b"]
    assert container["environment"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert container["resourceRequirements"] == sizes(VCPU="4", MEMORY="2048")
    assert base["containerProperties"]["command"] == ["a"]
    old = definitions.overridden(base, {"containerOverrides": {"vcpus": 8, "memory": 1}})
    assert definitions.containers_of(old)[0]["resourceRequirements"] == sizes(VCPU="8", MEMORY="1")


def test_a_job_overrides_a_task_s_container_by_its_name() -> None:
    override = {"taskProperties": [{"containers": [{"name": "b", "command": ["x"]}]}]}
    made = definitions.overridden(ecs("a", "b"), {"ecsPropertiesOverride": override})
    assert [each.get("command") for each in definitions.containers_of(made)] == [None, ["x"]]
    with pytest.raises(Failure, match="no container 'b' to override"):
        definitions.overridden(ecs("a", "c"), {"ecsPropertiesOverride": override})


def test_an_override_is_for_its_own_kind_of_definition() -> None:
    for base, name in ((plain(), "ecsPropertiesOverride"), (ecs("a"), "containerOverrides")):
        with pytest.raises(Failure, match=f"{name} is not for"):
            definitions.overridden(base, {name: {"x": 1}})


def test_a_stream_has_the_definition_s_name_or_the_prefix() -> None:
    assert definitions.log_of({"name": "default"}, "own", "0a") == (
        "/aws/batch/job",
        "own/default/0a",
    )
    options = {"awslogs-group": "g", "awslogs-stream-prefix": "p"}
    log = {"logDriver": "awslogs", "options": options}
    assert definitions.log_of({"name": "job", "logConfiguration": log}, "own", "0a") == (
        "g",
        "p/job/0a",
    )
    none = {"name": "job", "logConfiguration": {"logDriver": "json-file"}}
    assert definitions.log_of(none, "own", "0a") is None


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "either containerProperties or ecsProperties"),
        ({**plain(), **ecs("a")}, "either containerProperties or ecsProperties"),
        (ecs(), "must have a task with containers"),
        ({**plain(), "timeout": {"attemptDurationSeconds": 59}}, "at least 60 seconds"),
        ({**plain(), "retryStrategy": {"attempts": 11}}, "from 1 to 10"),
        (
            {**plain(), "retryStrategy": {"attempts": 1, "evaluateOnExit": [{}] * 6}},
            "5 conditions at most",
        ),
        ({**plain(), "retryStrategy": {"evaluateOnExit": [{}]}}, "attempts must be specified"),
        ({**plain(), "platformCapabilities": ["FARGATE"]}, "executionRoleArn must be specified"),
        (
            {
                **plain(executionRoleArn="e", resourceRequirements=sizes(VCPU="1", MEMORY="512")),
                "platformCapabilities": ["FARGATE"],
            },
            r"Fargate resource requirements \(1\.00 vCPU, 512 MiB\) not valid",
        ),
        (
            {
                **plain(executionRoleArn="e", resourceRequirements=sizes(VCPU="1", GPU="1")),
                "platformCapabilities": ["FARGATE"],
            },
            "GPU resource requirements are not supported",
        ),
    ],
)
def test_what_batch_does_not_take(request_: Any, words: str) -> None:
    with pytest.raises(Failure, match=words):
        definitions.check_definition(request_)


def test_what_fargate_takes_is_taken() -> None:
    definitions.check_definition({**ecs("a", "b", executionRoleArn="e"), **FARGATE})
    definitions.check_definition(plain())


FARGATE = {"platformCapabilities": ["FARGATE"]}
