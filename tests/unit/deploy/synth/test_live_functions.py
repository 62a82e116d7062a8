"""Functions that run on the laptop: the stub, its role, and the deployed code beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import Api, App, Bucket, Function, Job, OnQueue, Queue, Vpc
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from tests.unit.deploy.synth.conftest import MakeApp
from tests.unit.deploy.templates import (
    DEVELOPER,
    allowed,
    lint,
    made,
    of_type,
    properties,
    resources,
)

LAMBDA = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"Service": "lambda.amazonaws.com"},
}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0fedcba9-8765-4321-0fed-cba987654321"
VPC = Vpc(
    "vpc-0123456789abcdef0",
    subnets=["subnet-0123456789abcdef0"],
    security_groups=["sg-0123456789abcdef0"],
)


def one(root: Path, **options: Any) -> App:
    with loading(root):
        app = App("demo")
        Function(app, "f", **{"handler": "api/start.handler", **options})
    return app


def linted(app: App, **changes: Any) -> Template:
    template = made(app, **changes)
    assert lint(template) == []
    return template


def variables(template: Template, function: str = "FFunction") -> dict[str, Any]:
    found: dict[str, Any] = properties(template, function)["Environment"]["Variables"]
    return found


def trusts(template: Template, role: str = "FFunctionRole") -> list[Any]:
    found: list[Any] = properties(template, role)["AssumeRolePolicyDocument"]["Statement"]
    return found


def test_the_stub_has_the_functions_name_and_is_told_what_it_forwards(root: Path) -> None:
    template = linted(one(root, timeout="1 minute", environment={"COLOUR": "red"}))
    stub = properties(template, "FFunction")
    assert stub["FunctionName"] == "demo_dev_f-fn"
    assert (stub["Runtime"], stub["Handler"]) == ("python3.11", "stub_lambda/function.handler")
    assert stub["Code"] == {"S3Bucket": "assets", "S3Key": "function-stub.zip"}
    assert stub["Role"] == {"Fn::GetAtt": ["FFunctionRole", "Arn"]}
    assert variables(template) == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_FUNCTION_NAME": "f",
        "DEVBRIDGE_IOT_ENDPOINT": "a1-ats.iot.eu-west-1.amazonaws.com",
        "DEVBRIDGE_OFFLINE": "cloud",
        "DEVBRIDGE_BUCKET": "assets",
        "DEVBRIDGE_TIMEOUT": "60",
        "DEVBRIDGE_COPY": "demo_dev_f-cp",
    }


def test_the_deployed_code_is_a_function_beside_it_with_all_that_the_app_says(root: Path) -> None:
    template = linted(
        one(
            root,
            runtime="python3.13",
            architecture="arm64",
            memory_size="1 GB",
            timeout="2 minutes",
            environment={"COLOUR": "red"},
            vpc=VPC,
            reserved_concurrency=3,
            tags={"team": "web"},
            encryption_key=KEY,
        )
    )
    copy, stub = properties(template, "FFunctionCopy"), properties(template, "FFunction")
    assert copy["FunctionName"] == "demo_dev_f-cp"
    assert (copy["Runtime"], copy["Architectures"]) == ("python3.13", ["arm64"])
    assert (copy["MemorySize"], copy["Timeout"]) == (1024, 120)
    assert (copy["Handler"], copy["Code"]["S3Key"]) == ("api/start.handler", "f.zip")
    assert variables(template, "FFunctionCopy") == {"COLOUR": "red"}
    assert copy["VpcConfig"]["SubnetIds"] == list(VPC.subnets)
    assert copy["Role"] == stub["Role"]
    assert copy["LoggingConfig"] == {"LogGroup": {"Ref": "FFunctionLogs"}}
    assert copy["KmsKeyArn"] == stub["KmsKeyArn"] == KEY
    assert copy["Tags"] == stub["Tags"] == [{"Key": "team", "Value": "web"}]
    # Who calls it, calls the stub; and the stub needs no way into the VPC.
    assert stub["ReservedConcurrentExecutions"] == 3
    assert "ReservedConcurrentExecutions" not in copy
    assert "VpcConfig" not in stub


def test_plans_tell_the_deployed_code_from_the_function(root: Path) -> None:
    labels = linted(one(root)).labels
    assert labels["FFunction"] == "Function 'f'"
    assert labels["FFunctionCopy"] == "Function 'f', deployed code"
    assert linted(one(root, enable_live_dev=False)).labels["FFunction"] == "Function 'f'"


def test_what_stubs_say_of_themselves_is_in_one_log_group_for_all(root: Path) -> None:
    with loading(root):
        app = App("demo", encryption_key=KEY)
        for name in ("f", "g"):
            Function(app, name, handler="api/start.handler")
    template = linted(app)
    group = properties(template, "FunctionStubLogs")
    assert group["LogGroupName"] == "/aws/lambda/demo_dev_stubs"
    assert (group["RetentionInDays"], group["KmsKeyId"]) == (14, KEY)
    for stub in ("FFunction", "GFunction"):
        logging = properties(template, stub)["LoggingConfig"]
        assert logging == {"LogGroup": {"Ref": "FunctionStubLogs"}}


@pytest.mark.parametrize("options", [{"mode": "deployed"}, {"live": False}])
def test_where_no_function_is_live_there_is_nothing_of_stubs(
    options: dict[str, Any], root: Path
) -> None:
    app = one(root, enable_live_dev=options.pop("live", True))
    template = linted(app, **options)
    assert [*of_type(template, "AWS::Lambda::Function")] == ["FFunction"]
    assert properties(template, "FFunction")["Code"]["S3Key"] == "f.zip"
    assert "FunctionStubLogs" not in resources(template)
    assert trusts(template) == [LAMBDA]
    assert not [action for action in allowed(template, "FFunctionRole") if action[:5] != "logs:"]
    assert "calls/" not in template.body


def test_the_developer_may_take_the_role_of_a_live_function_only(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Function(app, "f", handler="api/start.handler")
        Function(app, "g", handler="api/start.handler", enable_live_dev=False)
    template = linted(app)
    developer = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": DEVELOPER}}
    assert trusts(template) == [LAMBDA, developer]
    assert trusts(template, "GFunctionRole") == [LAMBDA]
    assert DEVELOPER not in linted(app, mode="deployed").body


def test_the_roles_arn_is_told_where_somebody_takes_it_only(root: Path) -> None:
    def outputs(**options: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(linted(one(root), **options).body)["Outputs"]
        return found

    assert outputs()["FFunctionRole"]["Value"] == {"Fn::GetAtt": ["FFunctionRole", "Arn"]}
    assert "FFunctionRole" not in outputs(mode="deployed")


def test_the_role_has_beside_its_own_just_what_the_stub_does(root: Path) -> None:
    def define(**options: Any) -> dict[str, list[Any]]:
        with loading(root):
            app = App("demo")
            files = Bucket(app, "files")
            Function(app, "f", handler="api/start.handler", bind=[files], **options)
            Function(app, "other", handler="api/start.handler")
        return allowed(linted(app), "FFunctionRole")

    own = define(enable_live_dev=False)
    live = define()
    more = {
        action: [each for each in on if each not in own.get(action, [])]
        for action, on in live.items()
    }
    here = "arn:${AWS::Partition}"
    objects = [{"Fn::Sub": here + ":s3:::assets/calls/demo/dev/*"}]
    copy = here + ":lambda:${AWS::Region}:${AWS::AccountId}:function:demo_dev_f-cp"
    assert {action: on for action, on in more.items() if on and action[:4] != "iot:"} == {
        "s3:GetObject": objects,
        "s3:PutObject": objects,
        "s3:DeleteObject": objects,
        "lambda:InvokeFunction": [{"Fn::Sub": copy}],
        "logs:CreateLogStream": [{"Fn::GetAtt": ["FunctionStubLogs", "Arn"]}],
        "logs:PutLogEvents": [{"Fn::GetAtt": ["FunctionStubLogs", "Arn"]}],
    }
    assert {action: on for action, on in own.items() if live[action][: len(on)] != on} == {}


@pytest.mark.parametrize("options", [{"own": "error"}, {"offline": "error"}])
def test_where_nobody_answers_for_it_there_is_no_copy_and_none_may_be_called(
    options: dict[str, Any], root: Path
) -> None:
    template = linted(one(root, offline=options.pop("own", None)), **options)
    assert [*of_type(template, "AWS::Lambda::Function")] == ["FFunction"]
    assert variables(template)["DEVBRIDGE_OFFLINE"] == "error"
    assert "DEVBRIDGE_COPY" not in variables(template)
    assert "lambda:InvokeFunction" not in allowed(template, "FFunctionRole")
    assert "f.zip" not in template.body


def test_a_function_that_no_policy_queues_for_has_its_copy_where_jobs_wait(root: Path) -> None:
    assert variables(linted(one(root), offline="queue"))["DEVBRIDGE_OFFLINE"] == "cloud"


def test_routes_and_triggers_lead_to_the_stub(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        queue = Queue(app, "work", visibility_timeout="6 minutes")
        function = Function(
            app, "f", handler="api/start.handler", timeout="1 minute", triggers=[OnQueue(queue)]
        )
        Api(app, "api", routes={"GET /": function})

    template = synthed_app(define)
    kept = {
        title: json.dumps(resource)
        for title, resource in resources(template).items()
        if title not in ("FFunction", "FFunctionCopy")
    }
    assert [title for title, text in kept.items() if "FFunctionCopy" in text] == []
    (mapping,) = of_type(template, "AWS::Lambda::EventSourceMapping").values()
    assert "FFunction" in json.dumps(mapping["Properties"]["FunctionName"])


@pytest.mark.parametrize(("own", "stubs"), [("3 seconds", 13), ("15 minutes", 900)])
def test_the_stub_has_time_to_connect_beside_the_functions_own(
    own: str, stubs: int, root: Path
) -> None:
    assert properties(linted(one(root, timeout=own)), "FFunction")["Timeout"] == stubs


@pytest.mark.parametrize(
    ("own", "hidden", "stubs"),
    [
        ("1 minute", None, 70),
        ("2 seconds", "12 seconds", 12),
        ("1 second", None, 6),
        ("1 minute", "exists", 60),
    ],
)
def test_a_stub_that_reads_a_queue_takes_no_longer_than_its_messages_are_hidden(
    own: str, hidden: str | None, stubs: int, synthed_app: MakeApp
) -> None:
    # Lambda refuses a mapping whose function may.
    def define(app: App) -> None:
        if hidden == "exists":
            arn = "arn:aws:sqs:eu-west-1:123456789012:work"
            queue = Queue.existing(app, "work", arn=arn)
        else:
            queue = Queue(app, "work", visibility_timeout=hidden)
        reads = [OnQueue(queue)]
        Function(app, "f", handler="api/start.handler", timeout=own, triggers=reads)

    assert properties(synthed_app(define), "FFunction")["Timeout"] == stubs


def test_a_node_function_has_a_stub_of_python(root: Path) -> None:
    (root / "api" / "start.ts").write_text("export const handler = async () => 1;\n")
    template = linted(one(root, runtime="nodejs22.x"), python="3.12")
    assert properties(template, "FFunction")["Runtime"] == "python3.12"
    assert properties(template, "FFunctionCopy")["Runtime"] == "nodejs22.x"
    assert "NODE_OPTIONS" not in variables(template)


def test_transform_changes_what_has_the_code_and_never_the_stub(root: Path) -> None:
    def describe(function: Any) -> None:
        function.Description = "mine"

    app = one(root, transform=describe)
    template = linted(app)
    assert properties(template, "FFunctionCopy")["Description"] == "mine"
    assert properties(template, "FFunction")["Description"] != "mine"
    assert properties(linted(app, mode="deployed"), "FFunction")["Description"] == "mine"


def test_a_job_is_as_ever_beside_a_live_function(root: Path) -> None:
    with loading(root):
        app = App("demo")
        job = Job(app, "a", handler="jobs/a.handler")
        Function(app, "f", handler="api/start.handler", bind=[job])
    template = linted(app)
    assert properties(template, "AJobInvoker")["Handler"] == "stub_lambda/handler.handler"
    invoked = allowed(template, "FFunctionRole")["lambda:InvokeFunction"]
    assert {"Fn::GetAtt": ["AJobInvoker", "Arn"]} in invoked
    assert "calls" not in json.dumps(allowed(template, "StubRole"))


@pytest.mark.parametrize("options", [{}, {"offline": "error"}, {"mode": "deployed"}])
def test_the_longest_name_that_lambda_allows_has_room_for_the_copy(
    options: dict[str, Any], root: Path
) -> None:
    name, longest = "f" * 40, "a" * (64 - 40 - len("_dev_-fn"))
    with loading(root):
        app = App(longest)
        Function(app, name, handler="api/start.handler")
    assert lint(made(app, **options)) == []
