"""Invokers and stubs: what they may, and what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import (
    allowed,
    lint,
    made,
    of_type,
    properties,
    resources,
    statements,
    variables,
)


def invoker(template: Template) -> dict[str, Any]:
    return properties(template, "AJobInvoker")


def project(template: Template) -> dict[str, Any]:
    return properties(template, "AJobProject")


def sub(*texts: str) -> list[dict[str, str]]:
    return [{"Fn::Sub": text} for text in texts]


def trusted(template: Template, role: str = "AJobRole") -> list[dict[str, Any]]:
    document = properties(template, role)["AssumeRolePolicyDocument"]
    return [statement["Principal"] for statement in document["Statement"]]


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


def test_the_apis_function_may_invoke_its_invokers_only(app: App) -> None:
    invoke, logs = statements(made(app, mode="deployed"), "ApiStartFunctionRole")
    assert invoke["Action"] == ["lambda:InvokeFunction"]
    assert invoke["Resource"] == [{"Fn::GetAtt": ["MyJobJobInvoker", "Arn"]}]
    assert logs["Resource"] == [{"Fn::GetAtt": ["ApiStartFunctionLogs", "Arn"]}]


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


def test_a_deployed_jobs_invoker_starts_builds(synthed: MakeJob) -> None:
    template = synthed()
    made = invoker(template)
    assert made["Handler"] == "stub_lambda/deployed.handler"
    assert made["Code"] == {"S3Bucket": "assets", "S3Key": "invoker.zip"}
    assert made["Environment"]["Variables"] == {
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB": "a",
        "DEVBRIDGE_PROJECT": "demo_dev_a",
        "DEVBRIDGE_BUCKET": "assets",
        "DEVBRIDGE_COMPUTE": "codebuild",
        "DEVBRIDGE_PLACE": '{"project": "demo_dev_a"}',
        "DEVBRIDGE_ATTEMPTS": "1",
    }
    assert made["Role"] == {"Fn::GetAtt": ["InvokerRole", "Arn"]}
    assert "StubRole" not in resources(template)


def test_the_invokers_role_may_start_those_builds_and_pass_their_payloads(
    synthed: MakeJob,
) -> None:
    bucket = "arn:${AWS::Partition}:s3:::assets"
    own = "arn:${AWS::Partition}:codebuild:${AWS::Region}:${AWS::AccountId}:project/demo_dev_a"
    template = synthed()
    found = allowed(template, "InvokerRole")
    builds = {action: on for action, on in found.items() if action.startswith("codebuild:")}
    actions = ("StartBuild", "StopBuild", "BatchGetBuilds")
    assert builds == {f"codebuild:{action}": sub(own) for action in actions}
    granted = [
        (statement["Action"], statement["Resource"])
        for statement in statements(template, "InvokerRole")
        if statement["Action"][0].startswith("s3:")
    ]
    places = {
        place: f"{bucket}/{place}/demo/dev/*"
        for place in ("payloads", "listed", "runs", "checkpoints", "results", "told")
    }
    assert granted == [
        (
            ["s3:DeleteObject", "s3:PutObject"],
            sub(places["payloads"], places["listed"], places["runs"]),
        ),
        (["s3:PutObject"], sub(places["checkpoints"])),
        (
            ["s3:GetObject"],
            sub(places["runs"], places["checkpoints"], places["results"], places["told"]),
        ),
        (["s3:ListBucket"], sub(bucket)),
    ]


@pytest.mark.parametrize(
    ("of_app", "of_job", "inline"),
    [
        ({}, {}, False),
        ({"payload": "inline"}, {}, True),
        ({"payload": "inline"}, {"payload": "s3"}, False),
        ({"payload": "s3"}, {"payload": "inline"}, True),
    ],
)
def test_runner_and_invoker_are_told_that_payloads_may_be_inline(
    root: Path, of_app: Any, of_job: Any, inline: bool
) -> None:
    with loading(root):
        app = App("demo", **of_app)
        Job(app, "a", handler="jobs/a.handler", **of_job)
    template = made(app, mode="deployed")
    for found in (
        variables(template, "AJobProject"),
        properties(template, "AJobInvoker")["Environment"]["Variables"],
    ):
        assert found.get("DEVBRIDGE_INLINE") == ("1" if inline else None)


def test_a_deployed_stage_has_no_permission_for_iot_anywhere(synthed: MakeJob) -> None:
    template = synthed()
    for role in of_type(template, "AWS::IAM::Role"):
        if role != "BindRole":
            assert not [a for a in allowed(template, role) if a.startswith("iot:")]
    assert "iot" not in template.body
