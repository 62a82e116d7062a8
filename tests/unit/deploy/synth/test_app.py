"""The template of a whole app."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.constructs import Api, App, Function, Job, Queue, Topic
from devbridge.constructs.app import loading
from devbridge.errors import InvalidValue
from tests.unit.deploy.templates import (
    lint,
    made,
    of_type,
    resources,
    statements,
)


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


def test_no_policy_of_devbridges_own_has_a_wildcard_for_actions_or_resources(app: App) -> None:
    template = made(app)
    for name, resource in resources(template).items():
        if resource["Type"] == "AWS::IAM::Role":
            for statement in statements(template, name):
                assert "*" not in "".join(statement["Action"])
                assert "*" not in statement["Resource"]


def test_every_log_group_has_a_retention(app: App) -> None:
    for mode, count in (("dev", 4), ("deployed", 3)):
        groups = of_type(made(app, mode=mode), "AWS::Logs::LogGroup").values()
        assert len(groups) == count
        assert all(group["Properties"]["RetentionInDays"] == 14 for group in groups)


def test_the_mode_is_an_output(app: App) -> None:
    for mode in ("dev", "deployed"):
        outputs = json.loads(made(app, mode=mode).body)["Outputs"]
        assert outputs["DevbridgeMode"]["Value"] == mode


def test_what_the_tests_lint_with_does_find_what_is_wrong(app: App) -> None:
    good = made(app)
    body = json.loads(good.body)
    body["Resources"]["Wrong"] = {"Type": "AWS::SQS::Queue", "Properties": {"Colour": "red"}}
    assert "Colour" in "".join(lint(replace(good, body=json.dumps(body))))


def test_what_is_exported_has_the_name_that_other_stacks_import(app: App) -> None:
    app.output("Jobs", "1", export="demo-jobs")
    app.output("Other", "2")
    template = made(app)
    assert lint(template) == []
    outputs = json.loads(template.body)["Outputs"]
    assert outputs["Jobs"]["Export"] == {"Name": "demo-jobs"}
    assert "Export" not in outputs["Other"]


def test_an_output_that_is_there_is_exported_if_it_says_the_same(app: App) -> None:
    app.output("NewsTopic", Topic(app, "news").arn, export="news")
    outputs = json.loads(made(app).body)["Outputs"]
    assert outputs["NewsTopic"]["Value"] == {"Ref": "NewsTopic"}
    assert outputs["NewsTopic"]["Export"] == {"Name": "news"}
    app.output("OrdersQueue", Queue(app, "orders").arn)  # whose own output is its URL
    with pytest.raises(InvalidValue, match="the output 'OrdersQueue' is that of Queue of Queue"):
        made(app)
