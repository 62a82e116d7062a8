from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from troposphere import GetAtt, Ref, Sub, dynamodb, sns

from devbridge.constructs import Api, App, Function, Job, Table
from devbridge.constructs.app import loading
from devbridge.errors import AppFailed, InvalidValue
from tests.unit.deploy.templates import (
    DEVELOPER,
    lint,
    made,
    of_type,
    properties,
    resources,
    statements,
    variables,
)

POLICIES = ("None", "Queue", "Error", "Cloud")


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
    assert made(app).hash != made(app, stub="other.zip").hash


def test_a_job_is_a_codebuild_project_with_its_size_timeout_and_environment(app: App) -> None:
    template = made(app)
    project = properties(template, "MyJobJobProject")
    assert project["Name"] == "demo_dev_my-job"
    assert project["TimeoutInMinutes"] == 95
    assert project["Environment"]["ComputeType"] == "BUILD_GENERAL1_MEDIUM"
    assert variables(template, "MyJobJobProject") == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB_NAME": "my-job",
        "COLOUR": "red",
        "DEVBRIDGE_Table_tableName_notes": {"Ref": "NotesTable"},
    }


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
        "iot:Connect": ["client/devbridge-demo--dev--stub-*"],
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
    assert invoker["FunctionName"] == "demo_dev_my-job-invoker"
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
        tables = [Table(app, f"t{i}", partition_key="id") for i in range(30)]
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
    assert projects == [None, None, None, "policies_dev_x-cloud"]


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
        "project/policies_dev_one",
        "project/policies_dev_three",
    ]


def test_tags_of_the_app_and_of_a_construct_are_on_its_resources(root: Path) -> None:
    with loading(root):
        app = App("demo", tags={"team": "data", "cost": "1"})
        table = Table(app, "t", partition_key="id")
        Job(app, "a", handler="jobs/a.handler", tags={"team": "etl"}, bind=[table])
        Api(app, "api", routes={"$default": "api/start.handler"})
    template = made(app)
    assert lint(template) == []
    of_app = [{"Key": "cost", "Value": "1"}, {"Key": "team", "Value": "data"}]
    of_job = [{"Key": "cost", "Value": "1"}, {"Key": "team", "Value": "etl"}]
    assert properties(template, "TTable")["Tags"] == of_app
    assert properties(template, "StubRole")["Tags"] == of_app
    assert properties(template, "ApiApi")["Tags"] == {"team": "data", "cost": "1"}
    for title in ("AJobProject", "AJobRole", "AJobLogs", "AJobInvoker"):
        assert properties(template, title)["Tags"] == of_job


def test_no_role_exceeds_the_permissions_boundary(root: Path) -> None:
    boundary = "arn:aws:iam::123456789012:policy/limits"
    own = "arn:aws:iam::123456789012:policy/own"
    with loading(root):
        app = App("demo", permissions_boundary=boundary)
        Job(app, "a", handler="jobs/a.handler")
        Function(app, "f", handler="api/start.handler", permissions_boundary=own)
    for mode in ("dev", "deployed"):
        template = made(app, mode=mode)
        assert lint(template) == []
        roles = of_type(template, "AWS::IAM::Role")
        found = {t: role["Properties"]["PermissionsBoundary"] for t, role in roles.items()}
        assert found.pop("FFunctionRole") == own
        assert set(found.values()) == {boundary}
        assert len(found) == 3


def test_transform_changes_the_main_resource_of_each_construct(root: Path) -> None:
    def describe(project: Any) -> None:
        project.Description = "mine"

    with loading(root):
        app = App("demo")
        Job(app, "a", handler="jobs/a.handler", transform=describe)
        Function(
            app,
            "f",
            handler="api/start.handler",
            transform=lambda function: setattr(function, "ReservedConcurrentExecutions", 2),
        )
        Table(app, "t", partition_key="id", transform=lambda t: setattr(t, "TableName", "mine"))
    template = made(app)
    assert lint(template) == []
    assert properties(template, "AJobProject")["Description"] == "mine"
    assert properties(template, "FFunction")["ReservedConcurrentExecutions"] == 2
    assert properties(template, "TTable")["TableName"] == "mine"


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (lambda table: 1 / 0, "ZeroDivisionError"),
        (lambda table: setattr(table, "Nonsense", 1), "Nonsense"),
        (lambda table: table.properties.pop("KeySchema"), "KeySchema"),
    ],
)
def test_a_transform_that_fails_names_its_construct(
    transform: Any, message: str, root: Path
) -> None:
    with loading(root):
        app = App("demo")
        Table(app, "t", partition_key="id", transform=transform)
    with pytest.raises(AppFailed, match=f"Table 't': transform raised(.|\n)*{message}"):
        made(app)


def test_any_resource_can_be_added(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Table(app, "t", partition_key="id")
        app.add(sns.Topic("Alarms", DisplayName=Ref("TTable")))
    template = made(app)
    assert lint(template) == []
    assert properties(template, "Alarms") == {"DisplayName": {"Ref": "TTable"}}
    assert template.labels["Alarms"] == "AWS::SNS::Topic 'Alarms'"


def test_an_added_resource_must_have_a_title_of_its_own_and_be_whole(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Table(app, "t", partition_key="id")
        line = sys._getframe().f_lineno + 1
        app.add(sns.Topic("TTable"))
    with pytest.raises(InvalidValue, match="Table 't'") as caught:
        made(app)
    assert str(caught.value.where).endswith(f"test_synth.py:{line}")
    app.resources[:] = [dynamodb.Table("Other")]
    with pytest.raises(AppFailed, match="KeySchema"):
        made(app)


@pytest.mark.parametrize(
    "value", [Ref("Nothing"), GetAtt("Nothing", "Arn"), Sub("x ${Nothing.Arn} ${AWS::Region}")]
)
def test_an_added_resource_refers_to_what_is_there(root: Path, value: Any) -> None:
    with loading(root):
        app = App("demo")
        app.add(sns.Topic("Alarms", DisplayName=value))
    with pytest.raises(InvalidValue, match=r"'Alarms' refers to 'Nothing'(.|\n)*test_synth.py"):
        made(app)
    app.resources[:] = [sns.Topic("Alarms", DisplayName=Sub("${AWS::Region} ${!Literal}"))]
    made(app)


def test_the_mode_is_an_output(app: App) -> None:
    for mode in ("dev", "deployed"):
        outputs = json.loads(made(app, mode=mode).body)["Outputs"]
        assert outputs["DevbridgeMode"]["Value"] == mode


def test_what_the_tests_lint_with_does_find_what_is_wrong(app: App) -> None:
    good = made(app)
    body = json.loads(good.body)
    body["Resources"]["Wrong"] = {"Type": "AWS::SQS::Queue", "Properties": {"Colour": "red"}}
    assert "Colour" in "".join(lint(replace(good, body=json.dumps(body))))
