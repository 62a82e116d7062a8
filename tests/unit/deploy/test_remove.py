from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from devbridge import names
from devbridge.deploy import secrets
from devbridge.deploy.access import Progress
from devbridge.deploy.changes import LABELS
from devbridge.deploy.package import OF_RUNS
from devbridge.deploy.remove import Inventory, Removed, Resource, inventory, remove
from devbridge.errors import DeployError
from tests.unit.deploy.conftest import FakeCloud, bucket, table, tables

STACK = "devbridge-demo--prod-"
STACK_ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{STACK}/1"
TABLE, BUCKET, QUEUE = "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue"
LOGS = "AWS::Logs::LogGroup"


def at_once() -> Iterator[float]:
    return itertools.repeat(0.0)


class Script:
    """CloudFormation's answers about one stack, whose resources moto has."""

    def __init__(self, aws: FakeCloud) -> None:
        self.stub = Stubber(aws.client("cloudformation"))
        self.resources: dict[str, tuple[str, str, str]] = {}
        self.status: dict[str, str] = {}

    def stack(self, status: str = "CREATE_COMPLETE", **fields: Any) -> None:
        tags = {"devbridge:app": "demo", "devbridge:stage": "prod"}
        found = {
            "StackName": STACK,
            "StackId": STACK_ID,
            "StackStatus": status,
            "CreationTime": "2024-01-01T00:00:00Z",
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            **fields,
        }
        self.stub.add_response("describe_stacks", {"Stacks": [found]})

    def no_stack(self) -> None:
        """Neither one of its name, nor of that which an older devbridge gave it."""
        for _ in range(2):
            self.stub.add_client_error("describe_stacks", "ValidationError", "... does not exist")

    def has(self, logical_id: str, kind: str, name: str, policy: str = "Delete") -> None:
        self.resources[logical_id] = (kind, name, policy)

    def template(self) -> None:
        resources = {
            logical_id: {"Type": kind, "DeletionPolicy": policy}
            for logical_id, (kind, _, policy) in self.resources.items()
        }
        labels = {logical_id: f"the {logical_id}" for logical_id in self.resources}
        body = json.dumps({"Resources": resources, "Metadata": {LABELS: labels}})
        self.stub.add_response("get_template", {"TemplateBody": body})

    def listed(self) -> None:
        self.stack()
        self.template()
        found = [
            {
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": name,
                "ResourceType": kind,
                "ResourceStatus": self.status.get(logical_id, "CREATE_COMPLETE"),
                "LastUpdatedTimestamp": "2024-01-01T00:00:00Z",
            }
            for logical_id, (kind, name, _) in self.resources.items()
        ]
        self.stub.add_response("list_stack_resources", {"StackResourceSummaries": found})

    def deletion(self, status: str = "DELETE_COMPLETE", **failed: str) -> None:
        """What is asked of one attempt to delete the stack."""
        self.stub.add_response("describe_stack_events", {"StackEvents": []})
        self.stub.add_response("delete_stack", {}, {"StackName": STACK_ID})
        self.stack(status)
        events = [
            {
                "StackId": STACK_ID,
                "EventId": f"{logical_id}-{reason}",
                "StackName": STACK,
                "Timestamp": "2024-01-01T00:00:00Z",
                "LogicalResourceId": logical_id,
                "ResourceType": self.resources[logical_id][0],
                "ResourceStatus": "DELETE_FAILED",
                "ResourceStatusReason": reason,
            }
            for logical_id, reason in failed.items()
        ]
        self.stub.add_response("describe_stack_events", {"StackEvents": events})


@pytest.fixture
def script(aws: FakeCloud) -> Iterator[Script]:
    script = Script(aws)
    with script.stub:
        yield script
    script.stub.assert_no_pending_responses()


def removed(
    aws: FakeCloud, told: list[Progress] | None = None, *, delete_data: bool = False
) -> Removed | None:
    tell = ([] if told is None else told).append
    return remove(aws, "demo", "prod", tell, at_once, delete_data=delete_data)


def test_a_stage_that_is_not_there_is_none(aws: FakeCloud, script: Script) -> None:
    script.no_stack()
    assert removed(aws) is None
    script.no_stack()
    assert removed(aws, delete_data=True) is None


def test_the_inventory_tells_what_goes_and_what_is_kept(aws: FakeCloud, script: Script) -> None:
    script.has("Notes", TABLE, "notes-1", "Retain")
    script.has("Files", BUCKET, "files-1")
    secrets.set_secret(aws, "demo", "prod", "token", "x")
    script.listed()
    found = inventory(aws, "demo", "prod")
    assert found.stack_id == STACK_ID
    notes = Resource(TABLE, "notes-1", "the Notes", kept=True)
    assert found.resources == (notes, Resource(BUCKET, "files-1", "the Files"))
    assert found.kept == (notes,)
    assert found.secrets == ("token",)


