"""Runs for a later time: who may schedule them, and whom Scheduler may call."""

from __future__ import annotations

import pytest

from devbridge.constructs.compute import Batch, CodeBuild, Compute, Fargate, Lambda
from devbridge.names import Mode
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import allowed, properties, resources, statements

HERE = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s"
EACH: list[tuple[Mode, str, Compute]] = [
    ("dev", "StubRole", CodeBuild()),
    *(("deployed", "InvokerRole", each) for each in (CodeBuild(), Batch(), Fargate(), Lambda())),
]


@pytest.mark.parametrize(("mode", "role", "compute"), EACH)
def test_an_invoker_may_make_schedules_of_the_stage_and_pass_one_role_to_scheduler(
    mode: Mode, role: str, compute: Compute, synthed: MakeJob
) -> None:
    template = synthed(mode=mode, compute=compute, later=True)
    found = allowed(template, role)
    own = {action: on for action, on in found.items() if action.startswith("scheduler:")}
    assert own == {
        f"scheduler:{action}Schedule": [{"Fn::Sub": HERE % ("scheduler", "schedule/demo_dev/*")}]
        for action in ("Create", "Delete", "Get")
    }
    passed = [
        statement
        for statement in statements(template, role)
        if {"Fn::GetAtt": ["SchedulerRole", "Arn"]} in statement["Resource"]
    ]
    assert passed == [
        {
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": [{"Fn::GetAtt": ["SchedulerRole", "Arn"]}],
            "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        }
    ]
    assert found["sqs:SendMessage"] == [{"Fn::GetAtt": ["Undelivered", "Arn"]}]


def test_scheduler_may_call_the_invokers_of_such_jobs_for_schedules_of_the_stages_group_only(
    synthed: MakeJob,
) -> None:
    template = synthed(later=True)
    (trusted,) = properties(template, "SchedulerRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trusted == {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Condition": {
            "ArnEquals": {
                "aws:SourceArn": {"Fn::Sub": HERE % ("scheduler", "schedule-group/demo_dev")}
            }
        },
    }
    assert properties(template, "Schedules")["Name"] == "demo_dev"
    assert allowed(template, "SchedulerRole") == {
        "lambda:InvokeFunction": [{"Fn::Sub": HERE % ("lambda", "function:demo_dev_a-invoker")}],
        "sqs:SendMessage": [{"Fn::GetAtt": ["Undelivered", "Arn"]}],
    }


def test_what_could_not_be_delivered_is_kept_as_long_as_sqs_can(synthed: MakeJob) -> None:
    template = synthed(later=True)
    invoker = properties(template, "AJobInvoker")
    queue = {"Fn::GetAtt": ["Undelivered", "Arn"]}
    assert invoker["DeadLetterConfig"] == {"TargetArn": queue}
    found = invoker["Environment"]["Variables"]
    assert found["DEVBRIDGE_SCHEDULES"] == "demo_dev"
    assert found["DEVBRIDGE_SCHEDULER_ROLE"] == {"Fn::GetAtt": ["SchedulerRole", "Arn"]}
    assert found["DEVBRIDGE_UNDELIVERED"] == queue
    assert properties(template, "Undelivered")["MessageRetentionPeriod"] == 14 * 86400


@pytest.mark.parametrize("mode", ["dev", "deployed"])
def test_without_such_a_job_there_is_nothing_of_it(mode: Mode, synthed: MakeJob) -> None:
    template = synthed(mode=mode)
    types = {resource["Type"] for resource in resources(template).values()}
    assert not {kind for kind in types if "Scheduler" in kind or "SQS" in kind}
    invoker = properties(template, "AJobInvoker")
    assert "DeadLetterConfig" not in invoker
    assert "DEVBRIDGE_SCHEDULES" not in invoker["Environment"]["Variables"]
