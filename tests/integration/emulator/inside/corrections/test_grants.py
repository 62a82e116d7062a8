"""What a function's role may do when Lambda itself acts for it, told by where its records go."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import Stack, allow, arn, function, role, wait_for

ANSWERS: Final = "def handler(event, context): return event"


@pytest.fixture(scope="module")
def stack(shared_cloud: Running) -> Stack:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "grants")
    queue = {"Type": "AWS::SQS::Queue", "Properties": {}}
    resources = {"Queue": queue, "Role": role(allow("sqs:SendMessage", on=arn("Queue")))}
    for destination in ("OnSuccess", "OnFailure"):
        to = {destination: {"Destination": arn("Queue")}}
        given = {"FunctionName": {"Ref": f"F{destination}"}, "Qualifier": "$LATEST"}
        resources[f"F{destination}"] = function(ANSWERS)
        resources[destination] = {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {**given, "DestinationConfig": to},
        }
    assert made.deploy(resources) == ("CREATE_COMPLETE", "")
    return made


def test_a_record_comes_to_a_queue_while_the_role_may_send(stack: Stack) -> None:
    functions, queues = stack.client("lambda"), stack.client("sqs")
    name, url = stack.resource("FOnSuccess"), stack.resource("Queue")

    def send(payload: str) -> None:
        functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(payload))

    def receive() -> Any:
        found = queues.receive_message(QueueUrl=url).get("Messages", [])
        return [json.loads(each["Body"])["requestPayload"] for each in found] or None

    send("before")
    assert wait_for(receive) == ["before"]
    iam, role_name = stack.client("iam"), stack.resource("Role")
    (policy,) = iam.list_role_policies(RoleName=role_name)["PolicyNames"]
    iam.delete_role_policy(RoleName=role_name, PolicyName=policy)
    send("after")
    logs, group = stack.client("logs"), f"/aws/lambda/{name}"
    wait_for(lambda: len(logs.filter_log_events(logGroupName=group)["events"]) > 5 or None)
    assert receive() is None
