from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint as cfn_lint

from devbridge.constructs import Api, App, Function, Job, Table
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Code, Template, synth
from devbridge.errors import InvalidValue

POLICIES = ("None", "Queue", "Error", "Cloud")
DEVELOPER = "arn:aws:iam::123456789012:user/ann"


def made(app: App, **changes: Any) -> Template:
    settings: dict[str, Any] = {
        "stage": "dev",
        "principal_arn": DEVELOPER,
        "iot_host": "a1-ats.iot.eu-west-1.amazonaws.com",
        "python": "3.11",
        "stub": Code("assets", "stub.zip"),
        "functions": {f.name: Code("assets", f"{f.name}.zip") for f in app.of_type(Function)},
        **changes,
    }
    return synth(app, **settings)


def resources(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(template.body)["Resources"]
    return found


def statements(template: Template, role: str) -> list[dict[str, Any]]:
    properties = resources(template)[role]["Properties"]
    found: list[dict[str, Any]] = properties["Policies"][0]["PolicyDocument"]["Statement"]
    return found


def lint(template: Template) -> list[str]:
    return [str(match) for match in cfn_lint(template.body, regions=["eu-west-1"])]


def test_cfn_lint_finds_nothing_wrong_with_a_whole_app(app: App) -> None:
    assert lint(made(app)) == []


def test_cfn_lint_finds_nothing_wrong_with_every_size_and_kind(root: Path) -> None:
    with loading(root):
        app = App("kinds")
        first = Job(app, "x86", handler="jobs/a.handler", memory_size="145 GB", timeout="36 hours")
        for size in ("3 GB", "15 GB"):
            Job(
                app,
                f"arm_{size[:-3]}",
                handler="jobs/a.handler",
                memory_size=size,
                architecture="arm64",
                bind=[first],
            )
        function = Function(app, "f", handler="api/start.handler", architecture="arm64")
        Api(app, "one", routes={"$default": function})
        Api(app, "two", routes={"ANY /{proxy+}": function})
    root_user = "arn:aws:iam::123456789012:root"
    assert lint(made(app, principal_arn=root_user)) == []


def test_an_app_with_nothing_in_it_is_a_valid_template(root: Path) -> None:
    with loading(root):
        app = App("empty")
    assert lint(made(app)) == []


def test_the_same_app_makes_the_same_template(app: App) -> None:
    assert made(app) == made(app)


def test_another_zip_makes_another_hash(app: App) -> None:
    assert made(app).hash != made(app, stub=Code("assets", "other.zip")).hash


def test_a_job_is_a_codebuild_project_with_its_size_timeout_and_environment(app: App) -> None:
    project = resources(made(app))["MyJobJobProject"]["Properties"]
    assert project["Name"] == "demo-dev-my-job"
    assert project["TimeoutInMinutes"] == 90
    assert project["Environment"]["ComputeType"] == "BUILD_GENERAL1_MEDIUM"
    assert project["Environment"]["EnvironmentVariables"] == [
        {"Name": "DEVBRIDGE_APP", "Value": "demo"},
        {"Name": "DEVBRIDGE_STAGE", "Value": "dev"},
        {"Name": "DEVBRIDGE_JOB_NAME", "Value": "my-job"},
        {"Name": "COLOUR", "Value": "red"},
        {"Name": "DEVBRIDGE_Table_tableName_notes", "Value": {"Ref": "NotesTable"}},
    ]


def test_the_jobs_role_trusts_codebuild_and_the_developer_and_nobody_else(app: App) -> None:
    role = resources(made(app))["MyJobJobRole"]["Properties"]
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"Service": "codebuild.amazonaws.com"},
        },
        {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"AWS": DEVELOPER}},
    ]


def test_the_jobs_role_has_what_bind_and_permissions_give_and_its_log_group(app: App) -> None:
    table, extra, logs = statements(made(app), "MyJobJobRole")
    assert table["Resource"] == [
        {"Fn::GetAtt": ["NotesTable", "Arn"]},
        {"Fn::Sub": "${NotesTable.Arn}/index/*"},
    ]
    assert {"dynamodb:PutItem", "dynamodb:Query"} < set(table["Action"])
    assert not {"dynamodb:DeleteTable", "dynamodb:*"} & set(table["Action"])
    assert (extra["Action"], extra["Resource"]) == (["s3:GetObject"], ["arn:aws:s3:::b/*"])
    assert logs["Resource"] == [{"Fn::GetAtt": ["MyJobJobLogs", "Arn"]}]


