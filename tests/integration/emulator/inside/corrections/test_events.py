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
}
FAILS: Final = f"{NOTES}    raise ValueError('boom')\n"


def rule(title: str, target: str = "Notes") -> dict[str, Any]:
    targets = [{"Id": "target", "Arn": arn(target)}]
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


@pytest.fixture(scope="module")
def bus(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "bus", tmp_path_factory.mktemp("notes"))
    resources = {
        "Role": role(),
        "Notes": made.noting(NOTES),
        "Fails": made.noting(FAILS),
        **{title: rule(title) for title in ("Batch", "Build", "Task", "Forbidden")},
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
