"""What a stub may on the bridge: its own topics, and nothing else."""

from __future__ import annotations

import pytest

from devbridge.constructs import App
from tests.unit.deploy.templates import allowed, made

HERE = "arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}"
STAGE = "devbridge/demo/dev"


@pytest.mark.parametrize(
    ("role", "topic"),
    [("StubRole", "requests"), ("ApiStartFunctionRole", "calls")],
)
def test_a_stub_publishes_to_its_one_topic_and_hears_answers_and_who_is_there(
    role: str, topic: str, app: App
) -> None:
    found = allowed(made(app), role)
    assert {action: on for action, on in found.items() if action.startswith("iot:")} == {
        "iot:Connect": [{"Fn::Sub": f"{HERE}:client/devbridge-demo--dev--stub-*"}],
        "iot:Publish": [{"Fn::Sub": f"{HERE}:topic/{STAGE}/{topic}"}],
        "iot:Subscribe": [
            {"Fn::Sub": f"{HERE}:topicfilter/{STAGE}/replies/*"},
            {"Fn::Sub": f"{HERE}:topicfilter/{STAGE}/presence"},
        ],
        "iot:Receive": [
            {"Fn::Sub": f"{HERE}:topic/{STAGE}/replies/*"},
            {"Fn::Sub": f"{HERE}:topic/{STAGE}/presence"},
        ],
    }


def test_nobody_on_a_deployed_stage_knows_the_bridge(app: App) -> None:
    assert "iot:" not in made(app, mode="deployed").body
