from __future__ import annotations

import datetime
from typing import Any

from botocore.exceptions import ClientError

from devbridge import names
from devbridge.console import stage as module
from devbridge.console.stage import deployments
from devbridge.constructs import Secret
from devbridge.constructs.app import loading

from .stages import Stage

NOW = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
STACK = "AWS::CloudFormation::Stack"


def event(status: str, name: str = "", seconds: int = 0) -> dict[str, Any]:
    return {
        "StackId": "arn:stack",
        "PhysicalResourceId": "x" if name else "arn:stack",
        "ResourceType": "AWS::SQS::Queue" if name else STACK,
        "LogicalResourceId": name or "demo-ann",
        "ResourceStatus": status,
        "Timestamp": NOW + datetime.timedelta(seconds=seconds),
    }


HAPPENED = [
    event("CREATE_IN_PROGRESS"),
    event("CREATE_IN_PROGRESS", "Orders"),
    event("CREATE_COMPLETE", "Orders"),
    event("CREATE_COMPLETE", "Other"),
    event("CREATE_COMPLETE", seconds=5),
    event("UPDATE_IN_PROGRESS"),
    event("UPDATE_FAILED", "Orders"),
    event("UPDATE_ROLLBACK_IN_PROGRESS"),
    event("UPDATE_COMPLETE", "Orders"),
    event("UPDATE_ROLLBACK_COMPLETE", seconds=20),
    event("UPDATE_IN_PROGRESS", seconds=30),
]
"""The oldest first."""


def test_deployments_are_what_the_stacks_events_tell() -> None:
    last, first = deployments(HAPPENED[::-1])
    assert (first.at, first.what) == (NOW.timestamp() + 5, "create complete")
    assert [(each.name, each.status) for each in first.changes] == [
        ("Orders", "create complete"),
        ("Other", "create complete"),
    ]
    assert (last.what, [each.status for each in last.changes]) == (
        "update rollback complete",
        ["update complete"],
    )
    assert list(deployments([])) == []
    assert [each.what for each in deployments(HAPPENED[3:5][::-1])] == ["create complete"]


def test_what_stamps_a_template_is_no_change_of_a_deployment() -> None:
    stamp = {**event("CREATE_COMPLETE", "Template1"), "ResourceType": names.STAMP}
    (one,) = deployments([*HAPPENED[:3], stamp, *HAPPENED[3:5]][::-1])
    assert [each.name for each in one.changes] == ["Orders", "Other"]


class Pages:
    def __init__(self, **page: Any) -> None:
        self.page = page

    def paginate(self, **_given: Any) -> Any:
        return [self.page]


class CloudFormation:
    """A stack with a queue and a function."""

    def describe_stacks(self, **_given: Any) -> Any:
        outputs = {"ApiUrl": "http://x", "OrdersQueue": "q"}
        return {
            "Stacks": [
                {
                    "StackName": "devbridge-demo--ann-",
                    "StackStatus": "CREATE_COMPLETE",
                    "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()],
                }
            ]
        }

    def get_paginator(self, operation: str) -> Pages:
        if operation == "describe_stack_events":
            return Pages(StackEvents=HAPPENED[::-1])
        parts = {"Orders": "AWS::SQS::Queue", "F": "AWS::Lambda::Function"}
        return Pages(
            StackResourceSummaries=[
                {
                    "LogicalResourceId": name,
                    "ResourceType": kind,
                    "PhysicalResourceId": f"demo/{name}",
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for name, kind in parts.items()
            ]
        )


class Ssm:
    def __init__(self) -> None:
        self.error: Exception | None = None

    def get_paginator(self, _operation: str) -> Pages:
        if self.error is not None:
            raise self.error
        return Pages(Parameters=[{"Name": "/devbridge/demo/ann/key"}])


def test_all_that_can_be_known_is_told(stage: Stage, monkeypatch: Any) -> None:
    with loading(stage.root):
        Secret(stage.app, "other")
    ssm = Ssm()
    stage.cloud.services |= {"cloudformation": CloudFormation(), "ssm": ssm}
    monkeypatch.setattr("devbridge.names.secrets", lambda *_: "/devbridge/demo/ann/")
    told = _stage(stage)
    assert (told.app, told.stage, told.live, told.since) == ("demo", "ann", True, 1000.0)
    assert told.cloud == "the embedded cloud at http://127.0.0.1:1"
    assert told.developer == "arn:aws:iam::123456789012:user/ann"
    assert (told.credentials_end, told.taken_by, told.problems) == (5000.0, None, [])
    outputs = [(each.name, each.value, each.link) for each in told.outputs]
    assert outputs == [("ApiUrl", "http://x", "http://x"), ("OrdersQueue", "q", None)]
    assert [(each.name, each.link) for each in told.resources] == [("Orders", None), ("F", None)]
    assert [each.what for each in told.deployments][-1] == "create complete"
    assert [(each.name, each.set) for each in told.secrets] == [("key", True), ("other", False)]
    stage.cloud.endpoint_url = None
    links = [each.link for each in _stage(stage).resources]
    where = "https://us-east-1.console.aws.amazon.com/lambda/home?region=us-east-1"
    assert links == [None, f"{where}#/functions/demo$252FF"]
    refused: Any = {"Error": {"Code": "AccessDenied", "Message": "not for you"}}
    ssm.error = ClientError(refused, "GetParametersByPath")
    told = _stage(stage)
    assert ["not for you" in each for each in told.problems] == [True]
    assert told.resources, "the rest is there"


def test_a_stage_whose_cloud_is_not_reached_says_so(stage: Stage) -> None:
    stage.cloud = None
    told = _stage(stage)
    assert told.cloud == "not reached"
    assert told.problems == ["the embedded cloud is not running"]
    assert (told.outputs, told.resources, told.secrets) == ([], [], [])


def _stage(made: Stage) -> Any:
    return module.stage(made.subject)
