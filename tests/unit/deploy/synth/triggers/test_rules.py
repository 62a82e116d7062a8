"""Rules of EventBridge that put what they match into the job's own queue."""

from __future__ import annotations

import json

import pytest

from devbridge.constructs import App, Bucket, OnEvent, OnObject
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.synth.triggers.test_queues import app, arn, job, template
from tests.unit.deploy.templates import properties

__all__ = ["app"]


def test_an_events_rule_names_its_trigger_and_carries_the_whole_event(app: App) -> None:
    job(app, OnEvent({"source": ["shop"]}, name="sold"))
    rule = properties(template(app), "AJobOnEventSold")
    assert rule["EventPattern"] == {"source": ["shop"]}
    (target,) = rule["Targets"]
    assert target["Arn"] == arn("AJobInbox")
    said = target["InputTransformer"]["InputTemplate"]
    whole = json.loads(said.replace("<aws.events.event.json>", '{"id": 1}'))
    assert whole == {"devbridge": {"kind": "event", "name": "sold"}, "event": {"id": 1}}


@pytest.mark.parametrize(
    ("options", "object_"),
    [({}, None), ({"prefix": "a"}, {"key": [{"prefix": "a"}]})],
)
def test_a_bucket_tells_eventbridge_where_a_trigger_listens(
    app: App, options: dict[str, str], object_: object
) -> None:
    job(app, OnObject(Bucket(app, "files"), events=["created", "deleted"], **options))  # type: ignore[arg-type]
    Bucket(app, "other")
    found = template(app)
    pattern = properties(found, "AJobOnObjectFiles")["EventPattern"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created", "Object Deleted"]
    assert pattern["detail"]["bucket"] == {"name": [{"Ref": "FilesBucket"}]}
    assert pattern["detail"].get("object") == object_
    assert (
        "EventBridgeConfiguration" in properties(found, "FilesBucket")["NotificationConfiguration"]
    )
    assert "NotificationConfiguration" not in properties(found, "OtherBucket")


def test_the_queue_admits_that_rule_alone(app: App) -> None:
    job(app, OnEvent({"source": ["shop"]}, name="sold"))
    admitted, _ = properties(template(app), "AJobInboxPolicy")["PolicyDocument"]["Statement"]
    assert admitted["Principal"] == {"Service": "events.amazonaws.com"}
    assert admitted["Condition"] == {"ArnEquals": {"aws:SourceArn": arn("AJobOnEventSold")}}


def test_a_function_is_the_target_and_gets_the_event_as_it_is(calling: Triggered) -> None:
    found = calling(lambda _: [OnEvent({"source": ["shop"]}, name="sold")])
    rule = properties(found, "SeeFunctionOnEventSold")
    assert rule["Description"] == "calls function see: OnEvent 'sold'"
    assert rule["Targets"] == [
        {
            "Id": "function",
            "Arn": arn("SeeFunction"),
            "DeadLetterConfig": {"Arn": arn("SeeFunctionDeadLetters")},
        }
    ]