def test_what_is_gone_or_stands_for_nothing_is_passed_over(aws: FakeCloud, script: Script) -> None:
    script.has("Gone", QUEUE, "gone-1")
    script.status["Gone"] = "DELETE_COMPLETE"
    script.has("Stamp", names.STAMP, "stamp-1")
    script.has("Files", BUCKET, "files-1")
    script.listed()
    found = inventory(aws, "demo", "prod")
    assert found.resources == (Resource(BUCKET, "files-1", "the Files"),)


def test_another_apps_stack_is_left_alone(aws: FakeCloud, script: Script) -> None:
    script.stack(Tags=[{"Key": "devbridge:app", "Value": "other"}])
    with pytest.raises(DeployError, match="belongs to another app or stage"):
        removed(aws)


def test_a_protected_stack_is_an_error_before_any_data_is_deleted(
    aws: FakeCloud, script: Script
) -> None:
    script.stack(EnableTerminationProtection=True)
    with pytest.raises(DeployError, match="--no-enable-termination-protection"):
        removed(aws)


def test_what_is_retained_stays_and_is_told(aws: FakeCloud, script: Script) -> None:
    table(aws, "notes-1")
    s3 = bucket(aws, "kept-1", "a")
    script.has("Notes", TABLE, "notes-1", "Retain")
    script.has("Kept", BUCKET, "kept-1", "RetainExceptOnCreate")
    secrets.set_secret(aws, "demo", "prod", "token", "x")
    script.listed()
    script.stack()
    script.deletion()
    done = removed(aws)
    assert done is not None
    assert [each.name for each in done.kept] == ["notes-1", "kept-1"]
    assert done.secrets == ("token",)
    assert tables(aws) == ["notes-1"]
    assert s3.list_objects_v2(Bucket="kept-1")["KeyCount"] == 1


def test_a_bucket_that_goes_is_emptied_of_versions_and_markers_first(
    aws: FakeCloud, script: Script
) -> None:
    s3 = bucket(aws, "files-1", "a", "a", "b")
    s3.delete_object(Bucket="files-1", Key="a")
    script.has("Files", BUCKET, "files-1")
    script.listed()
    script.stack()
    script.deletion()
    told: list[Progress] = []
    assert removed(aws, told) == Removed((), ())
    assert "Versions" not in s3.list_object_versions(Bucket="files-1")
    assert "the Files: 4 objects deleted" in [p.text for p in told]


def test_a_bucket_that_is_written_to_meanwhile_is_emptied_once_more(
    aws: FakeCloud, script: Script
) -> None:
    bucket(aws, "files-1", "a")
    script.has("Files", BUCKET, "files-1")
    script.listed()
    script.stack()
    script.deletion("DELETE_FAILED", Files="The bucket you tried to delete is not empty")
    script.deletion()
    assert removed(aws) == Removed((), ())


def test_what_cannot_be_deleted_is_named_with_the_first_cause(
    aws: FakeCloud, script: Script
) -> None:
    script.has("Files", TABLE, "files-1")
    script.listed()
    script.stack()
    script.deletion("DELETE_FAILED", Files="resource sg-1 has a dependent object")
    with pytest.raises(DeployError) as caught:
        removed(aws)
    assert "the Files: resource sg-1 has a dependent object" in str(caught.value)
    assert "network interfaces" in str(caught.value)


def test_another_deployment_is_waited_for_before_any_data_is_deleted(
    aws: FakeCloud, script: Script
) -> None:
    script.has("Notes", TABLE, "notes-1")
    script.listed()
    script.stack("UPDATE_IN_PROGRESS")
    for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"):
        script.stack(status)
        script.stub.add_response("describe_stack_events", {"StackEvents": []})
    script.deletion()
    told: list[Progress] = []
    assert removed(aws, told) == Removed((), ())
    assert told[0].text == "another deployment is under way"


