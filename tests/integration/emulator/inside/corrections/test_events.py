"""What EventBridge hands to a function on the embedded cloud: which events, how often, and if."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import (
    NOTES,
    Stack,
    arn,
    received,
    role,
)

PATTERNS: Final[dict[str, dict[str, Any]]] = {
    "Batch": {
        "source": ["aws.batch", "demo.batch"],
        "detail-type": ["Batch Job State Change"],
        "detail": {"jobQueue": ["q1", "q2"], "status": ["FAILED", "SUCCEEDED"]},
    },
    "Build": {
        "source": ["demo.codebuild"],
        "detail": {"project-name": [{"prefix": "app-dev-"}], "build-status": ["STOPPED"]},
    },
    "Task": {
        "source": ["demo.ecs"],
        "detail": {"group": ["family:jobs"], "containers": {"exitCode": [{"exists": True}]}},
    },
    "Failing": {"source": ["demo.failing"]},
    "Forbidden": {"source": ["demo.forbidden"]},
    "Queued": {"source": ["demo.queued"]},
    "Lined": {"source": ["demo.lined"]},
    "Closed": {"source": ["demo.closed"]},
    "Gone": {"source": ["demo.gone"]},
    "Objects": {"source": ["aws.s3"]},
}
TRANSFORMED: Final = {
    "InputPathsMap": {"id": "$.id"},
    "InputTemplate": '{"payload":<aws.events.event.json>,"key":"<aws.events.rule-name>/<id>"}',
}
FAILS: Final = f"{NOTES}    raise ValueError('boom')\n"


def rule(title: str, target: Any = "Notes", **more: Any) -> dict[str, Any]:
    to = arn(target) if isinstance(target, str) else target
    targets = [{"Id": "target", "Arn": to, **more}]
    given = {"EventPattern": PATTERNS[title], "Targets": targets}
    return {"Type": "AWS::Events::Rule", "Properties": given}


def permission(title: str, target: str = "Notes") -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": target},
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": arn(title),
        },
    }


def open_to_rules(*titles: str) -> dict[str, Any]:
    let = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Statement": [let]}
    queues = [{"Ref": title} for title in titles]
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": queues, "PolicyDocument": document},
    }


def queues() -> dict[str, Any]:
    """Rules that send to queues, and what those get that cannot be sent."""
    fifo = {"FifoQueue": True, "ContentBasedDeduplication": True}
    missing = {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:gone"}
    buried = {"DeadLetterConfig": {"Arn": arn("Dead")}}
    notifying = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    return {
        **{title: {"Type": "AWS::SQS::Queue"} for title in ("Queue", "Dead", "Shut", "Uploads")},
        "Line": {"Type": "AWS::SQS::Queue", "Properties": fifo},
        "LetQueues": open_to_rules("Queue", "Dead", "Line", "Uploads"),
        "Queued": rule("Queued", "Queue", InputTransformer=TRANSFORMED),
        "Lined": rule("Lined", "Line", SqsParameters={"MessageGroupId": "g"}),
        "Closed": rule("Closed", "Shut", **buried),
        "Gone": rule("Gone", missing, **buried),
        "Forbidden": rule("Forbidden", **buried),
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "NotificationConfiguration": notifying,
                "VersioningConfiguration": {"Status": "Suspended"},
            },
        },
        "Objects": rule("Objects", "Uploads"),
    }


@pytest.fixture(scope="module")
def bus(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "bus", tmp_path_factory.mktemp("notes"))
    resources = {
        "Role": role(),
        "Notes": made.noting(NOTES),
        "Fails": made.noting(FAILS),
        **{title: rule(title) for title in ("Batch", "Build", "Task")},
        **queues(),
        **{f"Let{title}": permission(title) for title in ("Batch", "Build", "Task")},
        "Failing": rule("Failing", "Fails"),
        "LetFailing": permission("Failing", "Fails"),
    }
    assert made.deploy(resources) == ("CREATE_COMPLETE", "")
    put(made, "demo.failing")  # it takes seconds until it has come thrice
    return made


def put(bus: Stack, source: str, kind: str = "x", **detail: Any) -> dict[str, Any]:
    entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}
    (answer,) = bus.client("events").put_events(Entries=[entry])["Entries"]
    assert isinstance(answer, dict)
    return answer


def test_events_that_match_are_delivered_as_they_are_and_no_others(bus: Stack) -> None:
    kind = "Batch Job State Change"
    job = {"jobName": "n", "jobQueue": "q2", "status": "FAILED", "attempts": [{"a": 1}]}
    sent = [
        put(bus, "demo.batch", kind, **{**job, "jobQueue": "q3"}),
        put(bus, "demo.batch", kind, **{**job, "status": "RUNNING"}),
        put(bus, "demo.batch", "other", **job),
        put(bus, "demo.codebuild", **{"project-name": "app-prod-x", "build-status": "STOPPED"}),
        put(bus, "demo.ecs", group="family:jobs", containers=[{"name": "job"}]),
        put(bus, "demo.batch", kind, **job),
        put(bus, "demo.codebuild", **{"project-name": "app-dev-x", "build-status": "STOPPED"}),
        put(bus, "demo.ecs", group="family:jobs", containers=[{"name": "a"}, {"exitCode": 137}]),
    ]
    ids = {each["EventId"] for each in sent}
    found = bus.told(lambda event: event["id"] in ids, 3)
    assert {each["id"] for each in found} == {each["EventId"] for each in sent[-3:]}
    (batch,) = [each for each in found if each["source"] == "demo.batch"]
    assert batch.keys() == {
        *("version", "id", "detail-type", "source", "account"),
        *("time", "region", "resources", "detail"),
    }
    assert (batch["detail"], batch["detail-type"]) == (job, kind)


def test_a_function_whose_policy_does_not_let_events_in_gets_none(bus: Stack) -> None:
    forbidden = put(bus, "demo.forbidden")["EventId"]
    put(bus, "demo.codebuild", **{"project-name": "app-dev-last", "build-status": "STOPPED"})
    found = bus.told(lambda event: event["detail"].get("project-name") == "app-dev-last")
    assert len(found) == 1
    assert bus.told(lambda event: event["id"] == forbidden, 0) == []


def test_nobody_but_aws_has_events_of_aws(bus: Stack) -> None:
    answer = put(bus, "aws.batch", "Batch Job State Change", jobQueue="q1", status="FAILED")
    assert answer["ErrorCode"] == "NotAuthorizedForSourceException"


def test_a_target_that_fails_gets_the_event_twice_more(bus: Stack) -> None:
    found = bus.told(lambda event: event["source"] == "demo.failing", 3)
    assert len({event["id"] for event in found}) == 1


def test_a_queue_gets_what_the_rule_makes_of_an_event(bus: Stack) -> None:
    event = put(bus, "demo.queued", n=1)["EventId"]
    (message,) = received(bus, "Queue")
    body = json.loads(message["Body"])
    assert body["key"] == f"{bus.resource('Queued')}/{event}"
    assert (body["payload"]["detail"], body["payload"]["id"]) == ({"n": 1}, event)
    put(bus, "demo.lined")
    (message,) = received(bus, "Line")
    assert message["Attributes"]["MessageGroupId"] == "g"


@pytest.mark.parametrize(
    ("title", "code"),
    [("Closed", "NO_PERMISSIONS"), ("Gone", "NO_RESOURCE"), ("Forbidden", "NO_PERMISSIONS")],
)
def test_what_a_target_cannot_get_is_a_dead_letter(bus: Stack, title: str, code: str) -> None:
    received(bus, "Dead", 0)
    event = put(bus, f"demo.{title.lower()}", n=1)["EventId"]
    (message,) = received(bus, "Dead")
    told = {key: each["StringValue"] for key, each in message["MessageAttributes"].items()}
    assert told["ERROR_CODE"] == code
    assert told["ERROR_MESSAGE"]
    assert told["RULE_ARN"].endswith(f":rule/{bus.resource(title)}")
    assert told["TARGET_ARN"].startswith("arn:aws:")
    assert json.loads(message["Body"])["id"] == event


def test_a_bucket_tells_of_all_ways_in_which_objects_come_and_go(bus: Stack) -> None:
    s3, bucket = bus.client("s3"), bus.resource("Bucket")
    s3.put_object(Bucket=bucket, Key="put", Body=b"hello")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "put"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    etag = s3.upload_part(**part, PartNumber=1, Body=b"12345678")["ETag"]
    parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
    s3.complete_multipart_upload(**part, MultipartUpload=parts)
    s3.delete_object(Bucket=bucket, Key="copy")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "put"}, {"Key": "parts"}]})
    found = [json.loads(each["Body"]) for each in received(bus, "Uploads", 6)]
    assert {each["detail"]["bucket"]["name"] for each in found} == {bucket}
    of = {(e["detail-type"], e["detail"]["object"]["key"], e["detail"]["reason"]) for e in found}
    assert of == {
        ("Object Created", "put", "PutObject"),
        ("Object Created", "copy", "CopyObject"),
        ("Object Created", "parts", "CompleteMultipartUpload"),
        ("Object Deleted", "copy", "DeleteObject"),
        ("Object Deleted", "put", "DeleteObject"),
        ("Object Deleted", "parts", "DeleteObject"),
    }
    created = {
        e["detail"]["object"]["key"]: e["detail"]["object"]
        for e in found
        if "Created" in e["detail-type"]
    }
    assert created["put"]["size"] == 5
    assert created["parts"]["size"] == 8
    for each in found:
        assert each["detail"]["object"]["sequencer"]
        assert each["resources"] == [f"arn:aws:s3:::{bucket}"]
