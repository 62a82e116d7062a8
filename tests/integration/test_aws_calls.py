"""Every call to AWS that devbridge makes for the developer, checked against botocore's model.

`python -m tests.integration.test_aws_calls` prints the IAM permissions that follow.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest
from botocore import xform_name
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.validate import ParamValidator

from devbridge import deploy as deployment
from devbridge import job, names
from devbridge.cli.doctor import check_permissions
from devbridge.cloud.session import Clients, Cloud, connect, local_session
from devbridge.config import Config
from devbridge.constructs import App, Job
from devbridge.daemon.credentials import RoleCredentials
from devbridge.deploy import Request, compare, kinds, package, secrets
from devbridge.deploy.principal import trusted_principal
from devbridge.deploy.remove import remove
from devbridge.deploy.validation import failed_validations
from devbridge.names import Mode
from devbridge.packing.container import build_image, delete_repository
from devbridge.runs.invoker import InvokerStore
from devbridge.runs.log_events import Group, Stream
from devbridge.runs.stage import DeployedStore
from devbridge.transport.base import AwsCredentials
from tests.apps import EVERYTHING, IMPORTS, load
from tests.integration.test_any_app_deploys import fast
from tests.unit.deploy.test_any_app import made

ROOT: Final = Path(__file__).parents[2]

OPERATIONS: Final = {
    "cloudformation": (
        "CancelUpdateStack",
        "CreateChangeSet",
        "DeleteChangeSet",
        "DeleteStack",
        "DescribeChangeSet",
        "DescribeEvents",
        "DescribeStackEvents",
        "DescribeStackResource",
        "DescribeStacks",
        "ExecuteChangeSet",
        "GetTemplate",
        "ListStackResources",
    ),
    "codebuild": ("BatchGetBuilds",),
    "cognito-idp": ("DeleteUserPool", "DescribeUserPool"),
    "dynamodb": (
        "DeleteTable",
        "DescribeTable",
        "UpdateTable",
    ),
    "ec2": (
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcs",
    ),
    "ecr": (
        "BatchGetImage",
        "CreateRepository",
        "DeleteRepository",
        "DescribeRepositories",
        "GetAuthorizationToken",
        "PutLifecyclePolicy",
    ),
    "efs": (
        "DeleteFileSystem",
        "DescribeFileSystems",
        "DescribeMountTargets",
    ),
    "iam": (
        "GetRole",
        "SimulatePrincipalPolicy",
    ),
    "iot": ("DescribeEndpoint",),
    "kinesis": (
        "DeleteStream",
        "DescribeStreamSummary",
    ),
    "lambda": ("Invoke",),
    "logs": (
        "DeleteLogGroup",
        "DescribeLogGroups",
        "FilterLogEvents",
        "GetLogEvents",
    ),
    "resourcegroupstaggingapi": ("GetResources",),
    "s3": (
        "CreateBucket",
        "DeleteBucket",
        "DeleteObjects",
        "GetBucketLifecycleConfiguration",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListObjectVersions",
        "ListObjectsV2",
        "PutBucketEncryption",
        "PutBucketLifecycleConfiguration",
        "PutBucketPolicy",
        "PutBucketVersioning",
        "PutObject",
        "PutPublicAccessBlock",
    ),
    "sqs": (
        "DeleteQueue",
        "GetQueueAttributes",
        "GetQueueUrl",
    ),
    "ssm": (
        "AddTagsToResource",
        "DeleteParameter",
        "DeleteParameters",
        "GetParameter",
        "GetParametersByPath",
        "PutParameter",
    ),
    "sts": (
        "AssumeRole",
        "GetCallerIdentity",
    ),
}
CALLS: Final = [f"{service} {name}" for service, found in OPERATIONS.items() for name in found]
APPS_OWN: Final = ("ssm GetParameters",)
"""What the app's own code calls through devbridge, with its own role."""
INVOKERS: Final = (
    "batch DescribeJobs",
    "batch ListJobs",
    "batch SubmitJob",
    "batch TerminateJob",
    "codebuild StartBuild",
    "codebuild StopBuild",
    "dynamodb DeleteItem",
    "dynamodb GetItem",
    "dynamodb PutItem",
    "dynamodb Query",
    "dynamodb TransactWriteItems",
    "dynamodb UpdateItem",
    "ecs DescribeTasks",
    "ecs RunTask",
    "ecs StopTask",
    "sqs ChangeMessageVisibility",
)
"""What starts, ends and looks at runs, with its own role; who asks for a run of Batch or Fargate
looks, too."""
MESSAGES: Final = (
    "dynamodb DeleteItem",
    "dynamodb PutItem",
    "dynamodb UpdateItem",
    "dynamodbstreams GetRecords",
    "dynamodbstreams GetShardIterator",
    "elbv2 DescribeListeners",
    "elbv2 DescribeLoadBalancers",
    "events PutEvents",
    "kinesis GetRecords",
    "kinesis GetShardIterator",
    "kinesis PutRecord",
    "lambda ListEventSourceMappings",
    "lambda UpdateEventSourceMapping",
    "logs CreateLogStream",
    "logs PutLogEvents",
    "s3 DeleteObject",
    "sns Publish",
    "sqs ChangeMessageVisibilityBatch",
    "sqs DeleteMessage",
    "sqs ReceiveMessage",
    "sqs SendMessage",
)
"""What `devbridge dev` calls of an app with triggers, `devbridge dlq` and `devbridge trigger`."""
SELDOM: Final = (
    "cloudformation ListImports",
    "cognito-idp ListUsers",
    "efs DeleteMountTarget",
)
"""Of a stack that exports something, of a pool whose users are counted, of a file system that its
stack has left with its addresses."""
EMBEDDED_ONLY: Final = ("iam GetPolicy",)
"""What AWS is never asked."""
BRIDGE: Final = (
    "iot:Connect",
    "iot:Publish",
    "iot:Receive",
    "iot:RetainPublish",
    "iot:Subscribe",
)
"""What the daemon's MQTT connection needs."""
OF_OTHERS: Final = (
    "create_connection",
    "get_command",
    "publish",
    "scan",
    "subscribe",
    "unsubscribe",
)
"""Operations whose name methods of other things have, too."""
ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    # The operations that IAM knows by another name: from the Service Authorization Reference.
    "efs DeleteFileSystem": ("elasticfilesystem:DeleteFileSystem",),
    "efs DescribeFileSystems": ("elasticfilesystem:DescribeFileSystems",),
    "efs DescribeMountTargets": ("elasticfilesystem:DescribeMountTargets",),
    "dynamodbstreams GetRecords": ("dynamodb:GetRecords",),
    "dynamodbstreams GetShardIterator": ("dynamodb:GetShardIterator",),
    "elbv2 DescribeListeners": ("elasticloadbalancing:DescribeListeners",),
    "elbv2 DescribeLoadBalancers": ("elasticloadbalancing:DescribeLoadBalancers",),
    "lambda Invoke": ("lambda:InvokeFunction",),
    "sqs ChangeMessageVisibilityBatch": ("sqs:ChangeMessageVisibility",),
    "resourcegroupstaggingapi GetResources": ("tag:GetResources",),
    "s3 DeleteObjects": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "s3 GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
    "s3 HeadBucket": ("s3:ListBucket",),
    "s3 HeadObject": ("s3:GetObject",),
    "s3 ListObjectVersions": ("s3:ListBucketVersions",),
    "s3 ListObjectsV2": ("s3:ListBucket",),
    "s3 PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "s3 PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "s3 PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
}


