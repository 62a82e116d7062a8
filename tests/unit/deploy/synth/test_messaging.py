"""Queues and topics, who may send to them, and who gets what is published."""

from __future__ import annotations

from typing import Any

import pytest
from troposphere import Ref, sns, sqs

from devbridge.constructs import Alarm, App, Function, Queue, Topic
from devbridge.deploy.synth import Template
from tests.unit.deploy.synth.conftest import MakeApp, app_of
from tests.unit.deploy.templates import made, properties, resources

TLS = {"Bool": {"aws:SecureTransport": "false"}}


def test_a_queue_has_its_times_and_is_encrypted(synthed_app: MakeApp) -> None:
    template = synthed_app(
        lambda app: Queue(app, "work", visibility_timeout="2 minutes", retention="14 days")
    )
    assert properties(template, "WorkQueue") == {
        "VisibilityTimeout": 120,
        "MessageRetentionPeriod": 1_209_600,
        "SqsManagedSseEnabled": True,
    }


@pytest.mark.parametrize("fifo", [False, True])
def test_a_queue_gives_up_to_its_dead_letter_queue(fifo: bool, synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        dead = Queue(app, "dead", fifo=fifo)
        Queue(app, "work", fifo=fifo, dead_letter=dead, max_receives=5)

    queue = properties(synthed_app(define), "WorkQueue")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["DeadQueue", "Arn"]},
        "maxReceiveCount": 5,
    }
    assert queue.get("FifoQueue", False) is fifo


@pytest.mark.parametrize("fifo", [False, True])
def test_a_topic_may_be_in_order(fifo: bool, synthed_app: MakeApp) -> None:
    topic = resources(synthed_app(lambda app: Topic(app, "news", fifo=fifo)))["NewsTopic"]
    assert topic.get("Properties", {}).get("FifoTopic", False) is fifo


