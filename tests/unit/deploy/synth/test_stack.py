"""A template in the making: names, tags, limits, and what the user changes or adds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from troposphere import GetAtt, Ref, Sub, dynamodb, sns

from devbridge.constructs import Api, App, Function, Job, Table
from devbridge.constructs.app import loading
from devbridge.errors import AppFailed, InvalidValue
from tests.unit.deploy.templates import (
    lint,
    made,
    of_type,
    properties,
)


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
    for mode, function in (("dev", "FFunctionCopy"), ("deployed", "FFunction")):
        template = made(app, mode=mode)
        assert lint(template) == []
        assert properties(template, "AJobProject")["Description"] == "mine"
        assert properties(template, function)["ReservedConcurrentExecutions"] == 2
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
    assert str(caught.value.where).endswith(f"test_stack.py:{line}")
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
    with pytest.raises(InvalidValue, match=r"'Alarms' refers to 'Nothing'(.|\n)*test_stack.py"):
        made(app)
    app.resources[:] = [sns.Topic("Alarms", DisplayName=Sub("${AWS::Region} ${!Literal}"))]
    made(app)


def test_labels_name_the_constructs_of_resources(app: App) -> None:
    labels = made(app).labels
    assert labels["MyJobJobRole"] == "Job 'my-job'"
    assert "Api 'api', route 'POST /a'" in labels.values()
