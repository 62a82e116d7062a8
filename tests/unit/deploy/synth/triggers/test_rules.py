"""Rules of EventBridge that start a job."""

from __future__ import annotations

from devbridge.constructs import Bucket, EventBus, OnEvent, OnObject
from tests.unit.deploy.synth.triggers.conftest import Listened, Triggered
from tests.unit.deploy.templates import properties

BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/shop"


def test_what_matches_comes_to_the_jobs_own_queue_with_the_triggers_name(
    triggered: Triggered,
) -> None:
    pattern = {"source": ["aws.autoscaling"], "region": ["us-west-2"]}
    assert properties(
        triggered(lambda _: [OnEvent(pattern, name="scaled")]), "SeeJobOnEventScaled"
    ) == {
        "Description": "starts job see: OnEvent 'scaled'",
        "EventPattern": pattern,
        "State": "ENABLED",
        "Targets": [
            {
                "Id": "inbox",
                "Arn": {"Fn::GetAtt": ["SeeJobInbox", "Arn"]},
                "InputTransformer": {
                    "InputPathsMap": {"id": "$.id"},
                    "InputTemplate": '{"devbridge":{"kind": "event", "name": "scaled"},'
                    '"event":<aws.events.event.json>}',
                },
            }
        ],
    }


def test_a_rule_is_of_its_bus(triggered: Triggered) -> None:
    def listen(to: Listened) -> list[OnEvent]:
        old = EventBus.existing(to.bus.app, "old", arn=BUS)
        return [
            OnEvent({"source": ["x"]}, bus=to.bus, name="new"),
            OnEvent({"source": ["x"]}, bus=old, name="old"),
        ]

    template = triggered(listen)
    new = properties(template, "SeeJobOnEventNew")["EventBusName"]
    assert new == {"Fn::GetAtt": ["EEventBus", "Arn"]}
    assert properties(template, "SeeJobOnEventOld")["EventBusName"] == BUS


def test_a_bucket_tells_eventbridge_of_its_objects(triggered: Triggered) -> None:
    def listen(to: Listened) -> list[OnObject]:
        old = Bucket.existing(to.bucket.app, "old", arn="arn:aws:s3:::old-files")
        return [OnObject(to.bucket, ["deleted"], prefix="in/"), OnObject(old)]

    template = triggered(listen)
    assert properties(template, "BBucket")["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }
    assert properties(template, "SeeJobOnObjectB")["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Deleted"],
        "detail": {
            "bucket": {"name": [{"Ref": "BBucket"}]},
            "object": {"key": [{"prefix": "in/"}]},
        },
    }
    old = properties(template, "SeeJobOnObjectOld")["EventPattern"]
    assert old["detail"] == {"bucket": {"name": ["old-files"]}}