MAKE: Final = "_make_api_call"
"""The one method of botocore that all calls go through."""


class Recorder:
    """Every call of this process, and what is wrong with its parameters."""

    def __init__(self) -> None:
        self.calls: set[str] = set()
        self.problems: list[str] = []
        self.uploaded_template = False
        self.listening = True

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """What is called in this block is not devbridge's."""
        self.listening = False
        yield
        self.listening = True

    def note(self, client: Any, operation: str, params: dict[str, Any]) -> None:
        if not self.listening:
            return
        service = client.meta.service_model.service_name
        self.calls.add(f"{service} {operation}")
        self.uploaded_template |= "TemplateURL" in params
        shape = client.meta.service_model.operation_model(operation).input_shape
        if shape is None:
            return
        report = ParamValidator().validate(params, shape)
        if report.has_errors():
            self.problems.append(f"{service} {operation}: {report.generate_report()}")
        self.problems += [f"{service} {operation}: {text}" for text in misfits(shape, params)]


def misfits(shape: Any, value: Any, path: str = "$") -> Iterator[str]:
    """What AWS would refuse and botocore lets through: enums, lengths, patterns."""
    match shape.type_name:
        case "structure":
            for key, item in value.items():
                yield from misfits(shape.members[key], item, f"{path}.{key}")
        case "list":
            if not shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", 10**9):
                yield f"{path}: {len(value)} items"
            for index, item in enumerate(value):
                yield from misfits(shape.member, item, f"{path}[{index}]")
        case "map":
            for key, item in value.items():
                yield from misfits(shape.key, key, f"{path}.{key}")
                yield from misfits(shape.value, item, f"{path}.{key}")
        case "string":
            if getattr(shape, "enum", None) and value not in shape.enum:
                yield f"{path}: {value!r} is none of {shape.enum}"
            if len(value) > shape.metadata.get("max", 10**9):
                yield f"{path}: {len(value)} characters"
            if not fits(shape.metadata.get("pattern"), value):
                yield f"{path}: {value!r} is not {shape.metadata['pattern']}"


