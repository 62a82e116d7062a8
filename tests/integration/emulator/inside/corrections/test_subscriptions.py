"""Where subscription filters hand logs on to, on the embedded cloud."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import (
    NOTES,
    Stack,
    allow,
    arn,
    function,
    role,
    wait_for,
)

SAYS: Final = 'def handler(event, context): print("ERROR", event["n"]); print("fine")'


def subscription(group: str, to: str, **more: Any) -> dict[str, Any]:
    given = {"LogGroupName": {"Ref": group}, "DestinationArn": arn(to), "FilterPattern": "ERROR"}
    return {
        "Type": "AWS::Logs::SubscriptionFilter",
        "Properties": {**given, **more},
        "DependsOn": "LetLogs",
    }


def resources(made: Stack) -> dict[str, Any]:
    return {
        "Role": role(allow("logs:*")),
        "Deliverer": role(allow("s3:*"), service="firehose.amazonaws.com"),
        "Forwarder": role(allow("firehose:*", "kinesis:PutRecord"), service="logs.amazonaws.com"),
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {}},
        "Says": function(SAYS, LoggingConfig={"LogGroup": {"Ref": "Group"}}),
        "Notes": made.noting(NOTES),
        "LetLogs": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Notes"},
                "Action": "lambda:InvokeFunction",
                "Principal": "logs.amazonaws.com",
                "SourceArn": arn("Group"),
            },
        },
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "forwarded"}},
        "Hose": {
            "Type": "AWS::KinesisFirehose::DeliveryStream",
            "Properties": {
                "ExtendedS3DestinationConfiguration": {
                    "BucketARN": arn("Bucket"),
                    "RoleARN": arn("Deliverer"),
                    "Prefix": "logs/",
                }
            },
        },
        "ToNotes": subscription("Group", "Notes"),
        "ToHose": subscription("Group", "Hose", RoleArn=arn("Forwarder")),
    }


@pytest.fixture(scope="module")
def stack(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "forwarding", tmp_path_factory.mktemp("notes"))
    assert made.deploy(resources(made)) == ("CREATE_COMPLETE", "")
    return made


def say(stack: Stack, number: int) -> None:
    stack.client("lambda").invoke(
        FunctionName=stack.resource("Says"), Payload=json.dumps({"n": number})
    )


def said(packed: bytes) -> list[str]:
    told = json.loads(gzip.decompress(packed))
    assert (told["messageType"], told["owner"]) == ("DATA_MESSAGE", "000000000000")
    assert all(each["id"] and each["timestamp"] for each in told["logEvents"])
    return [each["message"] for each in told["logEvents"]]


def test_a_function_gets_the_events_that_match(stack: Stack) -> None:
    say(stack, 1)
    (event,) = stack.told(
        lambda event: said(base64.b64decode(event["awslogs"]["data"])) == ["ERROR 1"]
    )
    assert event.keys() == {"awslogs"}


def test_firehose_brings_them_into_a_bucket(stack: Stack) -> None:
    say(stack, 2)
    s3 = stack.client("s3")

    def found() -> Any:
        keys = [
            each["Key"]
            for each in s3.list_objects_v2(Bucket="forwarded", Prefix="logs/").get("Contents", [])
        ]
        texts = [said(s3.get_object(Bucket="forwarded", Key=key)["Body"].read()) for key in keys]
        return texts if ["ERROR 2"] in texts else None

    assert wait_for(found)


def test_what_logs_may_not_hand_on_to_is_refused(stack: Stack) -> None:
    logs = stack.client("logs")
    logs.create_log_group(logGroupName="another")
    own = {"logGroupName": "another", "filterName": "f", "filterPattern": ""}
    base = "000000000000"
    notes = f"arn:aws:lambda:us-east-1:{base}:function:{stack.resource('Notes')}"
    with pytest.raises(ClientError, match="Make sure you have given CloudWatch Logs permission"):
        logs.put_subscription_filter(**own, destinationArn=notes)
    hose = f"arn:aws:firehose:us-east-1:{base}:deliverystream/{stack.resource('Hose')}"
    deliverer = f"arn:aws:iam::{base}:role/{stack.resource('Deliverer')}"
    with pytest.raises(ClientError, match="Could not assume the role"):
        logs.put_subscription_filter(**own, destinationArn=hose, roleArn=deliverer)


def test_a_group_has_two_filters_at_most(stack: Stack) -> None:
    with pytest.raises(ClientError, match="LimitExceededException"):
        stack.client("logs").put_subscription_filter(
            logGroupName=stack.resource("Group"),
            filterName="third",
            filterPattern="",
            destinationArn=f"arn:aws:lambda:us-east-1:000000000000:function:{stack.resource('Notes')}",
        )
