"""EventBridge Scheduler on the embedded cloud: when it fires, and what becomes of what it sends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from devbridge.config import Config
from devbridge.emulator.embedded import embedded_cloud
from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import (
    NOTES,
    Stack,
    allow,
    arn,
    received,
    role,
    wait_for,
)

SERVICE: Final = "scheduler.amazonaws.com"
INPUT: Final = json.dumps(
    {
        "key": "<aws.scheduler.schedule-arn>/<aws.scheduler.scheduled-time>",
        "execution": "<aws.scheduler.execution-id>",
        "attempt": "<aws.scheduler.attempt-number>",
    }
)


def soon(zone: str = "UTC", seconds: int = 2) -> str:
    """A single time a few seconds from now, on that zone's clock."""
    moment = datetime.now(ZoneInfo(zone)) + timedelta(seconds=seconds)
    return f"at({moment:%Y-%m-%dT%H:%M:%S})"


def schedule(target: Mapping[str, Any], expression: str, **properties: Any) -> dict[str, Any]:
    given = {
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"RoleArn": arn("Caller"), **target},
    }
    return {"Type": "AWS::Scheduler::Schedule", "Properties": {**given, **properties}}


@pytest.fixture(scope="module")
def clock(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "clock", tmp_path_factory.mktemp("notes"))
    fifo = {"FifoQueue": True, "ContentBasedDeduplication": True}
    resources = {
        "Role": role(),
        "Caller": role(allow("sqs:SendMessage", "lambda:InvokeFunction"), service=SERVICE),
        "Nobody": role(service=SERVICE),
        "Untrusted": role(allow("*")),
        "Notes": made.noting(NOTES),
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Dead": {"Type": "AWS::SQS::Queue"},
        "Line": {"Type": "AWS::SQS::Queue", "Properties": fifo},
    }
    assert made.deploy(resources) == ("CREATE_COMPLETE", "")
    return made


def create(clock: Stack, name: str, to: str, expression: str, **request: Any) -> str:
    made = clock.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": to,
            "RoleArn": role_arn(clock, "Caller"),
            **request.pop("target", {}),
        },
        **request,
    )
    return str(made["ScheduleArn"])


def role_arn(clock: Stack, title: str) -> str:
    return f"arn:aws:iam::000000000000:role/{clock.resource(title)}"


def queue_arn(clock: Stack, title: str) -> str:
    return f"arn:aws:sqs:us-east-1:000000000000:{clock.resource(title).rpartition('/')[2]}"


def test_a_template_says_when_and_in_which_zone(clock: Stack) -> None:
    title = clock.resource("Notes")
    function = f"arn:aws:lambda:us-east-1:000000000000:function:{title}"
    caller = role_arn(clock, "Caller")
    target = {"Arn": function, "RoleArn": caller, "Input": INPUT}
    berlin = {"ScheduleExpressionTimezone": "Europe/Berlin"}
    past, future = "2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z"
    made = Stack(clock.endpoint, "times")
    fields = {
        "Once": schedule(target, soon("Europe/Berlin"), **berlin),
        "Utc": schedule(target, soon("Europe/Berlin")),  # hours away
        "Off": schedule(target, soon(), State="DISABLED"),
        "Over": schedule(target, "rate(1 minute)", EndDate=past),
        "Later": schedule(target, "rate(1 minute)", StartDate=future),
        "Dated": schedule(target, "cron(0 10 * * ? *)", StartDate=past, EndDate=future, **berlin),
    }
    assert made.deploy(fields) == ("CREATE_COMPLETE", "")
    (told,) = clock.told(lambda event: "times" in event.get("key", ""))
    key, _, moment = told["key"].rpartition("/")
    assert key.endswith(f"schedule/default/{made.resource('Once')}")
    assert abs(datetime.fromisoformat(moment) - datetime.now(UTC)) < timedelta(seconds=20)
    assert told["attempt"] == "1"
    found = clock.client("scheduler").get_schedule(Name=made.resource("Dated"))
    assert found["StartDate"] == datetime(2020, 1, 1, tzinfo=UTC)
    assert found["ScheduleExpressionTimezone"] == "Europe/Berlin"
    again = schedule(target, soon(), **{"Description": "changed"})
    assert made.deploy({**fields, "Off": again}, update=True) == ("UPDATE_COMPLETE", "")
    name = made.resource("Off")
    assert clock.told(lambda event: f"/{name}/" in event.get("key", ""))
    assert len(clock.told(lambda event: "times" in event.get("key", ""))) == 2
    made.delete()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ScheduleExpression": "cron(0 10 * * * *)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "rate(0 minutes)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Europe/Nowhere"}, "Invalid Schedule Expression Timezone"),
    ],
)
def test_a_schedule_that_nobody_can_keep_is_refused(
    clock: Stack, change: dict[str, str], problem: str
) -> None:
    made = Stack(clock.endpoint, "refused")
    target = {"Arn": "arn:aws:sqs:us-east-1:000000000000:q", "RoleArn": role_arn(clock, "Caller")}
    status, reason = made.deploy({"Bad": schedule(target, "cron(0 10 * * ? *)", **change)})
    assert (status, problem in reason) == ("ROLLBACK_COMPLETE", True), reason
    made.delete()


def test_a_role_that_the_scheduler_may_not_assume_is_refused(clock: Stack) -> None:
    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume"):
        create(
            clock,
            "untrusted",
            queue_arn(clock, "Queue"),
            soon(),
            target={"RoleArn": role_arn(clock, "Untrusted")},
        )


