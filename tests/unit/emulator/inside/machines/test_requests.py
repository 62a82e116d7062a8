from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.machines.requests import request_of


@pytest.mark.parametrize(
    ("properties", "request_"),
    [
        ({"ComputeResources": {"MaxvCpus": "4"}}, {"computeResources": {"maxvCpus": 4}}),
        ({"Timeout": {"AttemptDurationSeconds": 60}}, {"timeout": {"attemptDurationSeconds": 60}}),
        ({"PropagateTags": "true"}, {"propagateTags": True}),
        ({"Tags": {"Keep Me": 1}}, {"tags": {"Keep Me": "1"}}),
        ({"Tags": [{"Key": "K", "Value": 1}]}, {"tags": [{"key": "K", "value": "1"}]}),
        ({"Parameters": {"Name": True}}, {"parameters": {"Name": "true"}}),
        ({"OnExitCode": 75}, {"onExitCode": "75"}),
        ({"Command": ["echo", "1"]}, {"command": ["echo", "1"]}),
        (
            {"ResourceRequirements": [{"Type": "VCPU", "Value": 1}]},
            {"resourceRequirements": [{"type": "VCPU", "value": "1"}]},
        ),
    ],
)
def test_properties_have_the_names_and_the_types_of_requests(
    properties: Any, request_: Any
) -> None:
    assert request_of(properties) == request_
