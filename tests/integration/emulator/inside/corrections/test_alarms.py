"""Alarms on the embedded cloud: of queues, of functions, and of other alarms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import Stack, arn, function, received, role, wait_for


def alarm(metric: str, dimension: Any, **properties: Any) -> dict[str, Any]:
    given = {
        "Namespace": "AWS/SQS",
        "MetricName": metric,
        "Dimensions": [dimension],
        "Statistic": "Maximum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "AlarmActions": [{"Ref": "Topic"}],
        "OKActions": [{"Ref": "Topic"}],
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": {**given, **properties}}


def of_queue(title: str) -> dict[str, Any]:
    return {"Name": "QueueName", "Value": {"Fn::GetAtt": [title, "QueueName"]}}


def composite(rule: Any, **properties: Any) -> dict[str, Any]:
    given = {"AlarmRule": rule, "AlarmActions": [{"Ref": "Topic"}], "OKActions": [{"Ref": "Topic"}]}
    return {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {**given, **properties}}


@pytest.fixture
def watch(shared_cloud: Running) -> Iterator[Stack]:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "watch")
    let = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn("Told"),
    }
    policy = {"Version": "2012-10-17", "Statement": [let]}
    some = 'ALARM("${Count}") AND NOT ALARM("${Other}") AND (TRUE OR FALSE)'
    resources = {
        "Role": role(),
        "Fails": function("def handler(event, context):\n    raise ValueError('boom')\n"),
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Neighbour": {"Type": "AWS::SQS::Queue"},
        "Told": {"Type": "AWS::SQS::Queue"},
        "Let": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Told"}], "PolicyDocument": policy},
        },
        "Topic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"Subscription": [{"Protocol": "sqs", "Endpoint": arn("Told")}]},
        },
        "Age": alarm("ApproximateAgeOfOldestMessage", of_queue("Queue"), Threshold=2),
        "Count": alarm("ApproximateNumberOfMessagesVisible", of_queue("Queue")),
        "Other": alarm("ApproximateNumberOfMessagesVisible", of_queue("Neighbour")),
        "Errors": alarm(
            "Errors",
            {"Name": "FunctionName", "Value": {"Ref": "Fails"}},
            Namespace="AWS/Lambda",
            Statistic="Sum",
            TreatMissingData="notBreaching",
        ),
        "Both": composite({"Fn::Sub": some}, AlarmName="both"),
        "Any": composite({"Fn::Sub": 'OK("both") AND ALARM("${Errors}")'}),
    }
    resources["Any"]["DependsOn"] = "Both"
    assert made.deploy(resources) == ("CREATE_COMPLETE", "")
    yield made
    made.delete()


def told(watch: Stack, name: str, state: str) -> dict[str, Any]:
    """What the topic's queue gets of that alarm."""
    found: list[dict[str, Any]] = []

    def chosen() -> dict[str, Any] | None:
        found.extend(
            json.loads(json.loads(m["Body"])["Message"]) for m in received(watch, "Told", 0)
        )
        return next(
            (e for e in found if (e["AlarmName"], e["NewStateValue"]) == (name, state)), None
        )

    return wait_for(chosen, 30)


def state(watch: Stack, name: str) -> str:
    found = watch.client("cloudwatch").describe_alarms(
        AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    (one,) = found["MetricAlarms"] + found["CompositeAlarms"]
    return str(one["StateValue"])


def test_a_queue_raises_its_own_alarms_and_what_follows_them_and_ends_them(watch: Stack) -> None:
    sqs = watch.client("sqs")
    wait_for(lambda: True if state(watch, watch.resource("Other")) == "OK" else None)
    assert state(watch, "both") == "OK"
    sqs.send_message(QueueUrl=watch.resource("Queue"), MessageBody="x")
    assert told(watch, "both", "ALARM")["OldStateValue"] == "OK"
    wait_for(lambda: True if state(watch, watch.resource("Age")) == "ALARM" else None)
    assert state(watch, watch.resource("Count")) == "ALARM"
    assert state(watch, watch.resource("Other")) == "OK"
    assert state(watch, watch.resource("Any")) == "OK"
    received(watch, "Queue")
    assert told(watch, "both", "OK")["OldStateValue"] == "ALARM"
    wait_for(lambda: True if state(watch, watch.resource("Age")) == "OK" else None)


def test_a_function_that_fails_raises_its_alarm(watch: Stack) -> None:
    name = watch.resource("Errors")
    wait_for(lambda: True if state(watch, name) == "OK" else None)
    watch.client("lambda").invoke(FunctionName=watch.resource("Fails"))
    assert told(watch, name, "ALARM")["Trigger"]["MetricName"] == "Errors"
    wait_for(lambda: True if state(watch, watch.resource("Any")) == "ALARM" else None)


def test_a_composite_alarm_changes_in_place_and_not_to_nonsense(watch: Stack) -> None:
    cloudformation = watch.client("cloudformation")
    resources = json.loads(
        json.dumps(cloudformation.get_template(StackName="watch")["TemplateBody"])
    )["Resources"]
    both = resources["Both"]["Properties"]
    both["AlarmRule"] = "TRUE"
    assert watch.deploy(resources, update=True) == ("UPDATE_COMPLETE", "")
    assert state(watch, "both") == "ALARM"
    both["AlarmRule"] = 'ALARM("nobody")'
    status, reason = watch.deploy(resources, update=True)
    assert (status, "do not exist" in reason) == ("UPDATE_ROLLBACK_COMPLETE", True), reason
    assert state(watch, "both") == "ALARM"
