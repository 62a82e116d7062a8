from __future__ import annotations

from datetime import timedelta

import pytest

from devbridge.constructs import Alarm, App, DeadLetters, OnEvent, OnTopic, Queue, Topic
from devbridge.constructs.job import Job
from devbridge.errors import InvalidValue
from tests.unit.constructs.test_triggering import job

EVENT = OnEvent({"source": ["s"]})


def test_a_job_with_triggers_has_them_and_they_are_kept_as_long_as_sqs_does(app: App) -> None:
    made = job(app, OnTopic(Topic(app, "t")), name="greeting")
    assert made.dead_letters == DeadLetters(made)
    assert made.dead_letters.retention == timedelta(days=14)
    assert str(made.dead_letters) == "dead letters of Job 'greeting'"


def test_those_of_a_job_with_on_failure_are_that_queue(app: App) -> None:
    failed = Queue(app, "failed")
    assert job(app, EVENT, on_failure=failed).dead_letters is failed


def test_a_job_without_triggers_has_none(app: App) -> None:
    with pytest.raises(InvalidValue, match="Job 'a': triggers"):
        _ = job(app).dead_letters


def test_an_alarm_may_be_of_them_if_they_are_of_its_app(app: App) -> None:
    made = job(app, EVENT)
    old = Alarm(app, "old", queue=made.dead_letters, metric="age", threshold="13 days")
    assert old.queue == made.dead_letters
    with pytest.raises(InvalidValue, match="threshold") as caught:
        Alarm(app, "b", queue=made.dead_letters, metric="age", threshold="14 days")
    assert "retention of dead letters of Job" in str(caught.value.remedy)
    other: Job = job(App("other"), EVENT)
    with pytest.raises(InvalidValue, match="Alarm 'c': queue"):
        Alarm(app, "c", queue=other.dead_letters)
