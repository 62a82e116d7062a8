"""What a deployment would change, found out with the right to look and no other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from devbridge.deploy.changes import difference
from devbridge.deploy.compare import compare, pins
from devbridge.deploy.plan import Plan
from devbridge.deploy.plan_text import lines
from devbridge.deploy.synth import Template
from devbridge.errors import DeployError
from tests.unit.deploy.conftest import FakeCloud

STACK = "devbridge-demo--prod-"
TAGS = {"devbridge:app": "demo", "devbridge:stage": "prod"}
FOUND = {
    "StackName": STACK,
    "StackStatus": "CREATE_COMPLETE",
    "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()],
}
QUEUE = {"Type": "AWS::SQS::Queue"}


def at_once() -> Iterator[float]:
    return itertools.repeat(0.0)


@pytest.fixture
def cloudformation(aws: FakeCloud) -> Iterator[Stubber]:
    with Stubber(aws.client("cloudformation")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def compared(aws: FakeCloud, old: Any, new: Any, found: Any = FOUND) -> Plan:
    template = Template(
        json.dumps({"Resources": new}), "hash", {name: f"the {name}" for name in new}
    )
    was = {"Resources": old}
    return compare(aws, STACK, found, was, template, tags=TAGS, pace=at_once)


def test_of_a_stage_that_is_not_there_all_is_new_and_nobody_is_asked(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    made = compared(aws, {}, {"Q": QUEUE}, found=None)
    assert (made.creates, made.change_set) == (True, "")
    assert [(change.action, change.label) for change in made.changes] == [("add", "the Q")]


def test_a_stack_whose_tags_do_not_say_that_it_is_ours_is_not_compared(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    with pytest.raises(DeployError, match="belongs to another app or stage"):
        compared(aws, {}, {}, found={**FOUND, "Tags": []})


def test_who_may_not_make_a_change_set_sees_the_difference_of_the_templates(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    other = {"Type": "AWS::RDS::DBInstance", "Properties": {"Engine": "a"}}
    cloudformation.add_client_error("create_change_set", "AccessDenied")
    resource = {
        "LogicalResourceId": "Db",
        "PhysicalResourceId": "db-1",
        "ResourceType": "AWS::RDS::DBInstance",
        "LastUpdatedTimestamp": "2024-01-01T00:00:00Z",
        "ResourceStatus": "CREATE_COMPLETE",
    }
    cloudformation.add_response(
        "describe_stack_resource",
        {"StackResourceDetail": resource},
        {"StackName": STACK, "LogicalResourceId": "Db"},
    )
    new = {"New": QUEUE, "Db": {**other, "Properties": {"Engine": "b"}}}
    made = compared(aws, {"Db": other}, new)
    assert [*lines(made)][1:] == [
        "+ the New  AWS::SQS::Queue  New",
        "! the Db   AWS::RDS::DBInstance  Db"
        "  replaced: perhaps, only CloudFormation knows: Engine  ITS DATA IS LOST",
    ]
    assert [change.physical_id for change in made.changes if change.logical_id == "Db"] == ["db-1"]


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket"])
def test_a_large_template_that_cannot_be_uploaded_is_compared_too(
    aws: FakeCloud, cloudformation: Stubber, code: str
) -> None:
    with Stubber(aws.client("s3")) as s3:
        place = {"Bucket": ANY, "Key": ANY, "Body": ANY, "ExpectedBucketOwner": aws.account}
        sums = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": ANY}
        s3.add_client_error("put_object", code, expected_params={**place, **sums})
        made = compared(aws, {}, {"Q": {**QUEUE, "Metadata": "x" * 51_201}})
    assert [change.action for change in made.changes] == ["add"]


def test_what_was_asked_of_cloudformation_leaves_no_change_set(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    change = {"Action": "Add", "LogicalResourceId": "Q", "ResourceType": "AWS::SQS::Queue"}
    arn = "arn:aws:cloudformation:eu-west-1:1:changeSet/x/1"
    cloudformation.add_response("create_change_set", {"Id": arn})
    described = {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": change}]}
    cloudformation.add_response("describe_change_set", described)
    cloudformation.add_response("get_template", {"TemplateBody": json.dumps({"Resources": {}})})
    cloudformation.add_response("delete_change_set", {}, {"StackName": STACK, "ChangeSetName": arn})
    cloudformation.add_response(
        "describe_stacks", {"Stacks": [{**FOUND, "CreationTime": "2024-01-01T00:00:00Z"}]}
    )
    assert compared(aws, {}, {"Q": QUEUE}).changes


@pytest.mark.parametrize(
    ("old", "new", "actions"),
    [
        ({"Q": QUEUE}, {"Q": QUEUE}, {}),
        ({}, {"Q": QUEUE}, {"Q": "Add"}),
        ({"Q": QUEUE}, {}, {"Q": "Remove"}),
        ({"Q": QUEUE}, {"Q": {**QUEUE, "Properties": {"DelaySeconds": 1}}}, {"Q": "Modify"}),
        ({"Q": QUEUE}, {"Q": {**QUEUE, "DeletionPolicy": "Retain"}}, {"Q": "Modify"}),
        (
            {"Q": QUEUE, "P": {"Type": "X", "Properties": {"To": {"Ref": "Q"}}}},
            {
                "Q": {**QUEUE, "Properties": {"QueueName": "other"}},
                "P": {"Type": "X", "Properties": {"To": {"Ref": "Q"}}},
            },
            {"Q": "Modify", "P": "Modify"},
        ),
    ],
)
def test_two_templates_have_the_changes_that_a_change_set_has(
    old: Any, new: Any, actions: dict[str, str]
) -> None:
    found = difference({"Resources": old}, {"Resources": new})
    assert {item["LogicalResourceId"]: item["Action"] for item in found} == actions


def test_a_template_tells_the_versions_that_it_starts_from() -> None:
    function = {"Code": {"S3Key": "f.zip", "S3ObjectVersion": "1"}}
    project = {
        "Source": {"Type": "S3", "Location": "bucket/assets/a/code.zip"},
        "SourceVersion": "2",
        "SecondarySources": [
            {"Location": "bucket/assets/a/packages.zip", "SourceIdentifier": "packages"}
        ],
        "SecondarySourceVersions": [{"SourceIdentifier": "packages", "SourceVersion": "3"}],
    }
    resources = {
        "F": {"Type": "AWS::Lambda::Function", "Properties": function},
        "G": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Key": "old.zip"}}},
        "P": {"Type": "AWS::CodeBuild::Project", "Properties": project},
        "E": {"Type": "AWS::CodeBuild::Project", "Properties": {"Source": {"Type": "NO_SOURCE"}}},
        "Q": QUEUE,
    }
    assert pins({"Resources": resources}) == {
        "f.zip": "1",
        "assets/a/code.zip": "2",
        "assets/a/packages.zip": "3",
    }
