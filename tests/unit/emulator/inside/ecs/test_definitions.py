from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.ecs import definitions
from devbridge.emulator.inside.machines.failure import Failure


def test_all_that_a_task_overrides_is_one_json_text_of_8192_characters() -> None:
    around = len('{"a": ""}')
    definitions.check_overrides({"a": "x" * (8192 - around)})
    for value in ("x" * (8193 - around), '"' * 4096):
        with pytest.raises(Failure, match="Container Overrides length must be at most 8192"):
            definitions.check_overrides({"a": value})


def test_a_template_s_definition_is_a_request_of_the_api() -> None:
    made = definitions.request_of(
        {
            "Family": "f",
            "Cpu": 256,
            "Volumes": [
                {
                    "Name": "v",
                    "EFSVolumeConfiguration": {
                        "FilesystemId": "fs-1",
                        "AuthorizationConfig": {"IAM": "ENABLED", "AccessPointId": "fsap-1"},
                    },
                }
            ],
            "EphemeralStorage": {"SizeInGiB": "30"},
            "ContainerDefinitions": [
                {
                    "Name": "job",
                    "EntryPoint": ["sh"],
                    "StopTimeout": "7",
                    "Essential": "false",
                    "Environment": [{"Name": "Cpu", "Value": "2"}],
                    "Secrets": [{"Name": "S", "ValueFrom": "arn"}],
                    "DockerLabels": {"Keep.Me": "1"},
                    "LogConfiguration": {
                        "LogDriver": "awslogs",
                        "Options": {"awslogs-create-group": True, "Mode": "x"},
                    },
                }
            ],
        }
    )
    assert made == {
        "family": "f",
        "cpu": "256",
        "volumes": [
            {
                "name": "v",
                "efsVolumeConfiguration": {
                    "fileSystemId": "fs-1",
                    "authorizationConfig": {"iam": "ENABLED", "accessPointId": "fsap-1"},
                },
            }
        ],
        "ephemeralStorage": {"sizeInGiB": 30},
        "containerDefinitions": [
            {
                "name": "job",
                "entryPoint": ["sh"],
                "stopTimeout": 7,
                "essential": False,
                "environment": [{"name": "Cpu", "value": "2"}],
                "secrets": [{"name": "S", "valueFrom": "arn"}],
                "dockerLabels": {"Keep.Me": "1"},
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {"awslogs-create-group": "true", "Mode": "x"},
                },
            }
        ],
    }


def fargate(**more: Any) -> dict[str, Any]:
    return {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", **more}


def test_sizes_may_be_said_with_their_units() -> None:
    request = fargate(cpu=".5 vCPU", memory="3GB")
    definitions.check(request)
    assert (request["cpu"], request["memory"]) == ("512", "3072")


@pytest.mark.parametrize(
    ("cpu", "memory", "there"),
    [
        *(("256", "2048", True), ("256", "3072", False), ("4096", "30720", True)),
        *(("8192", "20480", True), ("8192", "17408", False), ("16384", "122880", True)),
        *(("32768", "249856", True), ("300", "512", False), ("x", "512", False)),
        ("256", "x", False),
    ],
)
def test_fargate_has_these_sizes_and_no_others(cpu: str, memory: str, there: bool) -> None:
    if there:
        definitions.check(fargate(cpu=cpu, memory=memory))
        return
    words = f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory"
    with pytest.raises(Failure, match=words):
        definitions.check(fargate(cpu=cpu, memory=memory))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"networkMode": "bridge"}, "only supports network mode awsvpc"),
        ({"ephemeralStorage": {"sizeInGiB": 20}}, "between 21 and 200"),
        ({"containerDefinitions": [{"stopTimeout": 121}]}, "at most 120 seconds"),
        (
            {"containerDefinitions": [{"logConfiguration": {"logDriver": "awslogs"}}]},
            "to have execution role ARN to support log driver awslogs",
        ),
    ],
)
def test_what_fargate_does_not_take(more: Any, words: str) -> None:
    with pytest.raises(Failure, match=words):
        definitions.check(fargate(**more))


def test_fargate_wants_its_sizes_and_others_do_not() -> None:
    with pytest.raises(Failure, match="requires that 'memory' be defined"):
        definitions.check({"requiresCompatibilities": ["FARGATE"], "cpu": "256"})
    definitions.check({"containerDefinitions": [{"stopTimeout": 121}]})


def test_a_definition_shows_only_what_it_says() -> None:
    shown = definitions.shown({"family": "f", "pidMode": "", "volumes": [], "x": None})
    assert shown == {"family": "f", "volumes": []}
