"""What is asked of EventBridge Scheduler, checked by botocore's model of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from devbridge.runs.scheduled import Schedules, Target, Waiting

UUID = "0b1c2d3e-0000-4000-8000-000000000001"
START = datetime(2030, 1, 31, 8, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:demo_ann_factorial-invoker"
TARGET = Target(
    ARN, "arn:aws:iam::123456789012:role/devbridge/r", "arn:aws:sqs:eu-west-1:123456789012:q"
)
NAMED = {"Name": UUID, "GroupName": "demo_ann"}


@pytest.fixture
def scheduler() -> Iterator[Stubber]:
    client = botocore.session.get_session().create_client(
        "scheduler", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def schedules(scheduler: Stubber) -> Schedules:
    return Schedules(lambda: scheduler.client, "demo_ann")


def test_a_run_is_a_schedule_of_its_name_that_stays_until_somebody_has_started_it(
    scheduler: Stubber, schedules: Schedules
) -> None:
    event = json.dumps({"payloadText": "<aws.scheduler.execution-id> <b>"})
    asked: list[dict[str, Any]] = []
    scheduler.client.meta.events.register(
        "before-parameter-build.scheduler.CreateSchedule", lambda params, **_: asked.append(params)
    )
    scheduler.add_response(
        "create_schedule",
        {"ScheduleArn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/demo_ann/a"},
    )
    assert schedules.put(UUID, START, event, TARGET) is True
    (given,) = asked
    text = given["Target"].pop("Input")
    assert given == {
        **NAMED,
        "ClientToken": UUID,
        "ScheduleExpression": "at(2030-01-31T08:00:00)",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": ARN,
            "RoleArn": TARGET.role,
            "DeadLetterConfig": {"Arn": TARGET.dead_letters},
        },
    }
    assert "<aws.scheduler." not in text, "Scheduler would replace it"
    assert json.loads(text) == json.loads(event)


def test_a_run_that_is_scheduled_is_not_scheduled_again(
    scheduler: Stubber, schedules: Schedules
) -> None:
    scheduler.add_client_error("create_schedule", "ConflictException")
    assert schedules.put(UUID, START, "{}", TARGET) is False


def test_its_time_is_known_until_then(scheduler: Stubber, schedules: Schedules) -> None:
    told = {
        "ScheduleExpression": "at(2030-01-31T08:00:00)",
        "Target": {"Arn": ARN, "RoleArn": TARGET.role, "Input": "{}"},
    }
    for _ in range(2):
        scheduler.add_response("get_schedule", told, NAMED)
        scheduler.add_client_error("get_schedule", "ResourceNotFoundException")
    assert schedules.start_of(UUID) == START
    assert schedules.start_of(UUID) is None
    assert schedules.get(UUID) == Waiting(START, "{}")
    assert schedules.get(UUID) is None


def test_it_can_be_taken_away_once(scheduler: Stubber, schedules: Schedules) -> None:
    scheduler.add_response("delete_schedule", {}, NAMED)
    scheduler.add_client_error("delete_schedule", "ResourceNotFoundException")
    assert schedules.remove(UUID) is True
    assert schedules.remove(UUID) is False


@pytest.mark.parametrize("call", ["create_schedule", "get_schedule", "delete_schedule"])
def test_other_refusals_are_told(scheduler: Stubber, schedules: Schedules, call: str) -> None:
    scheduler.add_client_error(call, "AccessDeniedException")
    asks: dict[str, Callable[[], object]] = {
        "create_schedule": lambda: schedules.put(UUID, START, "{}", TARGET),
        "get_schedule": lambda: schedules.start_of(UUID),
        "delete_schedule": lambda: schedules.remove(UUID),
    }
    with pytest.raises(ClientError, match="AccessDenied"):
        asks[call]()
