"""Plans, executions and removals on the embedded cloud."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from devbridge.cli import LazyGroup
from devbridge.cli.deploy import deploy as deploy_command
from devbridge.cli.diff import diff as diff_command
from devbridge.cloud.session import Cloud
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy, secrets
from devbridge.deploy.access import Progress
from devbridge.deploy.changes import Change
from devbridge.deploy.execute import execute
from devbridge.deploy.plan import Plan, discard, plan
from devbridge.deploy.plan_text import lines
from devbridge.deploy.remove import Removed, inventory, remove
from devbridge.deploy.stacks import describe
from devbridge.deploy.synth import Template
from devbridge.emulator.state import Running
from devbridge.errors import EXIT_ERROR, EXIT_NOT_CONFIRMED, DeployError

STACK = "devbridge-demo--prod-"
TAGS = {"devbridge:app": "demo", "devbridge:stage": "prod"}
TABLE, BUCKET, QUEUE = "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue"


def at_once() -> Iterator[float]:
    while True:
        yield 0.02


def table(key: str = "id", policy: str = "Delete") -> dict[str, Any]:
    return {
        "Type": TABLE,
        "DeletionPolicy": policy,
        "UpdateReplacePolicy": policy,
        "Properties": {
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    }


def role(*actions: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": {"Fn::GetAtt": ["Notes", "Arn"]},
    }
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "codebuild.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    version = "2012-10-17"
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": version, "Statement": [trust]},
            "Policies": [
                {
                    "PolicyName": "devbridge",
                    "PolicyDocument": {"Version": version, "Statement": [statement]},
                }
            ],
        },
    }


def resource(kind: str, policy: str = "Delete", **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "DeletionPolicy": policy, "Properties": properties}


def template(**resources: dict[str, Any]) -> Template:
    body = json.dumps({"Resources": resources})
    return Template(body, "hash", {name: f"the {name}" for name in resources})


def planned(cloud: Cloud, **resources: dict[str, Any]) -> Plan:
    return plan(
        cloud,
        STACK,
        template(**resources),
        tags=TAGS,
        on_progress=lambda _: None,
        pace=at_once,
    )


def deployed(cloud: Cloud, **resources: dict[str, Any]) -> list[Progress]:
    told: list[Progress] = []
    execute(cloud, planned(cloud, **resources), {}, told.append, at_once)
    return told


def by_name(made: Plan) -> dict[str, Change]:
    return {change.logical_id: change for change in made.changes}


def test_a_new_stack_is_all_added_and_leaves_nothing_when_it_is_discarded(
    local_cloud: Cloud,
) -> None:
    made = planned(local_cloud, Notes=table(), Role=role("dynamodb:GetItem"))
    assert (bool(made), made.creates, made.dangerous) == (True, True, ())
    assert list(lines(made)) == [
        f"stack {STACK} (new): 2 added",
        "+ the Notes  AWS::DynamoDB::Table  Notes",
        "who may do what:",
        "+ the Role   AWS::IAM::Role  Role",
        "+   the Role may be assumed by codebuild.amazonaws.com",
        "+   the Role may dynamodb:GetItem on the Notes",
    ]
    discard(local_cloud, made)
    assert describe(local_cloud, STACK) is None


def test_the_same_again_is_an_empty_plan(local_cloud: Cloud) -> None:
    deployed(local_cloud, Notes=table())
    assert not planned(local_cloud, Notes=table())


def test_each_kind_of_change_is_told_with_its_reason(local_cloud: Cloud) -> None:
    deployed(
        local_cloud,
        Notes=table(),
        Other=table(policy="Retain"),
        Gone=table(policy="Retain"),
        Logs=resource("AWS::Logs::LogGroup", LogGroupName="a"),
        Role=role("dynamodb:GetItem", "dynamodb:Scan"),
        Queue=resource(QUEUE),
        Full=resource(QUEUE),
    )
    sqs = local_cloud.client("sqs")
    (full,) = [url for url in sqs.list_queues()["QueueUrls"] if "Full" in url]
    sqs.send_message(QueueUrl=full, MessageBody="x")
    made = planned(
        local_cloud,
        Notes=table("key"),
        Other={**table("key"), "UpdateReplacePolicy": "Retain"},
        Logs=resource("AWS::Logs::LogGroup", LogGroupName="b"),
        Role=role("dynamodb:GetItem", "dynamodb:PutItem"),
        Files=resource(BUCKET),
    )
    changes = by_name(made)
    actions = {name: change.action for name, change in changes.items()}
    assert actions == {
        "Notes": "replace",
        "Other": "replace",
        "Gone": "remove",
        "Logs": "replace",
        "Role": "change",
        "Queue": "remove",
        "Full": "remove",
        "Files": "add",
    }
    assert (changes["Notes"].reason, changes["Logs"].reason) == ("KeySchema", "LogGroupName")
    assert {name: change.kept for name, change in changes.items() if change.data} == {
        "Notes": False,
        "Other": False,
        "Gone": True,
        "Full": False,
    }
    assert changes["Role"].granted == ("may dynamodb:PutItem on the Notes",)
    assert changes["Role"].revoked == ("may dynamodb:Scan on the Notes",)
    assert changes["Gone"].label == "the Gone"
    assert changes["Gone"].physical_id in local_cloud.client("dynamodb").list_tables()["TableNames"]
    discard(local_cloud, made)
    assert describe(local_cloud, STACK) is not None


@pytest.mark.parametrize(
    ("kind", "old", "new", "reason"),
    [
        (TABLE, None, {"BillingMode": "PROVISIONED"}, ""),
        (QUEUE, {"QueueName": "a"}, {"QueueName": "b"}, "QueueName"),
        (QUEUE, {"VisibilityTimeout": 30}, {"VisibilityTimeout": 40}, ""),
        ("AWS::SNS::Topic", {"TopicName": "a"}, {"TopicName": "b"}, "TopicName"),
        (BUCKET, {"BucketName": "name-a"}, {"BucketName": "name-b"}, "BucketName"),
        (BUCKET, {}, {"VersioningConfiguration": {"Status": "Enabled"}}, ""),
        ("AWS::Logs::LogGroup", {"RetentionInDays": 7}, {"RetentionInDays": 14}, ""),
    ],
)
def test_what_is_planned_to_be_replaced_is_replaced_and_nothing_else(
    local_cloud: Cloud, kind: str, old: dict[str, Any] | None, new: dict[str, Any], reason: str
) -> None:
    before = table() if old is None else resource(kind, **old)
    after = {**before, "Properties": {**before["Properties"], **new}}
    deployed(local_cloud, X=before)
    (change,) = planned(local_cloud, X=after).changes
    assert (change.action, change.reason) == ("replace" if reason else "change", reason)
    deployed(local_cloud, X=after)
    (there,) = inventory(local_cloud, "demo", "prod").resources
    assert (there.name != change.physical_id) == bool(reason)


def test_ctrl_c_during_an_update_leaves_everything_as_it_was(
    local_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(local_cloud, Notes=table())
    before = inventory(local_cloud, "demo", "prod")
    wait = resource("AWS::CloudFormation::WaitCondition", Handle={"Ref": "Handle"}, Timeout="1")
    handle = resource("AWS::CloudFormation::WaitConditionHandle")
    made = planned(local_cloud, Notes=table(), New=table(), Handle=handle, Wait=wait)
    told: list[Progress] = []
    interrupts = [KeyboardInterrupt]

    def sleep(seconds: float) -> None:
        if interrupts:
            raise interrupts.pop()
        threading.Event().wait(seconds)

    monkeypatch.setattr("devbridge.deploy.stacks.time.sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        execute(local_cloud, made, {}, told.append, at_once)
    said = [progress.text for progress in told if progress.step == "wait"]
    assert said == [
        "cancelling the update; press Ctrl-C again to stop waiting for that",
        "rolling back: putting everything back as it was",
        "the stack is UPDATE_ROLLBACK_COMPLETE; everything is as it was before",
    ]
    assert inventory(local_cloud, "demo", "prod") == before


def test_a_failed_update_tells_of_its_roll_back(local_cloud: Cloud) -> None:
    deployed(local_cloud, Notes=table())
    local_cloud.client("codebuild").create_project(
        name="taken",
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "x",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=f"arn:aws:iam::{local_cloud.account}:role/x",
    )
    project = resource(
        "AWS::CodeBuild::Project",
        Name="taken",
        Artifacts={"Type": "NO_ARTIFACTS"},
        Source={"Type": "NO_SOURCE", "BuildSpec": "version: 0.2"},
        Environment={
            "Type": "LINUX_CONTAINER",
            "Image": "x",
            "ComputeType": "BUILD_GENERAL1_SMALL",
        },
        ServiceRole=f"arn:aws:iam::{local_cloud.account}:role/x",
    )
    made = planned(
        local_cloud,
        Notes=table(),
        Project={**project, "DependsOn": "Files"},
        Files=resource(BUCKET),
    )
    told: list[Progress] = []
    with pytest.raises(DeployError) as caught:
        execute(local_cloud, made, {}, told.append, at_once)
    assert "the Project: AWS::CodeBuild::Project" in str(caught.value)
    assert "everything is as it was before" in str(caught.value)
    begins = next(n for n, p in enumerate(told) if p.text.startswith("rolling back"))
    assert ("the Files", "DELETE_COMPLETE") in [(p.text, p.status) for p in told[begins:]]


def test_a_removal_empties_keeps_and_later_deletes_what_it_kept(local_cloud: Cloud) -> None:
    deployed(
        local_cloud,
        Notes=table(policy="Retain"),
        Old=table(),
        Files=resource(BUCKET, VersioningConfiguration={"Status": "Enabled"}),
        Orders=resource(QUEUE, "Retain"),
        Kept=resource(BUCKET, "Retain"),
    )
    secrets.set_secret(local_cloud, "demo", "prod", "token", "x")
    names = {each.label: each.name for each in inventory(local_cloud, "demo", "prod").resources}
    s3 = local_cloud.client("s3")
    for _ in range(2):
        s3.put_object(Bucket=names["the Files"], Key="a", Body=b"x")
    s3.delete_object(Bucket=names["the Files"], Key="a")
    everything = inventory(local_cloud, "demo", "prod", left=True).resources
    assert {each.name for each in everything} == set(names.values())
    told: list[Progress] = []
    done = remove(local_cloud, "demo", "prod", told.append, at_once)
    assert done is not None
    kept = {names[name] for name in ("the Notes", "the Orders", "the Kept")}
    assert {each.name for each in done.kept} == kept
    assert done.secrets == ("token",)
    said = {p.text: p.status for p in told}
    assert said["the Files: 3 objects deleted"] == ""
    assert (said["the Old"], said["the Notes"]) == ("DELETE_COMPLETE", "DELETE_SKIPPED")
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == [names["the Kept"]]
    assert local_cloud.client("dynamodb").list_tables()["TableNames"] == [names["the Notes"]]

    assert remove(local_cloud, "demo", "prod", told.append, at_once) is None
    again = remove(local_cloud, "demo", "prod", told.append, at_once, delete_data=True)
    assert again == Removed((), ())
    assert local_cloud.client("dynamodb").list_tables()["TableNames"] == []
    assert not local_cloud.client("sqs").list_queues().get("QueueUrls")
    assert s3.list_buckets()["Buckets"] == []
    assert not inventory(local_cloud, "demo", "prod", left=True)


EXAMPLE = Path(__file__).parents[2] / "examples" / "factorial"


class Both(LazyGroup):
    """devbridge's group with the two commands."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return {"deploy": deploy_command, "diff": diff_command}[cmd_name]