def test_one_time_by_api_reaches_a_queue_once_and_is_gone(clock: Stack) -> None:
    made = create(
        clock,
        "once",
        queue_arn(clock, "Queue"),
        soon("America/New_York"),
        ScheduleExpressionTimezone="America/New_York",
        ActionAfterCompletion="DELETE",
        target={"Input": INPUT},
    )
    (message,) = received(clock, "Queue")
    assert json.loads(message["Body"])["key"].startswith(f"{made}/20")
    wait_for(lambda: None if "once" in names(clock) else True)
    assert received(clock, "Queue", 0) == []


def test_one_that_is_deleted_before_its_time_never_fires(clock: Stack) -> None:
    create(clock, "cancelled", queue_arn(clock, "Queue"), soon(seconds=3))
    clock.client("scheduler").delete_schedule(Name="cancelled")
    create(clock, "after", queue_arn(clock, "Queue"), soon(seconds=4), target={"Input": "last"})
    (message,) = received(clock, "Queue")
    assert message["Body"] == "last"
    clock.client("scheduler").delete_schedule(Name="after")


def test_a_fifo_queue_gets_the_group_and_a_target_without_input_a_notification(
    clock: Stack,
) -> None:
    group = {"SqsParameters": {"MessageGroupId": "clock"}}
    create(clock, "line", queue_arn(clock, "Line"), soon(), target=group)
    (message,) = received(clock, "Line")
    assert message["Attributes"]["MessageGroupId"] == "clock"
    body = json.loads(message["Body"])
    assert (body["source"], body["detail-type"]) == ("aws.scheduler", "Scheduled Event")


@pytest.mark.parametrize(
    ("name", "target", "code", "retries"),
    [
        ("gone", {}, "NO_RESOURCE", "1"),
        ("forbidden", {"RoleArn": "Nobody"}, "NO_PERMISSIONS", "0"),
    ],
)
def test_what_a_target_does_not_get_is_tried_again_and_then_a_dead_letter(
    clock: Stack, name: str, target: dict[str, str], code: str, retries: str
) -> None:
    missing = "arn:aws:sqs:us-east-1:000000000000:gone"
    arn_ = missing if name == "gone" else queue_arn(clock, "Queue")
    given: dict[str, Any] = {
        "Input": INPUT,
        "RetryPolicy": {"MaximumRetryAttempts": int(retries)},
        "DeadLetterConfig": {"Arn": queue_arn(clock, "Dead")},
    }
    if "RoleArn" in target:  # which may send to the dead-letter queue alone
        grant(clock, "Nobody", queue_arn(clock, "Dead"))
        given["RoleArn"] = role_arn(clock, "Nobody")
    made = create(clock, name, arn_, soon(seconds=1), target=given)
    (message,) = received(clock, "Dead")
    told = {key: each["StringValue"] for key, each in message["MessageAttributes"].items()}
    assert (told["ERROR_CODE"], told["RETRY_ATTEMPTS"]) == (code, retries)
    assert (told["SCHEDULE_ARN"], told["TARGET_ARN"]) == (made, arn_)
    assert told["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert json.loads(message["Body"])["attempt"] == str(int(retries) + 1)


def test_all_are_listed_a_page_at_a_time(clock: Stack) -> None:
    made = {f"listed-{number}" for number in range(3)}
    for name in made:
        create(clock, name, queue_arn(clock, "Queue"), "rate(5 days)")
    pages = clock.client("scheduler").get_paginator("list_schedules")
    found = [
        [each["Name"] for each in page["Schedules"]]
        for page in pages.paginate(NamePrefix="listed-", PaginationConfig={"PageSize": 2})
    ]
    assert found == [["listed-0", "listed-1"], ["listed-2"]]


def names(clock: Stack) -> set[str]:
    found = clock.client("scheduler").list_schedules()["Schedules"]
    return {each["Name"] for each in found}


def grant(clock: Stack, title: str, queue: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow("sqs:SendMessage", on=queue)]}
    clock.client("iam").put_role_policy(
        RoleName=clock.resource(title), PolicyName="own", PolicyDocument=json.dumps(policy)
    )


def test_a_stop_neither_loses_a_single_time_nor_repeats_one(
    make_config: Callable[..., Config],
) -> None:
    config = make_config()
    with embedded_cloud(config, print) as first:
        clock = Stack(first.running.endpoint_url, "kept")
        resources = {
            "Caller": role(allow("sqs:SendMessage"), service=SERVICE),
            **{title: {"Type": "AWS::SQS::Queue"} for title in ("Queue", "Dead")},
        }
        assert clock.deploy(resources) == ("CREATE_COMPLETE", "")
        create(clock, "done", queue_arn(clock, "Queue"), soon(seconds=0), target={"Input": "done"})
        retried = {
            "Input": "tried",
            "RetryPolicy": {"MaximumRetryAttempts": 2},
            "DeadLetterConfig": {"Arn": queue_arn(clock, "Dead")},
        }
        missing = "arn:aws:sqs:us-east-1:000000000000:gone"
        create(clock, "tried", missing, soon(seconds=0), target=retried)
        assert [each["Body"] for each in received(clock, "Queue")] == ["done"]
        passing = {"Input": "passed"}
        create(clock, "passed", queue_arn(clock, "Queue"), soon(seconds=2), target=passing)
        late = time.monotonic() + 2
    wait_for(lambda: True if time.monotonic() > late else None)
    with embedded_cloud(config, print) as second:
        clock = Stack(second.running.endpoint_url, "kept")
        (buried,) = received(clock, "Dead")
        assert buried["MessageAttributes"]["RETRY_ATTEMPTS"]["StringValue"] == "2"
        assert [each["Body"] for each in received(clock, "Queue")] == ["passed"]
        assert received(clock, "Queue", 0) == []