def fits(pattern: str | None, value: str) -> bool:
    if pattern is None:
        return True
    try:
        return re.search(rf"\A(?:{pattern})\Z", value) is not None
    except re.error:  # Java's
        return True


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    call: Callable[[Any, str, dict[str, Any]], Any] = getattr(BaseClient, MAKE)

    def noted(client: Any, operation: str, params: dict[str, Any]) -> Any:
        recorder.note(client, operation, params)
        return call(client, operation, params)

    monkeypatch.setattr(BaseClient, MAKE, noted)
    return recorder


class Developer:
    """What a developer does in the life of an app."""

    def __init__(self, root: Path, cloud: Cloud) -> None:
        self.root = root
        self.cloud = cloud

    def app(self, text: str, stage: str = "test") -> App:
        return load(self.root, text, stage)

    def deploy(self, text: str, mode: Mode = "deployed", **options: Any) -> deployment.Deployed:
        pace = options.pop("pace", fast)
        request = Request(self.app(text), self.cloud, stage="test", mode=mode, pace=pace)
        return deployment.deploy(request, **options)

    def secrets(self) -> None:
        for name in ("token", "other"):
            secrets.set_secret(self.cloud, "all", "test", name, "x")
        secrets.get_secret(self.cloud, "all", "test", "token")
        secrets.remove_secret(self.cloud, "all", "test", "other")

    def diff(self, text: str) -> None:
        for stage in ("fresh", "test"):
            app = self.app(text, stage)
            request = Request(app, self.cloud, stage=stage, mode="deployed", pace=fast)
            assert deployment.diff(request)
        stack = names.stack("all", "test")
        assert compare._physical_id(self.cloud, stack, "NotesTable")  # of who may only look
        assert failed_validations(self.cloud, stack) == ()

    def interrupt(self, text: str) -> None:
        """Ctrl-C in an update."""
        paces = iter([fast()])

        def pace() -> Iterator[float]:
            first = next(paces, None)
            if first is None:
                raise KeyboardInterrupt
            yield from first

        with pytest.raises(KeyboardInterrupt):
            self.deploy(text, pace=pace)

    def runs(self) -> None:
        """Runs of a deployed job, as `jobs`, `status`, `logs`, `cancel` ask of them."""
        app = self.app(EVERYTHING)

        def invoker(job_: Job, stage: str) -> InvokerStore:
            client, name = self.cloud.client("lambda"), names.invoker(job_, stage)
            return InvokerStore(
                lambda action, payload="null", **fields: job.ask(
                    client, name, job_.name, action, payload, **fields
                ),
                job_.name,
            )

        store = DeployedStore(lambda: app, lambda: self.cloud, "test", lambda: None, invoker)
        large = b'"' + b"x" * 10_000 + b'"'
        started = store.start("first", large, key="k", remember=True).run.record.job_id
        again = store.start("first", b"1", key="k", remember=True)
        assert again.run.record.job_id == started
        store.recent(5)
        store.find(started)
        for number in range(20):  # it must be cancelled before it has ended by itself
            short = store.start("first", b"1", key=f"short-{number}", remember=False)
            if short.run.cancel().state == "CANCELLED":
                break
        list(Stream(self.cloud.client("logs"), "/aws/codebuild/all_test_first", "x").read())
        Group(lambda: self.cloud.client("logs"), "/aws/codebuild/all_test_first", 0.0).read()

    def invoke(self) -> None:
        job.ask(self.cloud.client("lambda"), "all_test_third-invoker", "third", "run")

    def bind(self) -> None:
        role = deployment.stack_values(self.cloud, "all", "test")[names.BIND_ROLE]
        credentials = RoleCredentials(lambda: self.cloud.client("sts"))
        asyncio.run(credentials.get(role))

    def image(self, monkeypatch: pytest.MonkeyPatch) -> None:
        docker = self.root / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text("#!/bin/sh\n")
        docker.chmod(0o755)
        monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
        app = self.app(
            f"{IMPORTS}app = App('images')\n"
            "Job(app, 'j', runtime='container', container=Container('image', ['run']))\n"
        )
        build_image(app.of_type(Job)[0], self.cloud, lambda _: None, stage="test")
        assert delete_repository(self.cloud, app.name, "test")

    def remove(self, recorder: Recorder) -> None:
        """With data in a bucket, and a line of a log that comes late."""
        group = {"logGroupName": "/aws/codebuild/all_test_first"}

        def late(told: deployment.Progress) -> None:
            if told.type == "AWS::Logs::LogGroup" and told.text == "Job 'first'":
                with recorder.deaf():
                    self.cloud.client("logs").create_log_group(**group)

        bucket = deployment.outputs(self.cloud, "all", "test")["FilesBucket"]
        with recorder.deaf():
            self.cloud.client("s3").put_object(Bucket=bucket, Key="a", Body=b"")
        remove(self.cloud, "all", "test", late, fast, delete_data=True)


