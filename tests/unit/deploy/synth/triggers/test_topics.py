"""The job's own queue is subscribed to a topic."""

from __future__ import annotations

from devbridge.constructs import App, OnTopic, Topic
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.synth.triggers.test_queues import app, arn, job, template
from tests.unit.deploy.templates import properties

__all__ = ["app"]


def test_the_subscription_has_the_filter_and_the_queue_admits_that_topic_alone(app: App) -> None:
    topic = Topic(app, "jobs")
    job(app, OnTopic(topic, filter={"jobName": ["a"]}))
    found = template(app)
    assert properties(found, "AJobOnTopicJobs") == {
        "TopicArn": {"Ref": "JobsTopic"},
        "Protocol": "sqs",
        "Endpoint": arn("AJobInbox"),
        "FilterPolicy": {"jobName": ["a"]},
    }
    admitted, tls = properties(found, "AJobInboxPolicy")["PolicyDocument"]["Statement"]
    assert admitted == {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn("AJobInbox"),
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Ref": "JobsTopic"}}},
    }
    assert tls["Effect"] == "Deny"


def test_a_filter_may_look_at_the_body(app: App) -> None:
    job(app, OnTopic(Topic(app, "t"), filter={"a": {"b": ["c"]}}, filter_on="body"))
    assert properties(template(app), "AJobOnTopicT")["FilterPolicyScope"] == "MessageBody"


def test_a_function_is_subscribed_itself(calling: Triggered) -> None:
    found = calling(lambda to: [OnTopic(to.topic, filter={"to": ["see"]})])
    assert properties(found, "SeeFunctionOnTopicT") == {
        "TopicArn": {"Ref": "TTopic"},
        "Protocol": "lambda",
        "Endpoint": arn("SeeFunction"),
        "FilterPolicy": {"to": ["see"]},
        "RedrivePolicy": {"deadLetterTargetArn": arn("SeeFunctionDeadLetters")},
    }
