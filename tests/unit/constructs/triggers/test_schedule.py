from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.triggers import Schedule
from devbridge.constructs.triggers.schedule import MAX_PAYLOAD
from devbridge.constructs.values import NAME
from devbridge.errors import InvalidValue

JANUARY, MAY = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 5, 1, tzinfo=UTC)


def job(app: App, *triggers: Schedule) -> Job:
    return Job(app, "thumbs", handler="jobs/a.handler", triggers=triggers)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("rate(2 hours)"),
        Schedule("cron(0 10 * * ? *)", timezone="Europe/Berlin", payload={"full": True}),
        Schedule("at(2030-01-31T08:00:00)", timezone="Asia/Tokyo", payload=[1, None, "ä"]),
        Schedule("rate(1 day)", name="nightly", enabled=False, start=JANUARY, end=MAY),
        Schedule("rate(1 day)", payload="x" * (MAX_PAYLOAD - 2)),
    ],
)
def test_a_job_takes_schedules(app: App, schedule: Schedule) -> None:
    assert job(app, schedule).triggers == (schedule,)


@pytest.mark.parametrize(
    ("expression", "label"),
    [
        ("rate(2 hours)", "rate-2-hours"),
        ("cron(0 10 * * ? *)", "cron-0-10-x-x-q-x"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "cron-0-by-5-8-17-q-x-MON-FRI-x"),
        ("cron(0 9 ? * 2#1 *)", "cron-0-9-q-x-2-of-1-x"),
        ("at(2030-01-31T08:00:00)", "at-2030-01-31T08-00-00"),
        (
            f"cron({','.join(map(str, range(60)))} * * * ? *)",
            "cron-0-1-2-3-4-5-6-7-8-9-10-11-12-13-14",
        ),
    ],
)
def test_it_is_called_by_its_expression(expression: str, label: str) -> None:
    assert Schedule(expression).label == label
    assert NAME.fullmatch(label)


def test_a_name_is_what_it_is_called() -> None:
    assert Schedule("rate(2 hours)", name="tidy").label == "tidy"


def test_two_of_the_same_expression_need_names(app: App) -> None:
    berlin = Schedule("cron(0 10 * * ? *)", timezone="Europe/Berlin")
    with pytest.raises(InvalidValue, match="both called 'cron-0-10-x-x-q-x'"):
        job(app, Schedule("cron(0 10 * * ? *)"), berlin)


@pytest.mark.parametrize(
    ("schedule", "named", "allowed"),
    [
        (Schedule("2 hours"), "'2 hours'", "rate(2 hours), cron("),
        (Schedule("rate(1 hours)"), "'rate(1 hours)'", "rate(1 hour)"),
        (Schedule("cron(0 10 * * * *)"), "day-of-month '*' and day-of-week '*'", "'?' in one"),
        (Schedule("rate(1 hour)", timezone="Berlin"), "timezone 'Berlin'", "'Europe/Berlin'"),
        (Schedule(60), "60", "rate(2 hours)"),  # type: ignore[arg-type]
        (Schedule("rate(1 hour)", payload=object()), "payload (the payload cannot", "send dicts"),
        (Schedule("rate(1 hour)", payload=float("nan")), "payload (", "send dicts"),
        (Schedule("rate(1 hour)", payload="ä" * (MAX_PAYLOAD // 2)), "payload of 250,002", "S3"),
        (Schedule("rate(1 hour)", enabled="no"), "enabled 'no'", "True or False"),  # type: ignore[arg-type]
        (Schedule("rate(1 hour)", start=datetime(2030, 1, 1)), "start datetime", "time zone"),
        (Schedule("rate(1 hour)", end="2030"), "end '2030'", "tzinfo=UTC"),  # type: ignore[arg-type]
        (Schedule("rate(1 hour)", start=MAY, end=JANUARY), "end 2030-01-01", "2030-05-01"),
        (Schedule("at(2030-01-31T08:00:00)", end=MAY), "end with 'at(", "one time already"),
        (Schedule("rate(1 hour)", overlap=False, done="succeeded"), "overlap False", "'started'"),
        (Schedule("rate(1 hour)", name="1st"), "name '1st'", "a letter"),
    ],
)
def test_what_cannot_be_is_refused_where_it_was_written(
    app: App, schedule: Schedule, named: str, allowed: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        job(app, schedule)
    assert caught.value.what.startswith("Job 'thumbs': Schedule: ")
    assert named in caught.value.what
    assert allowed in str(caught.value.remedy)
    assert "test_schedule.py" in str(caught.value.where)


@pytest.mark.parametrize("payload", [None, 0, "", {"a": "<aws.scheduler.scheduled-time>"}, "<b>"])
def test_scheduler_replaces_nothing_in_a_payload(payload: Any) -> None:
    text = Schedule("rate(1 hour)", payload=payload).payload_text()
    assert "<aws.scheduler" not in text
    assert json.loads(text) == payload


@pytest.mark.parametrize("overlap", [None, True, False])
def test_it_overlaps_itself_only_if_told(app: App, overlap: bool | None) -> None:
    assert job(app, Schedule("rate(1 hour)", overlap=overlap)).triggers
    with pytest.raises(InvalidValue, match="overlap 'no'"):
        Job(
            app,
            "b",
            handler="jobs/a.handler",
            triggers=[Schedule("rate(1 hour)", overlap="no")],  # type: ignore[arg-type]
        )


def test_a_set_has_the_same_order_each_time(app: App) -> None:
    """Else each deployment would change the schedule."""
    names = [f"name-{number}" for number in range(9)]
    assert json.loads(Schedule("rate(1 hour)", payload={*names}).payload_text()) == names