def test_ctrl_c_says_that_cloudformation_goes_on(
    aws: FakeCloud, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("devbridge.deploy.stacks.time.sleep", interrupt)
    script.has("Notes", TABLE, "notes-1")
    script.listed()
    script.stack()
    script.deletion("DELETE_IN_PROGRESS")
    told: list[Progress] = []
    with pytest.raises(KeyboardInterrupt):
        removed(aws, told)
    assert "goes on deleting" in told[-1].text


def test_a_stack_that_was_only_planned_is_deleted(aws: FakeCloud, script: Script) -> None:
    script.stack("REVIEW_IN_PROGRESS")
    script.stub.add_response("list_stack_resources", {"StackResourceSummaries": []})
    script.stack("REVIEW_IN_PROGRESS")
    script.deletion()
    assert removed(aws) == Removed((), ())


def test_a_bucket_that_does_not_become_empty_is_given_up(aws: FakeCloud, script: Script) -> None:
    bucket(aws, "files-1")
    script.has("Files", BUCKET, "files-1")
    script.listed()
    script.stack()
    for _ in range(3):
        script.deletion("DELETE_FAILED", Files="The bucket you tried to delete is not empty")
    with pytest.raises(DeployError, match="the Files: The bucket you tried to delete"):
        removed(aws)


def test_with_delete_data_what_was_retained_is_deleted_after_the_stack(
    aws: FakeCloud, script: Script
) -> None:
    table(aws, "notes-1")
    s3 = bucket(aws, "kept-1", "a", "b")
    queue = aws.client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/aws/codebuild/demo_prod_a")
    logs.create_log_group(logGroupName="/aws/codebuild/demo_prod_a-b")
    script.has("Notes", TABLE, "notes-1", "Retain")
    script.has("Kept", BUCKET, "kept-1", "Retain")
    script.has("Orders", QUEUE, queue, "Retain")
    script.has("Logs", LOGS, "/aws/codebuild/demo_prod_a")
    script.has("Mine", "AWS::RDS::DBInstance", "db-1", "Retain")
    for number in range(12):
        secrets.set_secret(aws, "demo", "prod", f"s{number}", "x")
    secrets.set_secret(aws, "demo", "dev", "other", "x")
    script.listed()
    script.stack()
    script.deletion()
    told: list[Progress] = []
    done = removed(aws, told, delete_data=True)
    assert done == Removed((Resource("AWS::RDS::DBInstance", "db-1", "the Mine", kept=True),), ())
    assert tables(aws) == []
    assert s3.list_buckets()["Buckets"] == []
    assert "QueueUrls" not in aws.client("sqs").list_queues()
    left = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
    assert left == ["/aws/codebuild/demo_prod_a-b"]
    assert secrets.stored(aws, "demo", "prod") == []
    assert secrets.stored(aws, "demo", "dev") == ["other"]
    assert ("the Notes", "DELETE_COMPLETE") in [(p.text, p.status) for p in told]


def test_with_delete_data_what_an_earlier_removal_has_kept_is_deleted(
    aws: FakeCloud, script: Script
) -> None:
    table(aws, "notes-1", app="demo", stage="prod")
    table(aws, "notes-2", app="demo", stage="other")
    script.no_stack()
    done = removed(aws, delete_data=True)
    assert done == Removed((), ())
    assert tables(aws) == ["notes-2"]


def test_what_the_stack_still_has_is_not_found_once_more_by_its_tags(
    aws: FakeCloud, script: Script
) -> None:
    tags = {"devbridge:app": "demo", "devbridge:stage": "prod"}
    for name in ("orders", "older"):
        aws.client("sqs").create_queue(QueueName=name, tags=tags)
    table(aws, "notes-1", app="demo", stage="prod")
    another_form = f"https://eu-west-1.queue.amazonaws.com/{aws.account}/orders"
    script.has("Orders", QUEUE, another_form)
    script.has("Notes", TABLE, "notes-1", "Retain")
    script.listed()
    older = f"https://sqs.eu-west-1.amazonaws.com/{aws.account}/older"
    assert inventory(aws, "demo", "prod", left=True).resources == (
        Resource(TABLE, "notes-1", "the Notes", kept=True),
        Resource(QUEUE, another_form, "the Orders"),
        Resource(QUEUE, older, older, kept=True),
    )


def test_what_only_has_the_name_of_something_in_the_stack_is_found(
    aws: FakeCloud, script: Script
) -> None:
    table(aws, "notes-1", app="demo", stage="prod")
    script.has("Files", BUCKET, "notes-1")
    script.listed()
    assert inventory(aws, "demo", "prod", left=True).resources == (
        Resource(TABLE, "notes-1", "notes-1", kept=True),
        Resource(BUCKET, "notes-1", "the Files"),
    )


def test_what_has_the_tags_and_is_no_leftover_is_passed_over(
    aws: FakeCloud, script: Script
) -> None:
    table(aws, "notes-1", app="demo", stage="prod")
    arns = (
        "arn:aws:lambda:eu-west-1:123456789012:function:f",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/gone",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/notes-1",
    )
    found: Any = [{"ResourceARN": arn} for arn in arns]
    script.no_stack()
    with Stubber(aws.client("resourcegroupstaggingapi")) as tagging:
        tagging.add_response("get_resources", {"ResourceTagMappingList": found})
        there = inventory(aws, "demo", "prod", left=True)
    assert there.resources == (Resource(TABLE, "notes-1", "notes-1", kept=True),)


def test_what_a_stack_without_a_template_has_goes_with_it(aws: FakeCloud, script: Script) -> None:
    script.stack("REVIEW_IN_PROGRESS")
    listed = {
        "LogicalResourceId": "Notes",
        "PhysicalResourceId": "notes-1",
        "ResourceType": TABLE,
        "ResourceStatus": "CREATE_COMPLETE",
        "LastUpdatedTimestamp": "2024-01-01T00:00:00Z",
    }
    script.stub.add_response("list_stack_resources", {"StackResourceSummaries": [listed]})
    assert inventory(aws, "demo", "prod").resources == (Resource(TABLE, "notes-1", "Notes"),)


def test_a_log_group_that_a_late_line_has_made_again_is_deleted(
    aws: FakeCloud, script: Script
) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/aws/a")
    script.has("Logs", LOGS, "/aws/a")
    script.has("Gone", LOGS, "/aws/gone")
    script.listed()
    script.stack()
    script.deletion()
    told: list[Progress] = []
    removed(aws, told, delete_data=True)
    assert logs.describe_log_groups()["logGroups"] == []
    assert [p.text for p in told] == ["the Logs"]


def test_without_delete_data_a_log_group_that_was_made_again_stays(
    aws: FakeCloud, script: Script
) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/aws/a")
    script.has("Logs", LOGS, "/aws/a")
    script.listed()
    script.stack()
    script.deletion()
    removed(aws)
    assert len(logs.describe_log_groups()["logGroups"]) == 1


def test_with_delete_data_a_table_that_is_protected_is_deleted(
    aws: FakeCloud, script: Script
) -> None:
    table(aws, "notes-1", app="demo", stage="prod")
    dynamodb = aws.client("dynamodb")
    dynamodb.update_table(TableName="notes-1", DeletionProtectionEnabled=True)
    with pytest.raises(ClientError, match="DeletionProtectionEnabled"):
        dynamodb.delete_table(TableName="notes-1")
    script.no_stack()
    removed(aws, delete_data=True)
    assert tables(aws) == []


def test_with_delete_data_the_stages_payloads_and_results_are_deleted(
    aws: FakeCloud, script: Script
) -> None:
    assets = f"devbridge-assets-{aws.account}-{aws.region}"
    ours = [f"{kind}/demo/prod/a/1" for kind in OF_RUNS]
    others = ["results/demo/prod2/a/1", "x.zip"]
    s3 = bucket(aws, assets, *ours, *others)
    script.has("Files", TABLE, "files-1")
    script.listed()
    script.stack()
    script.deletion()
    removed(aws, delete_data=True)
    found = s3.list_object_versions(Bucket=assets)["Versions"]
    assert [each["Key"] for each in found] == others


def test_what_is_gone_already_is_deleted(aws: FakeCloud, script: Script) -> None:
    queue = f"https://sqs.eu-west-1.amazonaws.com/{aws.account}/orders"
    script.has("Notes", TABLE, "notes-1", "Retain")
    script.has("Kept", BUCKET, "kept-1", "Retain")
    script.has("Orders", QUEUE, queue, "Retain")
    script.has("Logs", LOGS, "l", "Retain")
    script.listed()
    script.stack()
    script.deletion()
    assert removed(aws, delete_data=True) == Removed((), ())


def test_what_aws_refuses_is_our_error(aws: FakeCloud, script: Script) -> None:
    script.stub.add_client_error("describe_stacks", "AccessDenied", "not authorized")
    with pytest.raises(DeployError, match="AWS refuses DescribeStacks") as caught:
        removed(aws)
    assert isinstance(caught.value.__cause__, ClientError)


def test_what_belongs_to_something_that_is_kept_is_not_counted_for_itself() -> None:
    queue = Resource(QUEUE, "https://queue", "the Orders", kept=True)
    policy = Resource("AWS::SQS::QueuePolicy", "policy-1", "the Orders", kept=True)
    client = Resource("AWS::Cognito::UserPoolClient", "client-1", "the Users", kept=True)
    assert Inventory("id", (queue, policy, client), ()).kept == (queue,)
