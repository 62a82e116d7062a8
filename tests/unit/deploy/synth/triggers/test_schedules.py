"""The clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from devbridge.constructs import Schedule
from devbridge.deploy.synth.triggers.schedules import told
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.templates import of_type, properties

SUMMER = datetime(2030, 5, 1, 2, tzinfo=timezone(timedelta(hours=2)))


def test_a_schedule_sends_to_the_jobs_own_queue_at_its_time(triggered: Triggered) -> None:
    trigger = Schedule(
        "cron(0 2 * * ? *)",
        timezone="Europe/Berlin",
        name="nightly",
        start=SUMMER,
        end=datetime(2031, 1, 1, tzinfo=UTC),
    )
    found = properties(triggered(lambda _: [trigger]), "SeeJobOnScheduleNightly")
    assert found["Target"].pop("Input") == told(trigger)
    assert found == {
        "Description": "starts job see: Schedule 'nightly'",
        "ScheduleExpression": "cron(0 2 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "StartDate": "2030-05-01T00:00:00Z",
        "EndDate": "2031-01-01T00:00:00Z",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {
            "Arn": {"Fn::GetAtt": ["SeeJobInbox", "Arn"]},
            "RoleArn": {"Fn::GetAtt": ["SeeJobSchedulerRole", "Arn"]},
        },
    }


def test_each_time_has_an_id_and_nothing_of_the_payload_is_replaced() -> None:
    payload = {"a": "<aws.scheduler.execution-id>", "b": ["ä", None]}
    text = told(Schedule("rate(2 hours)", payload=payload))
    assert text.count("<aws.scheduler.execution-id>") == 0
    found = json.loads(text)
    assert found["payload"] == payload
    assert found["devbridge"] == {
        "kind": "schedule",
        "name": "rate-2-hours",
        "id": "<aws.scheduler.schedule-arn>/<aws.scheduler.scheduled-time>",
        "alone": True,
    }
    may = json.loads(told(Schedule("rate(2 hours)", overlap=True)))
    assert may["devbridge"]["alone"] is False
    assert found["event"]["time"] == "<aws.scheduler.scheduled-time>"


@pytest.mark.parametrize(
    ("settings", "enabled", "state"),
    [
        ({"mode": "deployed"}, True, "ENABLED"),
        ({"mode": "deployed"}, False, "DISABLED"),
        ({"mode": "dev"}, True, "DISABLED"),
        ({"mode": "dev", "schedules": True}, True, "ENABLED"),
        ({"mode": "dev", "schedules": True}, False, "DISABLED"),
    ],
)
def test_the_clock_starts_live_jobs_only_if_somebody_has_asked_for_it(
    triggered: Triggered, settings: dict[str, object], enabled: bool, state: str
) -> None:
    template = triggered(lambda _: [Schedule("rate(2 hours)", enabled=enabled)], **settings)
    (found,) = of_type(template, "AWS::Scheduler::Schedule").values()
    assert found["Properties"]["State"] == state


@pytest.mark.parametrize(
    ("payload", "sent"),
    [(None, {}), ({"a": "<aws.scheduler.x>"}, {"Input": '{"a":"\\u003caws.scheduler.x>"}'})],
)
def test_a_function_is_called_with_the_payload_or_with_schedulers_own_event(
    calling: Triggered, payload: object, sent: dict[str, str]
) -> None:
    found = calling(lambda _: [Schedule("rate(2 hours)", payload=payload)])
    assert properties(found, "SeeFunctionOnScheduleRate2Hours")["Target"] == {
        "Arn": {"Fn::GetAtt": ["SeeFunction", "Arn"]},
        "RoleArn": {"Fn::GetAtt": ["SeeFunctionSchedulerRole", "Arn"]},
        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["SeeFunctionDeadLetters", "Arn"]}},
        **sent,
    }


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({"mode": "deployed"}, "ENABLED"),
        ({"mode": "dev"}, "DISABLED"),
        ({"mode": "dev", "schedules": True}, "ENABLED"),
    ],
)
def test_on_a_dev_stage_the_clock_calls_functions_only_if_somebody_has_asked_for_it(
    calling: Triggered, settings: dict[str, object], state: str
) -> None:
    template = calling(lambda _: [Schedule("rate(2 hours)")], **settings)
    (found,) = of_type(template, "AWS::Scheduler::Schedule").values()
    assert found["Properties"]["State"] == state
