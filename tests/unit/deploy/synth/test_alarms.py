from __future__ import annotations

from typing import Any

from devbridge.constructs import Alarm, App, CompositeAlarm, Job, OnEvent, Queue, Topic
from tests.unit.deploy.synth.conftest import MakeApp
from tests.unit.deploy.templates import properties


def test_the_age_of_what_is_in_a_dead_letter_queue_raises_an_alarm(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        ops, dead = Topic(app, "ops"), Queue(app, "dead", retention="14 days")
        Alarm(app, "old", queue=dead, metric="age", threshold="1 hour", notify=[ops])

    assert properties(synthed_app(define), "OldAlarm") == {
        "AlarmDescription": "Queue 'dead': a message is 1 hour old",
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["DeadQueue", "QueueName"]}}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 3600,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [{"Ref": "OpsTopic"}],
    }


def test_so_does_their_number(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        dead = Queue(app, "dead")
        Alarm(app, "many", queue=dead, threshold=10, period="5 minutes", periods=3)

    alarm = properties(synthed_app(define), "ManyAlarm")
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert (alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]) == (10, 300, 3)
    assert "AlarmActions" not in alarm


def test_the_alarm_of_a_job_looks_at_the_queue_that_is_made_for_it(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        event = OnEvent({"source": ["s"]})
        Job(
            app,
            "a",
            handler="jobs/a.handler",
            triggers=[event],
            alarm="10 minutes",
            notify=[Topic(app, "ops")],
        )

    alarm = properties(synthed_app(define), "AAlarm")
    assert alarm["AlarmDescription"] == "dead letters of Job 'a': a message is 10 minutes old"
    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ["AJobDeadLetters", "QueueName"]}}
    ]
    assert (alarm["Threshold"], alarm["AlarmActions"]) == (600, [{"Ref": "OpsTopic"}])


def test_one_alarm_may_stand_for_others(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        dead = Queue(app, "dead", retention="14 days")
        many = Alarm(app, "many", queue=dead, threshold=10)
        old = Alarm(app, "old", queue=dead, metric="age", threshold="1 day")
        either = CompositeAlarm(app, "either", any=[many, old], notify=[Topic(app, "ops")])
        CompositeAlarm(app, "both", all=[many, either])

    template = synthed_app(define)
    either = properties(template, "EitherCompositeAlarm")
    rule = 'ALARM("${ManyAlarm.Arn}") OR ALARM("${OldAlarm.Arn}")'
    assert either == {"AlarmRule": {"Fn::Sub": rule}, "AlarmActions": [{"Ref": "OpsTopic"}]}
    both = properties(template, "BothCompositeAlarm")
    rule = 'ALARM("${ManyAlarm.Arn}") AND ALARM("${EitherCompositeAlarm.Arn}")'
    assert both == {"AlarmRule": {"Fn::Sub": rule}}


def test_only_topics_of_alarms_admit_cloudwatch_and_for_this_account_alone(
    synthed_app: MakeApp,
) -> None:
    def define(app: App) -> None:
        ops, dead = Topic(app, "ops"), Queue(app, "dead")
        first = Alarm(app, "a", queue=dead, notify=[ops])
        CompositeAlarm(app, "b", any=[first], notify=[ops, Topic(app, "boss")])
        Topic(app, "news")

    template = synthed_app(define)

    def admitted(title: str) -> list[Any]:
        found = properties(template, title)["PolicyDocument"]["Statement"]
        return [each for each in found if "Service" in each["Principal"]]

    for name in ("Ops", "Boss"):
        assert admitted(f"{name}TopicPolicy") == [
            {
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": {"Ref": f"{name}Topic"},
                "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
            }
        ]
    assert admitted("NewsTopicPolicy") == []