def test_a_stage_of_dev_becomes_a_deployed_one_only_if_it_is_meant(
    embedded: Running, local_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "app"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".devbridge", "__pycache__"))
    monkeypatch.chdir(root)

    def devbridge(*arguments: str) -> Result:
        there = ("--stage", "test", "--endpoint", embedded.endpoint_url)
        return CliRunner().invoke(Both("devbridge"), [*arguments, *there])

    deploy(Request(load_app(root), local_cloud, stage="test", mode="dev"))
    stack = describe(local_cloud, "devbridge-factorial-demo--test-")
    assert stack is not None
    refused = devbridge("deploy")
    assert refused.exit_code == EXIT_NOT_CONFIRMED, refused.output
    assert describe(local_cloud, "devbridge-factorial-demo--test-") == stack
    change_sets = local_cloud.client("cloudformation").list_change_sets(StackName=stack["StackId"])
    assert change_sets["Summaries"] == []

    would = devbridge("diff", "--json", "--exit-code")
    assert would.exit_code == EXIT_ERROR
    changes = {each["logicalId"]: each for each in json.loads(would.stdout)["changes"]}
    assert "Source" in changes["FactorialJobProject"]["properties"]
    assert changes["StubRole"]["action"] == "remove"
    assert any("iot:Publish" in text for text in changes["StubRole"]["revoked"])

    done = devbridge("deploy", "--yes")
    assert done.exit_code == 0, done.output
    assert "/factorial'" in done.stdout
    assert devbridge("diff", "--exit-code").exit_code == 0
    again = devbridge("deploy")
    assert "nothing to deploy" in again.stdout