def ann(cloud: Cloud) -> dict[str, Any]:
    """What makes a connection that of a developer who is not root."""
    iam = cloud.client("iam")
    iam.create_user(UserName="ann")
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="ann", PolicyName="all", PolicyDocument=policy)
    key = iam.create_access_key(UserName="ann")["AccessKey"]

    def session() -> Session:
        return local_session(AwsCredentials(key["AccessKeyId"], key["SecretAccessKey"]))

    return {
        "principal_arn": f"arn:aws:iam::{cloud.account}:user/ann",
        "clients": Clients(session, cloud.endpoint_url, cloud.region),
    }


def test_each_call_is_one_that_aws_has_and_the_list_is_complete(
    tmp_path: Path,
    local_cloud: Cloud,
    make_config: Callable[..., Config],
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with recorder.deaf():
        key = ann(local_cloud)
    developer = Developer(
        tmp_path, replace(connect(make_config(), local_cloud.endpoint_url), **key)
    )
    assert check_permissions(developer.cloud).ok
    session = f"arn:aws:sts::{local_cloud.account}:assumed-role/nobody/x"
    trusted_principal(session, developer.cloud.client("iam"))
    developer.deploy(EVERYTHING, "dev")
    developer.bind()
    developer.secrets()
    developer.diff(EVERYTHING)
    gone = re.sub(r"(?m)^(scratch|plain) = .*$", "", EVERYTHING)
    developer.deploy(re.sub(r"\b(scratch|plain), ", "", gone), "dev")
    more = "".join(f"Topic(app, 'a-topic-of-many-{i}')\n" for i in range(160))
    developer.deploy(EVERYTHING + more)
    assert recorder.uploaded_template
    developer.interrupt(EVERYTHING)
    developer.runs()
    developer.invoke()
    developer.image(monkeypatch)
    developer.remove(recorder)
    # The embedded cloud has no TLS, and obeys the policy that demands it.
    monkeypatch.setattr(package, "is_tls", lambda _: True)
    with pytest.raises(ClientError, match="AccessDenied"):
        package.ensure_bucket(replace(developer.cloud, region="eu-west-1"))
    assert recorder.problems == []
    assert sorted(recorder.calls) == CALLS


def test_no_call_is_in_the_code_that_is_not_in_the_list() -> None:
    listed = (*CALLS, *APPS_OWN, *INVOKERS, *MESSAGES, *SELDOM, *EMBEDDED_ONLY)
    known = {call.partition(" ")[2] for call in listed}
    services = {call.partition(" ")[0] for call in listed}
    session = botocore.session.get_session()
    operations = {
        xform_name(operation): operation
        for service in services
        for operation in session.get_service_model(service).operation_names
        if xform_name(operation) not in OF_OTHERS
    }
    for path in sorted((ROOT / "devbridge").rglob("*.py")):
        if "emulator/inside" in path.as_posix() or "templates" in path.parts:
            continue  # it stands in for AWS; it is an app's
        for node in ast.walk(ast.parse(path.read_text())):
            name = ""
            if isinstance(node, ast.Attribute):
                name = node.attr
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get_paginator":
                name = ast.literal_eval(node.args[0])
            assert operations.get(name, next(iter(known))) in known, (path, name)


def permissions() -> dict[str, list[str]]:
    """The IAM actions that a developer needs, by what for.

    CloudFormation acts with the developer's credentials: what it needs for each resource is in the
    schemas of its registry, as far as they say it.
    """
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER as SCHEMAS

    own = {
        action
        for call in (*CALLS, *MESSAGES)
        for action in ACTIONS.get(call, (call.replace(" ", ":"),))
        # AWS lets everybody ask who they are.
        if call not in ("iot DescribeEndpoint", "sts AssumeRole", "sts GetCallerIdentity")
    }
    needed = {
        "devbridge itself": sorted(own),
        "devbridge dev": [*BRIDGE, "iot:DescribeEndpoint", "sts:AssumeRole"],
        "CloudFormation, for every app": ["iam:PassRole"],
    }
    for kind in sorted(TYPES):
        schema = SCHEMAS.get_resource_schema("us-east-1", kind).schema
        actions = {
            action
            for handler, what in schema.get("handlers", {}).items()
            if handler != "list"
            for action in what.get("permissions", ())
        }
        needed[f"CloudFormation, {kind}"] = sorted(actions | set(TYPES[kind]))
    return needed


TYPES: Final[dict[str, tuple[str, ...]]] = {
    "AWS::ApiGatewayV2::Api": (),
    "AWS::ApiGatewayV2::Authorizer": (),
    "AWS::ApiGatewayV2::Integration": (),
    "AWS::ApiGatewayV2::Route": (),
    "AWS::ApiGatewayV2::Stage": (),
    "AWS::ApplicationAutoScaling::ScalableTarget": (),
    "AWS::ApplicationAutoScaling::ScalingPolicy": (),
    "AWS::Batch::ComputeEnvironment": (),
    "AWS::Batch::JobDefinition": (),
    "AWS::Batch::JobQueue": (),
    "AWS::CloudWatch::Alarm": (),
    "AWS::CloudWatch::CompositeAlarm": (),
    "AWS::Cognito::UserPool": (),
    "AWS::Cognito::UserPoolClient": (),
    "AWS::CodeBuild::Project": (
        "codebuild:BatchGetProjects",
        "codebuild:CreateProject",
        "codebuild:DeleteProject",
        "codebuild:UpdateProject",
    ),
    "AWS::DynamoDB::Table": (),
    "AWS::EC2::LaunchTemplate": (),
    "AWS::EC2::SecurityGroup": (),
    "AWS::ECS::Cluster": (),
    "AWS::ECS::Service": (),
    "AWS::ECS::TaskDefinition": (),
    "AWS::EFS::AccessPoint": (),
    "AWS::EFS::FileSystem": (),
    "AWS::EFS::MountTarget": ("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    "AWS::ElasticLoadBalancingV2::Listener": (),
    "AWS::ElasticLoadBalancingV2::ListenerRule": (),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (),
    "AWS::ElasticLoadBalancingV2::TargetGroup": (),
    "AWS::Events::EventBus": (),
    "AWS::Events::Rule": (),
    "AWS::IAM::InstanceProfile": (),
    "AWS::IAM::ManagedPolicy": (),
    "AWS::IAM::Role": (),
    "AWS::Kinesis::Stream": (),
    "AWS::Kinesis::StreamConsumer": (),
    "AWS::Lambda::EventInvokeConfig": (),
    "AWS::Lambda::EventSourceMapping": (),
    "AWS::Lambda::Function": (),
    "AWS::Lambda::Permission": (),
    "AWS::Logs::LogGroup": (),
    "AWS::Logs::SubscriptionFilter": (),
    "AWS::S3::Bucket": (),
    "AWS::S3::BucketPolicy": (),
    "AWS::Scheduler::Schedule": (),
    "AWS::Scheduler::ScheduleGroup": (),
    "AWS::SNS::Subscription": (),
    "AWS::SNS::Topic": (),
    "AWS::SNS::TopicPolicy": (),
    "AWS::SQS::Queue": (),
    "AWS::SQS::QueuePolicy": (),
}
"""The types of resources that devbridge's templates have; with what their schemas do not say."""


def test_each_type_of_a_resource_is_known_to_the_list_of_permissions(tmp_path: Path) -> None:
    assert {each.name for row in kinds.KINDS for each in row.makes} == set(TYPES)
    template = made(load(tmp_path, EVERYTHING, "test"), "deployed")
    types = {each["Type"] for each in json.loads(template.body)["Resources"].values()}
    assert types - {names.STAMP} <= set(TYPES)
    assert all(permissions().values())


if __name__ == "__main__":
    for purpose, actions in permissions().items():
        print(purpose, *actions, sep="\n    ")