def test_the_stub_may_connect_publish_and_subscribe_below_its_prefix_only(app: App) -> None:
    granted = {
        action: [arn["Fn::Sub"].rpartition("${AWS::AccountId}:")[2] for arn in s["Resource"]]
        for s in statements(made(app), "StubRole")
        for action in s["Action"]
        if action.startswith("iot:")
    }
    incoming = ["devbridge/demo/dev/replies/*", "devbridge/demo/dev/presence"]
    assert granted == {
        "iot:Connect": ["client/devbridge-demo-dev-stub-*"],
        "iot:Publish": ["topic/devbridge/demo/dev/requests"],
        "iot:Subscribe": [f"topicfilter/{topic}" for topic in incoming],
        "iot:Receive": [f"topic/{topic}" for topic in incoming],
    }


def test_the_apis_function_may_invoke_its_invokers_only(app: App) -> None:
    invoke, logs = statements(made(app), "ApiStartFunctionRole")
    assert invoke["Action"] == ["lambda:InvokeFunction"]
    assert invoke["Resource"] == [{"Fn::GetAtt": ["MyJobJobInvoker", "Arn"]}]
    assert logs["Resource"] == [{"Fn::GetAtt": ["ApiStartFunctionLogs", "Arn"]}]


def test_no_policy_of_devbridges_own_has_a_wildcard_for_actions_or_resources(app: App) -> None:
    template = made(app)
    for name, resource in resources(template).items():
        if resource["Type"] == "AWS::IAM::Role":
            for statement in statements(template, name):
                assert "*" not in "".join(statement["Action"])
                assert "*" not in statement["Resource"]


def test_the_stub_has_the_environment_that_it_reads(app: App) -> None:
    invoker = resources(made(app, offline="error"))["MyJobJobInvoker"]["Properties"]
    assert invoker["FunctionName"] == "demo-dev-my-job-invoker"
    assert invoker["Handler"] == "stub_lambda/handler.handler"
    assert invoker["Environment"]["Variables"] == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB": "my-job",
        "DEVBRIDGE_IOT_ENDPOINT": "a1-ats.iot.eu-west-1.amazonaws.com",
        "DEVBRIDGE_OFFLINE": "error",
    }


def test_every_log_group_has_a_retention(app: App) -> None:
    groups = [r for r in resources(made(app)).values() if r["Type"] == "AWS::Logs::LogGroup"]
    assert len(groups) == 3
    assert all(group["Properties"]["RetentionInDays"] == 14 for group in groups)


def test_labels_name_the_constructs_of_resources(app: App) -> None:
    labels = made(app).labels
    assert labels["MyJobJobRole"] == "Job 'my-job'"
    assert "Api 'api', route 'POST /a'" in labels.values()


def test_a_name_that_gets_too_long_names_the_resource(root: Path) -> None:
    with loading(root):
        app = App("a-rather-long-name-for-an-app")
        Job(app, "and-a-long-name-for-a-job-too", handler="jobs/a.handler")
    with pytest.raises(InvalidValue, match=r"Job 'and-a-long-name-for-a-job-too'(.|\n)*64"):
        made(app)


def test_an_environment_that_outgrows_lambda_names_the_function(root: Path) -> None:
    with loading(root):
        app = App("demo")
        tables = [Table(app, f"t{i}", partition_key="id") for i in range(20)]
        Function(app, "f", handler="api/start.handler", bind=tables)
    with pytest.raises(InvalidValue, match="Function 'f'"):
        made(app)


def test_a_jobs_own_offline_policy_comes_before_the_stages(root: Path) -> None:
    with loading(root):
        app = App("policies")
        for policy in (None, "queue", "error", "cloud"):
            Job(app, f"x-{policy}".lower(), handler="jobs/a.handler", offline=policy)
    template = made(app, offline="error")
    found = {
        name: resource["Properties"]["Environment"]["Variables"]
        for name, resource in resources(template).items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    assert [found[f"X{name}JobInvoker"]["DEVBRIDGE_OFFLINE"] for name in POLICIES] == [
        "error",
        "queue",
        "error",
        "cloud",
    ]
    projects = [found[f"X{name}JobInvoker"].get("DEVBRIDGE_PROJECT") for name in POLICIES]
    assert projects == [None, None, None, "policies-dev-x-cloud"]


def test_the_stub_may_start_the_builds_of_jobs_with_the_policy_cloud_only(root: Path) -> None:
    def builds(**changes: Any) -> list[Any]:
        template = made(app, **changes)
        assert lint(template) == []
        return [
            statement["Resource"]
            for statement in statements(template, "StubRole")
            if "codebuild:StartBuild" in statement["Action"]
        ]

    with loading(root):
        app = App("policies")
        first = Job(app, "one", handler="jobs/a.handler")
        Job(app, "two", handler="jobs/a.handler", bind=[first], offline="queue")
        Job(app, "three", handler="jobs/a.handler", bind=[first])
    assert builds() == []
    (allowed,) = builds(offline="cloud")
    assert [arn["Fn::Sub"].rpartition(":")[2] for arn in allowed] == [
        "project/policies-dev-one",
        "project/policies-dev-three",
    ]
