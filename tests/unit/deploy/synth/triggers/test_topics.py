"""Topics that start a job."""

from __future__ import annotations

from devbridge.constructs import OnTopic, Topic
from tests.unit.deploy.synth.triggers.conftest import Listened, Triggered
from tests.unit.deploy.templates import properties

ARN = "arn:aws:sns:eu-west-1:123456789012:news"


def test_the_jobs_own_queue_is_subscribed(triggered: Triggered) -> None:
    def listen(to: Listened) -> list[OnTopic]:
        old = Topic.existing(to.topic.app, "old", arn=ARN)
        return [
            OnTopic(to.topic, filter={"to": ["see"]}),
            OnTopic(old, filter={"a": {"b": ["c"]}}, filter_on="body"),
        ]

    template = triggered(listen)
    inbox = {"Fn::GetAtt": ["SeeJobInbox", "Arn"]}
    assert properties(template, "SeeJobOnTopicT") == {
        "TopicArn": {"Ref": "TTopic"},
        "Protocol": "sqs",
        "Endpoint": inbox,
        "FilterPolicy": {"to": ["see"]},
    }
    assert properties(template, "SeeJobOnTopicOld") == {
        "TopicArn": ARN,
        "Protocol": "sqs",
        "Endpoint": inbox,
        "FilterPolicy": {"a": {"b": ["c"]}},
        "FilterPolicyScope": "MessageBody",
    }