def denied_without_tls(template: Template, title: str) -> list[str]:
    """The actions that a policy refuses to everybody who does not use TLS."""
    statements = properties(template, title)["PolicyDocument"]["Statement"]
    return [
        statement["Action"]
        for statement in statements
        if (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        and statement["Condition"] == TLS
    ]


def test_queues_and_topics_refuse_what_is_not_tls(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        Queue(app, "work", removal="retain")
        Topic(app, "news")

    template = synthed_app(define)
    assert denied_without_tls(template, "WorkQueuePolicy") == ["sqs:*"]
    assert denied_without_tls(template, "NewsTopicPolicy") == ["sns:Publish"]
    assert resources(template)["WorkQueuePolicy"]["UpdateReplacePolicy"] == "Retain"
    plain = synthed_app(define, tls=False)
    assert not {"WorkQueuePolicy", "NewsTopicPolicy"} & resources(plain).keys()


def test_a_topics_policy_still_lets_the_accounts_own_services_publish(synthed_app: MakeApp) -> None:
    template = synthed_app(lambda app: Topic(app, "news"))
    owner, _ = properties(template, "NewsTopicPolicy")["PolicyDocument"]["Statement"]
    assert owner["Condition"] == {"StringEquals": {"AWS:SourceOwner": {"Ref": "AWS::AccountId"}}}
    assert "sns:Publish" in owner["Action"]


# --- who may send -------------------------------------------------------------------------------


def statements(template: Template, title: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = properties(template, title)["PolicyDocument"]["Statement"]
    return found


def test_a_queue_of_several_topics_has_one_policy_that_admits_them_and_tls_only(
    synthed_app: MakeApp,
) -> None:
    def define(app: App) -> None:
        queue = Queue(app, "work")
        Topic(app, "a", subscribers=[queue])
        Topic(app, "b", subscribers=[queue])
        Queue(app, "other")

    template = synthed_app(define)
    sending, closed = statements(template, "WorkQueuePolicy")
    assert sending == {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["WorkQueue", "Arn"]},
        "Condition": {"ArnEquals": {"aws:SourceArn": [{"Ref": "ATopic"}, {"Ref": "BTopic"}]}},
    }
    assert (closed["Effect"], closed["Condition"]) == ("Deny", TLS)
    (only_closed,) = statements(template, "OtherQueuePolicy")
    assert only_closed["Effect"] == "Deny"
    for topic in ("A", "B"):
        subscription = resources(template)[f"{topic}TopicToWorkQueue"]
        assert subscription["DependsOn"] == "WorkQueuePolicy"
        assert subscription["Properties"] == {
            "TopicArn": {"Ref": f"{topic}Topic"},
            "Protocol": "sqs",
            "Endpoint": {"Fn::GetAtt": ["WorkQueue", "Arn"]},
        }


def test_a_cloud_without_tls_still_asks_who_sends(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        queue = Queue(app, "work")
        Alarm(app, "any", queue=queue, notify=[Topic(app, "ops", subscribers=[queue])])
        Queue(app, "other")

    template = synthed_app(define, tls=False)
    assert [each["Effect"] for each in statements(template, "WorkQueuePolicy")] == ["Allow"]
    assert [each["Effect"] for each in statements(template, "OpsTopicPolicy")] == ["Allow"] * 2
    assert "OtherQueuePolicy" not in resources(template)


def test_a_policy_of_the_users_own_says_alone_who_sends(synthed_app: MakeApp) -> None:
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "*:*",
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Statement": [allowed]}

    def define(app: App) -> None:
        queue = Queue(app, "work")
        ops = Topic(app, "ops", subscribers=[queue])
        Alarm(app, "any", queue=queue, notify=[ops])
        app.add(sqs.QueuePolicy("Q", Queues=[Ref("WorkQueue")], PolicyDocument=document))
        app.add(sns.TopicPolicy("T", Topics=[Ref("OpsTopic")], PolicyDocument=document))

    template = made(app_of(define))
    assert not {"WorkQueuePolicy", "OpsTopicPolicy"} & resources(template).keys()
    assert "DependsOn" not in resources(template)["OpsTopicToWorkQueue"]


# --- who gets what is published -----------------------------------------------------------------


def test_addresses_and_urls_are_subscribed_by_their_protocols(synthed_app: MakeApp) -> None:
    found = ["ops@example.com", "https://example.com/hook"]
    template = synthed_app(lambda app: Topic(app, "ops", subscribers=found))
    made_of = {
        title: resource["Properties"]
        for title, resource in resources(template).items()
        if resource["Type"] == "AWS::SNS::Subscription"
    }
    assert {(each["Protocol"], each["Endpoint"]) for each in made_of.values()} == {
        ("email", "ops@example.com"),
        ("https", "https://example.com/hook"),
    }
    other = synthed_app(lambda app: Topic(app, "ops", subscribers=found[::-1]))
    assert made_of.keys() <= resources(other).keys()
    labels = {template.labels[title] for title in made_of}
    assert "Topic 'ops', subscriber 'ops@example.com'" in labels


def test_a_function_that_subscribes_may_be_invoked_for_that_topic(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        Topic(app, "ops", subscribers=[Function(app, "tell", handler="api/start.handler")])

    template = synthed_app(define)
    assert properties(template, "OpsTopicMayTellFunction") == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "TellFunction"},
        "Principal": "sns.amazonaws.com",
        "SourceArn": {"Ref": "OpsTopic"},
    }
    subscription = resources(template)["OpsTopicToTellFunction"]
    assert subscription["DependsOn"] == "OpsTopicMayTellFunction"
    assert subscription["Properties"]["Protocol"] == "lambda"


def test_queues_and_topics_that_exist_take_part_and_their_policies_are_not_ours(
    synthed_app: MakeApp,
) -> None:
    here = "eu-west-1:123456789012"

    def define(app: App) -> None:
        queue = Queue.existing(app, "theirs", arn=f"arn:aws:sqs:{here}:orders")
        ops = Topic.existing(app, "ops", arn=f"arn:aws:sns:{here}:ops")
        Topic(app, "news", subscribers=[queue])
        Alarm(app, "old", queue=queue, metric="age", threshold="10 days", notify=[ops])

    template = synthed_app(define)
    assert resources(template)["NewsTopicToTheirsQueue"] == {
        "Type": "AWS::SNS::Subscription",
        "Properties": {
            "TopicArn": {"Ref": "NewsTopic"},
            "Protocol": "sqs",
            "Endpoint": f"arn:aws:sqs:{here}:orders",
        },
    }
    alarm = properties(template, "OldAlarm")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "orders"}]
    assert alarm["AlarmActions"] == [f"arn:aws:sns:{here}:ops"]
    kinds = {each["Type"] for each in resources(template).values()}
    assert not {"AWS::SQS::QueuePolicy", "AWS::SQS::Queue"} & kinds
