"""What each role may do and, above all, may not: IAM's own simulation on the embedded cloud."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError

from devbridge import deploy as deployment
from devbridge import names
from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config
from devbridge.daemon.credentials import RoleCredentials
from devbridge.deploy import Request, secrets
from devbridge.deploy.remove import remove
from devbridge.emulator.state import Running
from devbridge.live.roles import without_bridge
from devbridge.names import Mode
from devbridge.protocol.messages import Topics
from devbridge.transport.base import AwsCredentials
from tests.apps import IMPORTS, load
from tests.clients import reset
from tests.integration.test_any_app_deploys import fast
from tests.integration.test_aws_calls import ann

APP: Final = f"""{IMPORTS}
app = App("shop")
notes = Table(app, "notes", partition_key="id")
other = Table(app, "other", partition_key="id")
files = Bucket(app, "files")
hidden = Bucket(app, "hidden")
orders = Queue(app, "orders")
closed = Queue(app, "closed")
news = Topic(app, "news")
quiet = Topic(app, "quiet")
token = Secret(app, "token")
Secret(app, "token-2")
colour = Config(app, "colour", value="red")
hello = Function(app, "hello", handler="api/start.handler")
work = "jobs/work.handler"
worker = Job(
    app, "worker", handler=work, concurrency=1,
    bind=[notes, files, orders, news, token, colour, hello],
    permissions=[{{"actions": ["ses:SendEmail"], "resources": ["*"]}}],
)
plain = Job(app, "plain", handler=work)
Job(app, "cloudy", handler=work, offline="cloud", bind=[plain])
Job(app, "fixed", handler=work, enable_live_dev=False)
Job(
    app, "boxed", runtime="container", container=Container("image", ["run"]), offline="cloud",
    vpc=Vpc("vpc-12345678", subnets=["subnet-12345678"], security_groups=["sg-12345678"]),
)
Job(app, "many", handler=work, compute=Batch(), bind=[plain])
Job(app, "task", handler=work, compute=Fargate())
Job(app, "short", handler=work, compute=Lambda(), timeout="10 minutes")
caller = Function(app, "caller", handler="api/start.other", bind=[worker, Api(
    app, "inner", routes={{"GET /": hello}})])
