from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.corrections.function_properties import problem_of


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"ReservedConcurrentExecutions": 0},
        {"ReservedConcurrentExecutions": 890, "RecursiveLoop": "Allow", "Timeout": 900},
        {"EphemeralStorage": {"Size": 10240}, "Timeout": "1"},
        {"FileSystemConfigs": [{"LocalMountPath": "/mnt/a"}], "VpcConfig": {"SubnetIds": ["s"]}},
        {"Environment": {"Variables": {"A": "x" * 4088}}},
    ],
)
def test_what_aws_takes(properties: dict[str, Any]) -> None:
    assert problem_of(properties, 10) is None


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"ReservedConcurrentExecutions": 891}, "below its minimum value of [100]"),
        ({"RecursiveLoop": "Yes"}, "recursiveLoop"),
        ({"Timeout": 901}, "timeout"),
        ({"EphemeralStorage": {"Size": 511}}, "ephemeralStorage.size"),
        ({"MemorySize": 127}, "memorySize"),
        ({"Environment": {"Variables": {"A": "x" * 4089}}}, "exceeded the 4KB limit"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "in this request: AWS_REGION"),
        ({"FileSystemConfigs": [{"LocalMountPath": "/x"}], "VpcConfig": {"a": 1}}, "below /mnt"),
        ({"FileSystemConfigs": [{}]}, "must be configured to execute in a VPC"),
    ],
)
def test_what_aws_refuses(properties: dict[str, Any], said: str) -> None:
    assert said in (problem_of(properties, 10) or "")
