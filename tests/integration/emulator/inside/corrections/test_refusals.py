"""What AWS refuses, the embedded cloud refuses: as a failed resource that is rolled back."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from devbridge.cloud.session import Cloud

TABLE = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def trust(service: str, **elements: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        **elements,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def role(service: str = "lambda.amazonaws.com", **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust(service), **properties},
    }


def create(cloud: Cloud, stack: str, *, update: bool = False, **resources: Any) -> tuple[str, str]:
    """The stack's status, and the first reason of a failure."""
    cloudformation = cloud.client("cloudformation")
    change = cloudformation.update_stack if update else cloudformation.create_stack
    body = json.dumps({"Resources": resources})
    change(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    name = "stack_update_complete" if update else "stack_create_complete"
    waiter = cloudformation.get_waiter(name)
    with contextlib.suppress(WaiterError):  # the status is looked at
        waiter.wait(StackName=stack, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [e for e in reversed(events) if e["ResourceStatus"].endswith("_FAILED")]
    return status, failed[0].get("ResourceStatusReason", "") if failed else ""


def function(role_arn: Any, **properties: Any) -> dict[str, Any]:
    code = {"ZipFile": "def handler(event, context): ..."}
    given = {"Runtime": "python3.12", "Handler": "index.handler", "Code": code, "Role": role_arn}
    return {"Type": "AWS::Lambda::Function", "Properties": {**given, **properties}}


def project(role_arn: Any, **properties: Any) -> dict[str, Any]:
    environment = {
        "Type": "LINUX_CONTAINER",
        "ComputeType": "BUILD_GENERAL1_SMALL",
        "Image": "aws/codebuild/standard:7.0",
    }
    given = {
        "Source": {"Type": "NO_SOURCE", "BuildSpec": "{}"},
        "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": environment,
        "ServiceRole": role_arn,
    }
    return {"Type": "AWS::CodeBuild::Project", "Properties": {**given, **properties}}


ROLE_ARN = {"Fn::GetAtt": ["Role", "Arn"]}
TAKEN = {
    "table": {"Type": "AWS::DynamoDB::Table", "Properties": {**TABLE, "TableName": "taken"}},
    "bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "taken"}},
    "queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "taken"}},
    "topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "taken"}},
    "role": role(RoleName="taken"),
    "function": function(ROLE_ARN, FunctionName="taken"),
    "log group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "taken"}},
    "parameter": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "taken", "Type": "String", "Value": "v"},
    },
    "stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "taken", "ShardCount": 1}},
    "secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "taken"}},
}


@pytest.mark.parametrize("kind", TAKEN)
def test_a_taken_name_is_refused_and_what_has_it_is_not_touched(
    local_cloud: Cloud, kind: str
) -> None:
    made: dict[str, Any] = {"Role": role(), "First": TAKEN[kind]}
    assert create(local_cloud, "first", **made)[0] == "CREATE_COMPLETE"
    status, reason = create(local_cloud, "second", Role=role(), Second=TAKEN[kind])
    assert status in ("ROLLBACK_COMPLETE", "CREATE_FAILED")
    # A bucket's name is looked at before anything is made, as on AWS.
    assert "exist" in reason or (kind == "bucket" and "Validation failed" in reason)
    local_cloud.client("cloudformation").delete_stack(StackName="second")
    # What it has is still the first one's: a third stack is refused as well.
    assert create(local_cloud, "third", Role=role(), Third=TAKEN[kind])[0] != "CREATE_COMPLETE"


def test_the_items_of_a_table_outlive_a_stack_that_wants_its_name(local_cloud: Cloud) -> None:
    assert create(local_cloud, "first", Notes=TAKEN["table"])[0] == "CREATE_COMPLETE"
    dynamodb = local_cloud.client("dynamodb")
    dynamodb.put_item(TableName="taken", Item={"id": {"S": "a"}})
    status, _ = create(local_cloud, "first", update=True, Notes=TAKEN["table"], Dup=TAKEN["table"])
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert dynamodb.scan(TableName="taken", Select="COUNT")["Count"] == 1
    again, _ = create(
        local_cloud,
        "first",
        update=True,
        Notes={**TAKEN["table"], "Metadata": {"changed": True}},
        Topic=TAKEN["topic"],
    )
    assert again == "UPDATE_COMPLETE"
    assert dynamodb.scan(TableName="taken", Select="COUNT")["Count"] == 1


@pytest.mark.parametrize("make", [function, project])
@pytest.mark.parametrize(
    ("named", "service"),
    [("arn:aws:iam::000000000000:role/nobody", "lambda"), (ROLE_ARN, "ec2")],
)
def test_a_role_that_is_not_there_or_does_not_admit_the_service_is_refused(
    local_cloud: Cloud, make: Any, named: Any, service: str
) -> None:
    made = {"Role": role(f"{service}.amazonaws.com"), "User": make(named)}
    status, reason = create(local_cloud, "s", **made)
    assert status == "ROLLBACK_COMPLETE"
    assert "cannot be assumed" in reason


@pytest.mark.parametrize(("make", "service"), [(function, "lambda"), (project, "codebuild")])
def test_a_role_that_admits_the_service_is_taken_whatever_its_conditions(
    local_cloud: Cloud, make: Any, service: str
) -> None:
    only = {"Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}}
    document = trust(f"{service}.amazonaws.com", **only)
    made = {"Role": role(AssumeRolePolicyDocument=document), "User": make(ROLE_ARN)}
    assert create(local_cloud, "s", **made)[0] == "CREATE_COMPLETE"


BAD = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Perhaps", "Action": "a", "Resource": "*"}],
}


@pytest.mark.parametrize(
    "resources",
    [
        {"Role": role(Policies=[{"PolicyName": "p", "PolicyDocument": BAD}])},
        {"Role": role(AssumeRolePolicyDocument=trust("x", Effect="Perhaps"))},
        {
            "Role": role(),
            "Policy": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "p",
                    "PolicyDocument": BAD,
                    "Roles": [{"Ref": "Role"}],
                },
            },
        },
        {"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": BAD}}},
    ],
)
def test_a_policy_that_is_none_is_refused(local_cloud: Cloud, resources: Any) -> None:
    status, reason = create(local_cloud, "s", **resources)
    assert status == "ROLLBACK_COMPLETE"
    assert "Effect is 'Perhaps'" in reason
    assert "MalformedPolicyDocument" in reason