Api(app, "web", routes={{"GET /": caller}})
Function(app, "steady", handler="api/start.handler", enable_live_dev=False)
"""
MODES: Final[dict[str, Mode]] = {"dev": "dev", "live": "deployed"}
"""The stages, and what they are."""
BOTH: Final = tuple(MODES)


@dataclass(frozen=True)
class Deployed:
    """The app on both stages, deployed by ann."""

    root: Cloud
    developer: Cloud
    outputs: dict[str, dict[str, str]]

    def role(self, stage: str, title: str) -> dict[str, Any]:
        roles = self.root.client("iam").list_roles()["Roles"]
        (found,) = [r for r in roles if f"shop--{stage}--{title}" in r["RoleName"]]
        return dict(found)

    def arn(self, stage: str, resource: str) -> str:
        """The ARN that a row of the table means."""
        if resource == "*":
            return resource
        service, _, name = resource.partition(" ")
        values = {
            **self.outputs[stage],
            "stage": stage,
            "assets": names.asset_bucket(self.root.account, self.root.region),
        }
        region = "" if service in ("s3", "iam") else self.root.region
        account = "" if service == "s3" else self.root.account
        return f"arn:aws:{service}:{region}:{account}:{name.format(**values)}"


@pytest.fixture(scope="module")
def shop(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    reset(shared_cloud.endpoint_url)
    folder = tmp_path_factory.mktemp("shop")
    load(folder, APP, "dev")
    config = Config(root=folder, stage="dev", python=Path(sys.executable), local=True)
    root = connect(config, shared_cloud.endpoint_url)
    developer = replace(root, **ann(root))
    outputs = {}
    for stage, mode in MODES.items():
        for name in ("token", "token-2"):
            secrets.set_secret(root, "shop", stage, name, "x")
        app = load(folder, APP, stage)
        deployment.deploy(Request(app, developer, stage=stage, mode=mode, pace=fast))
        values = deployment.stack_values(root, "shop", stage)
        # A queue's ARN has its name, an output its URL; a topic's output is its ARN.
        outputs[stage] = {
            key: value.rpartition("/")[2].rpartition(":")[2] for key, value in values.items()
        }
    return Deployed(root, developer, outputs)


SECRET: Final = "ssm parameter/devbridge/shop/{stage}/secrets/token"
NOBODY_MAY: Final = (
    ("iam:CreateRole", "iam role/x"),
    ("iam:PutRolePolicy", "iam role/devbridge/shop/{stage}/devbridge-shop--{stage}--WorkerJobRole"),
    ("iam:PassRole", "iam role/devbridge/shop/{stage}/devbridge-shop--{stage}--WorkerJobRole"),
    ("sts:AssumeRole", "iam role/devbridge/shop/{stage}/devbridge-shop--{stage}--BindRole"),
    ("sts:AssumeRole", "*"),
    ("cloudformation:UpdateStack", "cloudformation stack/devbridge-shop--{stage}-/*"),
    ("cloudformation:DeleteStack", "cloudformation stack/devbridge-shop--{stage}-/*"),
    ("dynamodb:DeleteTable", "dynamodb table/{NotesTable}"),
    ("dynamodb:UpdateTable", "dynamodb table/{NotesTable}"),
    ("dynamodb:GetItem", "dynamodb table/elsewhere"),
    ("dynamodb:ListTables", "*"),
    ("s3:DeleteBucket", "s3 {FilesBucket}"),
    ("s3:PutBucketPolicy", "s3 {FilesBucket}"),
    ("s3:PutLifecycleConfiguration", "s3 {FilesBucket}"),
    ("s3:GetObjectVersion", "s3 {FilesBucket}/a"),
    ("s3:DeleteObjectVersion", "s3 {FilesBucket}/a"),
    ("s3:GetObject", "s3 elsewhere/a"),
    ("s3:ListAllMyBuckets", "*"),
    ("s3:ListBucket", "s3 {assets}"),
    ("s3:DeleteBucket", "s3 {assets}"),
    ("s3:PutObject", "s3 {assets}/" + "0" * 64 + ".zip"),
    ("s3:GetObject", "s3 {assets}/" + "0" * 64 + ".zip"),
    ("s3:GetObject", "s3 {assets}/payloads/shop/elsewhere/worker/x.json"),
    ("s3:GetObject", "s3 {assets}/results/shop-2/{stage}/worker/x.json"),
    ("s3:PutObject", "s3 {assets}/payloads/shop/elsewhere/worker/x.json"),
    ("s3:DeleteObject", "s3 {assets}/payloads/shop/elsewhere/worker/x.json"),
    ("s3:PutObject", "s3 {assets}/runs/shop/elsewhere/worker/x"),
    ("sqs:DeleteQueue", "sqs {OrdersQueue}"),
    ("sqs:PurgeQueue", "sqs {OrdersQueue}"),
    ("sqs:SetQueueAttributes", "sqs {OrdersQueue}"),
    ("sqs:SendMessage", "sqs elsewhere"),
    ("sns:DeleteTopic", "sns {NewsTopic}"),
    ("sns:Subscribe", "sns {NewsTopic}"),
    ("sns:Publish", "sns elsewhere"),
    ("ssm:PutParameter", SECRET),
    ("ssm:DeleteParameter", SECRET),
    ("ssm:GetParameterHistory", SECRET),
    ("ssm:GetParametersByPath", "ssm parameter/devbridge/shop/{stage}/secrets"),
    ("ssm:GetParameters", "ssm parameter/devbridge/shop/elsewhere/secrets/token"),
    ("ssm:GetParameters", "ssm parameter/devbridge/shop-2/{stage}/secrets/token"),
    ("secretsmanager:GetSecretValue", "*"),
    ("kms:Decrypt", "*"),
    ("lambda:UpdateFunctionCode", "lambda function:shop_{stage}_hello-fn"),
    ("lambda:UpdateFunctionConfiguration", "lambda function:shop_{stage}_worker-invoker"),
    ("lambda:GetFunction", "lambda function:shop_{stage}_hello-fn"),
    ("lambda:InvokeFunction", "lambda function:shop_elsewhere_hello-fn"),
    ("codebuild:UpdateProject", "codebuild project/shop_{stage}_worker"),
    ("codebuild:DeleteProject", "codebuild project/shop_{stage}_worker"),
    ("codebuild:StartBuild", "codebuild project/shop_elsewhere_worker"),
    ("codebuild:StartBuild", "codebuild project/shop_{stage}_worker-2"),
    ("logs:DeleteLogGroup", "logs log-group:/aws/codebuild/shop_{stage}_worker:*"),
    ("logs:PutLogEvents", "logs log-group:/aws/codebuild/shop_elsewhere_worker:log-stream:x"),
    ("logs:GetLogEvents", "logs log-group:/aws/codebuild/shop_{stage}_worker:log-stream:x"),
    ("iot:Publish", "iot topic/devbridge/shop/elsewhere/requests"),
    ("iot:Publish", "iot topic/devbridge/shop/{stage}/presence"),
    ("iot:Publish", "iot topic/devbridge/shop/{stage}/replies/1"),
    ("iot:Publish", "iot topic/devbridge/shop/elsewhere/calls"),
    ("iot:Subscribe", "iot topicfilter/devbridge/shop/{stage}/calls"),
    ("iot:Receive", "iot topic/devbridge/shop/{stage}/calls"),
    ("s3:GetObject", "s3 {assets}/calls/shop/elsewhere/x/event"),
    ("s3:PutObject", "s3 {assets}/calls/shop-2/{stage}/x/answer"),
    ("s3:DeleteObject", "s3 {assets}/calls/shop/elsewhere/x/event"),
    ("lambda:InvokeFunction", "lambda function:shop_elsewhere_hello-cp"),
    ("iot:Connect", "iot client/devbridge-shop--{stage}--daemon"),
    ("iot:Subscribe", "iot topicfilter/devbridge/shop/{stage}/requests"),
)

Row = tuple[str, str]
"""An action and a resource."""
STORED: Final[tuple[Row, ...]] = (
    ("dynamodb:BatchGetItem", "dynamodb table/{NotesTable}"),
    ("dynamodb:BatchWriteItem", "dynamodb table/{NotesTable}"),
    ("dynamodb:DeleteItem", "dynamodb table/{NotesTable}"),
    ("dynamodb:GetItem", "dynamodb table/{NotesTable}"),
    ("dynamodb:PutItem", "dynamodb table/{NotesTable}"),
    ("dynamodb:Query", "dynamodb table/{NotesTable}/index/x"),
    ("dynamodb:Scan", "dynamodb table/{NotesTable}"),
    ("dynamodb:UpdateItem", "dynamodb table/{NotesTable}"),
    ("s3:ListBucket", "s3 {FilesBucket}"),
    ("s3:GetObject", "s3 {FilesBucket}/a/b"),
    ("s3:PutObject", "s3 {FilesBucket}/a/b"),
    ("s3:DeleteObject", "s3 {FilesBucket}/a/b"),
    ("s3:AbortMultipartUpload", "s3 {FilesBucket}/a/b"),
    ("sqs:SendMessage", "sqs {OrdersQueue}"),
    ("sqs:ReceiveMessage", "sqs {OrdersQueue}"),
    ("sqs:DeleteMessage", "sqs {OrdersQueue}"),
    ("sqs:ChangeMessageVisibility", "sqs {OrdersQueue}"),
    ("sqs:GetQueueAttributes", "sqs {OrdersQueue}"),
    ("sns:Publish", "sns {NewsTopic}"),
    ("ssm:GetParameter", SECRET),
    ("ssm:GetParameters", SECRET),
    ("lambda:InvokeFunction", "lambda function:shop_{stage}_hello-fn"),
)
"""What binding gives to job worker: and what nobody has who does not bind it."""
UNBOUND: Final[tuple[Row, ...]] = (
    ("dynamodb:GetItem", "dynamodb table/{OtherTable}"),
    ("s3:GetObject", "s3 {HiddenBucket}/a"),
    ("s3:ListBucket", "s3 {HiddenBucket}"),
    ("sqs:SendMessage", "sqs {ClosedQueue}"),
    ("sns:Publish", "sns {QuietTopic}"),
    ("ssm:GetParameters", "ssm parameter/devbridge/shop/{stage}/secrets/token-2"),
    ("lambda:InvokeFunction", "lambda function:shop_{stage}_plain-invoker"),
    ("lambda:InvokeFunction", "lambda function:shop_{stage}_caller-fn"),
)
"""What the app has and job worker does not bind."""
INVOKE: Final = ("lambda:InvokeFunction", "lambda function:shop_{stage}_worker-invoker")
BUILDS: Final = tuple(
    f"codebuild:{action}" for action in ("StartBuild", "StopBuild", "BatchGetBuilds")
)


def builds(job: str) -> tuple[Row, ...]:
    return tuple((action, f"codebuild project/shop_{{stage}}_{job}") for action in BUILDS)


def bucket(job: str) -> tuple[Row, ...]:
    """What a build needs of the asset bucket."""
    return (
        ("s3:GetObject", f"s3 {{assets}}/payloads/shop/{{stage}}/{job}/x.json"),
        ("s3:DeleteObject", f"s3 {{assets}}/payloads/shop/{{stage}}/{job}/x.json"),
        ("s3:PutObject", f"s3 {{assets}}/results/shop/{{stage}}/{job}/x.json"),
        ("s3:GetObject", f"s3 {{assets}}/checkpoints/shop/{{stage}}/{job}/x.json"),
        ("s3:PutObject", f"s3 {{assets}}/checkpoints/shop/{{stage}}/{job}/x.json"),
    )


def told(job: str) -> tuple[Row, ...]:
    """What a run needs of it that no build is the record of."""
    return (
        *bucket(job),
        ("s3:GetObject", f"s3 {{assets}}/told/shop/{{stage}}/{job}/x.json"),
        ("s3:PutObject", f"s3 {{assets}}/told/shop/{{stage}}/{job}/x.json"),
        ("s3:GetObject", f"s3 {{assets}}/runs/shop/{{stage}}/{job}/x.end.json"),
    )


def logs(group: str) -> tuple[Row, ...]:
    arn = f"logs log-group:{group}:log-stream:x"
    return (("logs:CreateLogStream", arn), ("logs:PutLogEvents", arn))


def group_of(job: str) -> tuple[Row, ...]:
    """The log group of a job, whatever runs it."""
    return logs(f"/aws/codebuild/shop_{{stage}}_{job}")


INVOKERS: Final[tuple[Row, ...]] = (
    ("s3:PutObject", "s3 {assets}/payloads/shop/{stage}/worker/x.json"),
    *(
        (f"s3:{action}Object", f"s3 {{assets}}/{kind}/shop/{{stage}}/{job}/x.json")
        for job in ("worker", "plain", "plain-2", "many", "task", "short")
        for action, kind in (
            *(("Delete", "payloads"), ("Get", "checkpoints"), ("Put", "checkpoints")),
            ("Get", "told"),
        )
    ),
    *(
        ("s3:GetObject", f"s3 {{assets}}/runs/shop/{{stage}}/{job}/x.end.json")
        for job in ("many", "task", "short")
    ),
    ("s3:PutObject", "s3 {assets}/runs/shop/{stage}/worker/x"),
    ("s3:GetObject", "s3 {assets}/runs/shop/{stage}/worker/x"),
    ("s3:GetObject", "s3 {assets}/results/shop/{stage}/worker/x.json"),
    ("s3:PutObject", "s3 {assets}/listed/shop/{stage}/worker/x"),
)
"""What an invoker needs of the asset bucket."""
BRIDGE: Final[tuple[Row, ...]] = (
    ("iot:Connect", "iot client/devbridge-shop--{stage}--stub-1"),
    ("iot:Publish", "iot topic/devbridge/shop/{stage}/requests"),
    ("iot:Subscribe", "iot topicfilter/devbridge/shop/{stage}/replies/1"),
    ("iot:Receive", "iot topic/devbridge/shop/{stage}/replies/1"),
    ("iot:Subscribe", "iot topicfilter/devbridge/shop/{stage}/presence"),
    ("iot:Receive", "iot topic/devbridge/shop/{stage}/presence"),
)
CALLS: Final[Row] = ("iot:Publish", "iot topic/devbridge/shop/{stage}/calls")
STUBS: Final[tuple[Row, ...]] = (
    CALLS,
    *(row for row in BRIDGE if row[0] != "iot:Publish"),
    *(
        (f"s3:{action}Object", "s3 {assets}/calls/shop/{stage}/x/event")
        for action in ("Get", "Put", "Delete")
    ),
    *logs("/aws/lambda/shop_{stage}_stubs"),
)
"""What the stub of a live function needs."""
COPIES: Final[tuple[Row, ...]] = (
    ("lambda:InvokeFunction", "lambda function:shop_{stage}_hello-cp"),
    ("lambda:InvokeFunction", "lambda function:shop_{stage}_caller-cp"),
)
TURNS: Final = tuple(
    (f"dynamodb:{action}", "dynamodb table/shop_{stage}_turns")
    for action in ("DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
)
PLACES: Final[tuple[Row, ...]] = (
    ("batch:SubmitJob", "batch job-definition/shop_{stage}_many:1"),
    ("batch:TerminateJob", "batch job/x"),
    ("batch:DescribeJobs", "*"),
    ("ecs:DescribeTasks", "ecs task/shop_{stage}/x"),
    ("lambda:InvokeFunction", "lambda function:shop_{stage}_short-job"),
)
"""What invokers need to start runs elsewhere than in builds."""
PULL: Final[tuple[Row, ...]] = (
    ("ecr:GetAuthorizationToken", "*"),
    ("ecr:BatchGetImage", "ecr repository/devbridge/shop/{stage}"),
    ("ecr:GetDownloadUrlForLayer", "ecr repository/devbridge/shop/{stage}"),
)
ALL: Final[tuple[Row, ...]] = (
    *STORED,
    *UNBOUND,
    INVOKE,
    *(row for job in ("worker", "plain", "cloudy", "fixed") for row in builds(job)),
    *(row for job in ("worker", "plain", "plain-2") for row in bucket(job)),
    *(row for job in ("many", "task", "short") for row in told(job)),
    *INVOKERS,
    *TURNS,
    *PLACES,
    *BRIDGE,
    *STUBS,
    *COPIES,
    *PULL,
    *logs("/aws/codebuild/shop_{stage}_worker"),
    *logs("/aws/codebuild/shop_{stage}_plain"),
    *(row for job in ("many", "task", "short") for row in group_of(job)),
    *logs("/aws/lambda/shop_{stage}_hello-fn"),
    *logs("/aws/lambda/shop_{stage}_invokers"),
    ("ses:SendEmail", "*"),
    ("ec2:CreateNetworkInterface", "*"),
    ("ecr:PutImage", "ecr repository/devbridge/shop/{stage}"),
    ("ecr:BatchGetImage", "ecr repository/devbridge/shop/elsewhere"),
)
"""What anybody may do; who may not, must not."""

MAY: Final[dict[tuple[str, str], tuple[Row, ...]]] = {
    ("dev", "WorkerJobRole"): (
        *STORED,
        *logs("/aws/codebuild/shop_{stage}_worker"),
        ("ses:SendEmail", "*"),
    ),
    ("live", "WorkerJobRole"): (
        *STORED,
        *bucket("worker"),
        *logs("/aws/codebuild/shop_{stage}_worker"),
        ("ses:SendEmail", "*"),
    ),
    ("dev", "PlainJobRole"): logs("/aws/codebuild/shop_{stage}_plain"),
    ("live", "PlainJobRole"): (*bucket("plain"), *logs("/aws/codebuild/shop_{stage}_plain")),
    ("dev", "CloudyJobRole"): (UNBOUND[6],),
    ("live", "CloudyJobRole"): (UNBOUND[6],),
    ("dev", "FixedJobRole"): (),
    ("live", "FixedJobRole"): (),
    ("dev", "BoxedJobRole"): (*PULL, ("ec2:CreateNetworkInterface", "*")),
    ("live", "BoxedJobRole"): (*PULL, ("ec2:CreateNetworkInterface", "*")),
    ("dev", "ManyJobRole"): (UNBOUND[6],),
    ("live", "ManyJobRole"): (UNBOUND[6], *told("many")),
    ("live", "ManyJobExecutionRole"): group_of("many"),
    ("dev", "TaskJobRole"): (),
    ("live", "TaskJobRole"): told("task"),
    ("live", "TaskJobExecutionRole"): group_of("task"),
    ("live", "MachineRole"): (),
    ("dev", "ShortJobRole"): (),
    ("live", "ShortJobRole"): (*told("short"), *group_of("short"), PLACES[-1]),
    ("dev", "HelloFunctionRole"): (
        *logs("/aws/lambda/shop_{stage}_hello-fn"),
        *STUBS,
        COPIES[0],
    ),
    ("live", "HelloFunctionRole"): logs("/aws/lambda/shop_{stage}_hello-fn"),
    ("dev", "CallerFunctionRole"): (INVOKE, *STUBS, COPIES[1]),
    ("dev", "SteadyFunctionRole"): (),
    ("live", "SteadyFunctionRole"): (),
    ("live", "CallerFunctionRole"): (INVOKE,),
    ("dev", "StubRole"): (
        *BRIDGE,
        *builds("cloudy"),
        *INVOKERS,
        *logs("/aws/lambda/shop_{stage}_invokers"),
    ),
    ("dev", "InvokerRole"): (
        *builds("fixed"),
        *INVOKERS,
        *logs("/aws/lambda/shop_{stage}_invokers"),
    ),
    ("live", "InvokerRole"): (
        *(row for job in ("worker", "plain", "cloudy", "fixed") for row in builds(job)),
        *INVOKERS,
        *TURNS,
        *PLACES,
        *logs("/aws/lambda/shop_{stage}_invokers"),
    ),
    ("dev", "BindRole"): (*STORED, *UNBOUND, INVOKE),
    ("live", "BindRole"): (*STORED, *UNBOUND, INVOKE),
}
"""By stage and role; all else of `ALL`, and all of `NOBODY_MAY`, they may not."""


@pytest.mark.parametrize(("stage", "role"), MAY)
def test_a_role_may_do_what_it_must_and_nothing_else(shop: Deployed, stage: str, role: str) -> None:
    may = set(MAY[stage, role])
    assert may <= set(ALL)
    expected = {row: row in may for row in (*ALL, *NOBODY_MAY)}
    found = simulated(shop, stage, role, expected)
    assert {row: found[row] for row in found if found[row] != expected[row]} == {}


def simulated(shop: Deployed, stage: str, role: str, rows: Iterable[Row]) -> dict[Row, bool]:
    """Whether IAM would allow each action on its resource."""
    asked: dict[str, list[str]] = {}
    for action, resource in rows:
        asked.setdefault(resource, []).append(action)
    iam = shop.root.client("iam")
    # The embedded cloud's simulation takes a role's path for a part of its name.
    arn = f"arn:aws:iam::{shop.root.account}:role/{shop.role(stage, role)['RoleName']}"
    found = {}
    for resource, actions in asked.items():
        results = iam.simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=actions, ResourceArns=[shop.arn(stage, resource)]
        )["EvaluationResults"]
        for result in results:
            row = (result["EvalActionName"], resource)
            found[row] = result["EvalDecision"] == "allowed"
    return found


def test_every_role_of_the_stages_is_in_the_table(shop: Deployed) -> None:
    names_ = [role["RoleName"] for role in shop.root.client("iam").list_roles()["Roles"]]
    assert len(names_) == len(MAY)
    for stage, title in MAY:
        assert shop.role(stage, title)


@pytest.mark.parametrize(("stage", "role"), MAY)
def test_a_role_is_trusted_to_its_service_and_on_a_dev_stage_to_the_developer(
    shop: Deployed, stage: str, role: str
) -> None:
    document = shop.role(stage, role)["AssumeRolePolicyDocument"]
    trusted = [json.dumps(each["Principal"]) for each in document["Statement"]]
    developer = json.dumps({"AWS": shop.developer.principal_arn})
    elsewhere = {"Many": "ecs-tasks", "Task": "ecs-tasks", "Machine": "ec2", "Short": "lambda"}
    service = "codebuild" if role.endswith("JobRole") else "lambda"
    service = next((s for name, s in elsewhere.items() if role.startswith(name)), service)
    expected = [json.dumps({"Service": f"{service}.amazonaws.com"})]
    if role == "BindRole":
        account = json.dumps({"AWS": f"arn:aws:iam::{shop.root.account}:root"})
        expected = [developer if stage == "dev" else account]
    elif role.endswith(("JobRole", "FunctionRole")) and stage == "dev" and role[:6] != "Steady":
        expected.append(developer)
    assert trusted == expected
    assert {each["Action"] for each in document["Statement"]} == {"sts:AssumeRole"}


@pytest.mark.parametrize(
    ("who", "stage", "role", "allowed"),
    [
        ("ann", "dev", "WorkerJobRole", True),
        ("ann", "dev", "BindRole", True),
        ("ann", "dev", "StubRole", False),
        ("ann", "dev", "InvokerRole", False),
        ("ann", "dev", "HelloFunctionRole", True),
        ("ann", "dev", "SteadyFunctionRole", False),
        ("ann", "live", "HelloFunctionRole", False),
        ("ann", "live", "WorkerJobRole", False),
        ("ann", "live", "PlainJobRole", False),
        ("ann", "live", "InvokerRole", False),
        ("ann", "live", "BindRole", True),
        ("eve", "dev", "HelloFunctionRole", False),
        ("eve", "dev", "WorkerJobRole", False),
        ("eve", "dev", "BindRole", False),
        ("eve", "live", "WorkerJobRole", False),
        ("eve", "live", "BindRole", True),
        ("bob", "dev", "WorkerJobRole", False),
        ("bob", "live", "WorkerJobRole", False),
        ("bob", "live", "BindRole", False),
    ],
)
def test_who_may_take_a_role_on(
    shop: Deployed, who: str, stage: str, role: str, allowed: bool
) -> None:
    """Ann deployed it and may do everything; eve may assume all roles; bob may do nothing."""
    sts = shop.developer.client("sts") if who == "ann" else user(shop.root, who)
    arn = shop.role(stage, role)["Arn"]
    if allowed:
        assert sts.assume_role(RoleArn=arn, RoleSessionName=who)["Credentials"]
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(RoleArn=arn, RoleSessionName=who)


def test_a_worker_has_its_functions_role_without_the_bridge(shop: Deployed) -> None:
    arn = shop.role("dev", "CallerFunctionRole")["Arn"]
    there, topics = shop.developer, Topics("shop", "dev")
    key = {
        "Bucket": names.asset_bucket(there.account, there.region),
        "Key": topics.event_key("11111111-1111-1111-1111-111111111111"),
    }

    def client(service: str, policy: Callable[[str], str] | None = None) -> Any:
        roles = RoleCredentials(lambda: there.client("sts"), policy=policy)
        document = asyncio.run(roles.get(arn))
        taken = AwsCredentials(
            document["AccessKeyId"], document["SecretAccessKey"], document["Token"]
        )
        return there.client_as(service, taken)

    workers = functools.partial(without_bridge, topics, there.account, there.region)
    client("s3").put_object(**key, Body=b"a stub may")
    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3", workers).get_object(**key)
    client("s3").delete_object(**key)
    invoke = {"InvocationType": "DryRun"}
    client("lambda").invoke(FunctionName="shop_dev_caller-cp", **invoke)
    client("lambda", workers).invoke(FunctionName="shop_dev_worker-invoker", **invoke)
    with pytest.raises(ClientError, match="AccessDenied"):
        client("lambda", workers).invoke(FunctionName="shop_dev_caller-cp", **invoke)


def user(cloud: Cloud, name: str) -> Any:
    """The STS client of a user: eve, who may assume roles, or another one, who may not."""
    iam = cloud.client("iam")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=name)
    if name == "eve":
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.client(
        "sts",
        region_name=cloud.region,
        endpoint_url=cloud.endpoint_url,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


def test_a_role_may_do_what_does_not_fit_into_it(tmp_path: Path, local_cloud: Cloud) -> None:
    text = f"""{IMPORTS}
app = App("shop")
tables = [Table(app, f"table-{{i}}", partition_key="id") for i in range(80)]
Table(app, "other", partition_key="id")
Job(app, "worker", handler="jobs/work.handler", bind=tables)
"""
    app = load(tmp_path, text, "live")
    deployment.deploy(Request(app, local_cloud, stage="live", mode="deployed", pace=fast))
    assert local_cloud.client("iam").list_policies(Scope="Local")["Policies"]
    values = deployment.stack_values(local_cloud, "shop", "live")
    shop = Deployed(local_cloud, local_cloud, {"live": values})
    for number in range(80):
        row = ("dynamodb:Query", f"dynamodb table/{{Table{number}Table}}")
        assert simulated(shop, "live", "WorkerJobRole", [row]) == {row: True}
    other = ("dynamodb:Query", "dynamodb table/{OtherTable}")
    assert simulated(shop, "live", "WorkerJobRole", [other]) == {other: False}
    remove(local_cloud, "shop", "live", lambda _: None, fast, delete_data=True)
    assert local_cloud.client("iam").list_policies(Scope="Local")["Policies"] == []
