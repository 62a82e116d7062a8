"""What AWS refuses of mappings, refused by the embedded cloud as well."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import Stack, allow, arn, function, role

READS: Final = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def resources(*actions: str, visibility: int = 30) -> dict[str, Any]:
    return {
        "Role": role(allow(*(actions or ("logs:PutLogEvents",)))),
        "Function": function("def handler(event, context): pass", Timeout=20),
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": visibility}},
    }


MAPPING: Final = {
    "Type": "AWS::Lambda::EventSourceMapping",
    "Properties": {"FunctionName": {"Ref": "Function"}, "EventSourceArn": arn("Queue")},
}


@pytest.mark.parametrize(
    ("actions", "visibility", "said"),
    [
        (READS[1:], 30, "does not have permissions to call ReceiveMessage on SQS"),
        (READS, 19, "Queue visibility timeout: 19 seconds is less than Function timeout: 20"),
    ],
)
def test_a_mapping_that_could_not_work_is_refused_by_templates_and_by_the_api(
    shared_cloud: Running, actions: tuple[str, ...], visibility: int, said: str
) -> None:
    reset(shared_cloud.endpoint_url)
    stack = Stack(shared_cloud.endpoint_url, "refused")
    there = resources(*actions, visibility=visibility)
    status, reason = stack.deploy({**there, "Mapping": MAPPING})
    assert status == "ROLLBACK_COMPLETE"
    assert said in reason
    stack.delete()
    assert stack.deploy(there) == ("CREATE_COMPLETE", "")
    with pytest.raises(ClientError) as caught:
        stack.client("lambda").create_event_source_mapping(
            FunctionName=stack.resource("Function"),
            EventSourceArn=stack.client("sqs").get_queue_attributes(
                QueueUrl=stack.resource("Queue"), AttributeNames=["QueueArn"]
            )["Attributes"]["QueueArn"],
        )
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert said in str(caught.value)
