"""What topics and buckets hand to functions on the embedded cloud: how often, and if."""

from __future__ import annotations

from typing import Any, Final

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import NOTES, Stack, arn, role

FAILS: Final = f"{NOTES}    raise ValueError('boom')\n"


def permission(function: str, service: str, source: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": function},
            "Action": "lambda:InvokeFunction",
            "Principal": f"{service}.amazonaws.com",
            "SourceArn": source,
        },
    }


def subscription(function: str) -> dict[str, Any]:
    given = {"TopicArn": {"Ref": "Topic"}, "Protocol": "lambda", "Endpoint": arn(function)}
    return {"Type": "AWS::SNS::Subscription", "Properties": given}


def bucket(name: str) -> dict[str, Any]:
    to = [{"Event": "s3:ObjectCreated:*", "Function": arn("Notes")}]
    given = {"BucketName": name, "NotificationConfiguration": {"LambdaConfigurations": to}}
    return {"Type": "AWS::S3::Bucket", "Properties": given, "DependsOn": "LetBucket"}


@pytest.fixture(scope="module")
def stack(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "notes", tmp_path_factory.mktemp("notes"))
    assert made.deploy(resources(made, "open-bucket")) == ("CREATE_COMPLETE", "")
    return made


def resources(made: Stack, of: str) -> dict[str, Any]:
    return {
        "Role": role(),
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {}},
        "Notes": made.noting(NOTES),
        "Closed": made.noting(NOTES),
        "Fails": made.noting(FAILS),
        **{f"To{each}": subscription(each) for each in ("Notes", "Closed", "Fails")},
        **{f"Let{e}": permission(e, "sns", {"Ref": "Topic"}) for e in ("Notes", "Fails")},
        "Bucket": bucket("open-bucket"),
        "LetBucket": permission("Notes", "s3", f"arn:aws:s3:::{of}"),
    }


def test_a_topic_tells_functions_that_let_it_in_and_again_if_they_fail(stack: Stack) -> None:
    stack.client("sns").publish(TopicArn=stack.resource("Topic"), Message="hello")

    def told(event: Any) -> bool:
        return bool(event["Records"][0].get("Sns", {}).get("Message") == "hello")

    found = stack.told(told, 4)  # once of Notes, thrice of Fails, never of Closed
    subscriptions = [each["Records"][0]["EventSubscriptionArn"] for each in found]
    assert sorted(subscriptions.count(each) for each in set(subscriptions)) == [1, 3]
    assert stack.resource("ToClosed") not in subscriptions


def test_a_bucket_tells_a_function_that_lets_it_in(stack: Stack) -> None:
    stack.client("s3").put_object(Bucket="open-bucket", Key="a/b.jpg", Body=b"x")
    (event,) = stack.told(lambda event: "s3" in event["Records"][0])
    assert event["Records"][0]["s3"]["object"]["key"] == "a/b.jpg"


def test_a_bucket_whose_function_lets_another_in_is_refused(stack: Stack) -> None:
    closed = Stack(stack.endpoint, "closed", stack.notes)
    wanted = resources(closed, "another-bucket")
    wanted["Bucket"]["Properties"]["BucketName"] = "closed-bucket"
    status, reason = closed.deploy(wanted)
    assert status == "ROLLBACK_COMPLETE"
    assert "Unable to validate the following destination configurations" in reason
