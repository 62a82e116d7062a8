"""Log forwarding in the template: filters, permissions, roles; never a circle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function, Job
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from devbridge.errors import InvalidValue
from tests.unit.constructs.test_forwarding import LAMBDA, STREAM
from tests.unit.deploy.templates import lint, made, of_type, properties, resources, statements

OWN = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/*/demo_dev_*"
FILTER = "AWS::Logs::SubscriptionFilter"
PERMISSION = "AWS::Lambda::Permission"


def template(
    root: Path, forwarding: str | None, mode: Any = "deployed", **options: Any
) -> Template:
    """Of an app with a job and two functions, one of which collects."""
    with loading(root):
        app = App("demo", log_forwarding=forwarding)
        Job(app, "a", handler="jobs/a.handler", **options)
        Function(app, "collect", handler="api/start.handler")
        Function(app, "f", handler="api/start.handler")
    found = made(app, mode=mode)
    assert lint(found) == []
    return found


def test_an_app_that_says_nothing_has_no_filter(root: Path) -> None:
    assert of_type(template(root, None), FILTER) == {}


def test_a_jobs_own_group_is_forwarded_to_a_function(root: Path) -> None:
    found = template(root, None, log_forwarding="collect")
    assert of_type(found, FILTER) == {
        "AJobLogsForwarding": {
            "Type": FILTER,
            "DependsOn": "CollectFunctionLogsPermission",
            "Properties": {
                "LogGroupName": {"Ref": "AJobLogs"},
                "FilterPattern": "",
                "DestinationArn": {"Fn::GetAtt": ["CollectFunction", "Arn"]},
            },
        }
    }
    assert found.labels["AJobLogsForwarding"] == "Job 'a'"


def test_a_function_is_permitted_once_for_the_stages_groups_of_this_account(root: Path) -> None:
    found = template(root, "collect")
    assert of_type(found, PERMISSION) == {
        "CollectFunctionLogsPermission": {
            "Type": PERMISSION,
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Fn::GetAtt": ["CollectFunction", "Arn"]},
                "Principal": "logs.amazonaws.com",
                "SourceArn": {"Fn::Sub": OWN},
                "SourceAccount": {"Ref": "AWS::AccountId"},
            },
        }
    }


def test_what_the_app_says_is_for_jobs_functions_and_invokers_but_the_target(root: Path) -> None:
    assert of_type(template(root, "collect"), FILTER).keys() == {
        "AJobLogsForwarding",
        "FFunctionLogsForwarding",
        "InvokerLogsForwarding",
    }


def test_the_permissions_groups_are_all_that_are_forwarded(root: Path) -> None:
    """The prefix is that of the groups' names, and of no other stage's."""
    found = template(root, "collect")
    for forwarding in of_type(found, FILTER).values():
        group = properties(found, forwarding["Properties"]["LogGroupName"]["Ref"])["LogGroupName"]
        _, aws, _, name = group.split("/", 3)
        assert aws == "aws"
        assert name.startswith("demo_dev_")


def test_another_function_is_named_by_its_arn(root: Path) -> None:
    found = template(root, LAMBDA)
    (title, permission), *more = of_type(found, PERMISSION).items()
    assert more == []
    assert permission["Properties"]["FunctionName"] == LAMBDA
    assert {each["DependsOn"] for each in of_type(found, FILTER).values()} == {title}
    assert len(of_type(found, FILTER)) == 4


def test_a_stream_has_a_role_that_only_this_accounts_logs_can_assume(root: Path) -> None:
    found = template(root, STREAM)
    assert of_type(found, PERMISSION) == {}
    for forwarding in of_type(found, FILTER).values():
        assert forwarding["Properties"]["DestinationArn"] == STREAM
        assert forwarding["Properties"]["RoleArn"] == {"Fn::GetAtt": ["LogForwardingRole", "Arn"]}
    (trusted,) = properties(found, "LogForwardingRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "logs.amazonaws.com"}
    assert trusted["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "StringLike": {
            "aws:SourceArn": {
                "Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*"
            }
        },
    }
    assert statements(found, "LogForwardingRole") == [
        {
            "Effect": "Allow",
            "Action": ["firehose:PutRecord", "firehose:PutRecordBatch"],
            "Resource": [STREAM],
        }
    ]


def test_a_dev_stage_forwards_what_its_groups_get(root: Path) -> None:
    """Runs on the laptop write to none; those of offline="cloud" do."""
    assert of_type(template(root, "collect", mode="dev"), FILTER).keys() == {
        "AJobLogsForwarding",
        "FFunctionLogsForwarding",
        "InvokerLogsForwarding",
    }


def test_a_function_of_the_app_is_not_named_by_its_arn(root: Path) -> None:
    own = "arn:aws:lambda:eu-west-1:123456789012:function:demo_dev_collect-fn"
    for arn in (own, f"{own}:live"):
        with pytest.raises(InvalidValue, match=r"is Function 'collect'(?s:.*)name it"):
            template(root, arn)


def test_each_resource_is_in_the_template_once(root: Path) -> None:
    with loading(root):
        app = App("demo", log_forwarding=STREAM)
        Job(app, "a", handler="jobs/a.handler", log_forwarding="collect")
        Function(app, "collect", handler="api/start.handler")
        Function(app, "f", handler="api/start.handler", log_forwarding=LAMBDA)
    found = made(app, mode="deployed")
    assert lint(found) == []
    targets = [each["Properties"]["DestinationArn"] for each in of_type(found, FILTER).values()]
    assert len(targets) == 4
    assert targets.count(STREAM) == 2
    assert len(of_type(found, PERMISSION)) == 2
    assert [title for title in resources(found) if "LogForwarding" in title] == [
        "LogForwardingRole"
    ]
