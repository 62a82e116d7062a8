from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import Alarm, App, Container, Job, OnEvent, OnQueue, Queue, Topic
from devbridge.constructs.app import loading
from devbridge.errors import InvalidValue

HANDLER = "jobs/a.handler"
IMAGE = Container("image", cmd=["python", "main.py"])


def test_a_job_has_sensible_defaults(app: App) -> None:
    job = Job(app, "a", handler=HANDLER)
    assert (job.timeout, job.memory_mb, job.retries) == (timedelta(hours=8), 3072, 0)
    assert (job.retry_delay, job.concurrency, job.offline) == (timedelta(seconds=1), None, None)
    assert job.live
    assert job.container is None
    assert app.of_type(Job) == [job]


def test_an_error_names_the_line_the_resource_the_value_and_what_is_allowed(app: App) -> None:
    line = sys._getframe().f_lineno + 2
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, timeout="37 hours")
    text = str(caught.value)
    assert f"test_job.py:{line}" in text
    assert "Job 'a': timeout '37 hours' is not allowed" in text
    assert "1 second to 36 hours" in text
    assert "to CodeBuild, from 5 minutes on" in text
    assert app.constructs == []


@pytest.mark.parametrize(
    ("options", "attribute", "value"),
    [
        ({"timeout": "1 second"}, "timeout", timedelta(seconds=1)),
        ({"timeout": "10s"}, "timeout", timedelta(seconds=10)),
        ({"timeout": "36 hours"}, "timeout", timedelta(hours=36)),
        ({"timeout": timedelta(hours=1)}, "timeout", timedelta(hours=1)),
        ({"memory_size": "145 GB"}, "memory_mb", 145 * 1024),
        ({"memory_size": "15 GB", "architecture": "arm64"}, "memory_mb", 15 * 1024),
        ({"retries": 10}, "retries", 10),
        ({"retry_delay": "0 seconds"}, "retry_delay", timedelta()),
        ({"retry_delay": "1 hour"}, "retry_delay", timedelta(hours=1)),
        ({"concurrency": 1}, "concurrency", 1),
        ({"concurrency": 1000}, "concurrency", 1000),
        ({"offline": "cloud"}, "offline", "cloud"),
        ({"enable_live_dev": False}, "live", False),
        ({"runtime": "python3.13"}, "runtime", "python3.13"),
    ],
    ids=str,
)
def test_values_that_are_allowed_are_kept(
    app: App, options: dict[str, Any], attribute: str, value: object
) -> None:
    assert getattr(Job(app, "a", handler=HANDLER, **options), attribute) == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": "37 hours"},
        {"timeout": "0 seconds"},
        {"timeout": 3600},
        {"memory_size": "4 GB"},
        {"memory_size": "7 GB", "architecture": "arm64"},
        {"memory_size": "145 GB", "architecture": "arm64"},
        {"retries": -1},
        {"retries": 11},
        {"retries": True},
        {"retry_delay": "2 hours"},
        {"payload": "S3"},
        {"image": "public.ecr.aws/lambda/python:3.11"},
        {"image": f"public.ecr.aws/lambda/python:3.11@sha256:{'0' * 64}"},
        {"image": f"python@sha256:{'0' * 63}"},
        {"image": f"sha256:{'0' * 64}"},
        {"concurrency": 0},
        {"concurrency": 1001},
        {"concurrency": True},
        {"offline": "later"},
        {"offline": ["queue"]},
        {"enable_live_dev": 0},
        {"enable_live_dev": None},
        {"environment": {"PATH": "/opt/tools/bin"}},
        {"environment": {"PYTHONHOME": "/opt/python"}},
        {"environment": {"PYTHONINSPECT": "1"}},
        {"environment": {"HOME": "/opt"}},
        {"handler": "jobs/a.py"[:-3]},
        {"handler": None},
        {"container": IMAGE},
    ],
    ids=str,
)
def test_values_that_are_not_allowed_are_refused(app: App, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=f"Job 'a': {next(iter(wrong))} "):
        Job(app, "a", **{"handler": HANDLER, **wrong})
    assert app.constructs == []


def test_a_variable_of_the_machine_is_refused_with_the_reason_and_the_way_out(app: App) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, environment={"PATH": "/opt/tools/bin"})
    text = str(caught.value)
    assert "Job 'a': environment 'PATH' is not allowed" in text
    assert "the machine's own" in text
    assert "set it in the handler" in text


@pytest.mark.parametrize(
    ("of_app", "of_job", "inline"),
    [(None, None, False), ("inline", None, True), ("inline", "s3", False), ("s3", "inline", True)],
)
def test_payloads_are_in_s3_unless_the_job_or_its_app_says_inline(
    root: Path, of_app: Any, of_job: Any, inline: bool
) -> None:
    with loading(root):
        app = App("demo", **({"payload": of_app} if of_app else {}))
    assert Job(app, "a", handler=HANDLER, payload=of_job).inline is inline


def test_a_containers_payload_is_in_its_environment(app: App) -> None:
    assert Job(app, "a", runtime="container", container=IMAGE).inline
    with pytest.raises(InvalidValue, match="its image reads the environment only"):
        Job(app, "b", runtime="container", container=IMAGE, payload="s3")


def test_a_job_takes_runs_for_a_later_time_if_it_says_so(app: App) -> None:
    assert Job(app, "now", handler="jobs/a.handler").later is False
    assert Job(app, "then", handler="jobs/a.handler", later=True).later is True
    with pytest.raises(InvalidValue, match="later"):
        Job(app, "bad", handler="jobs/a.handler", later="2 hours")  # type: ignore[arg-type]


def test_one_option_makes_the_alarm_of_a_jobs_dead_letters(app: App) -> None:
    ops, event = Topic(app, "ops"), OnEvent({"source": ["s"]})
    old = Job(app, "a", handler="jobs/a.handler", triggers=[event], alarm="1 hour", notify=[ops])
    (alarm,) = old.alarms
    assert app.of_type(Alarm) == [alarm]
    assert (alarm.name, alarm.queue, alarm.notify) == ("a", old.dead_letters, (ops,))
    assert (alarm.metric, alarm.threshold) == ("age", 3600)
    (many,) = Job(app, "b", handler="jobs/a.handler", triggers=[event], alarm=5).alarms
    assert (many.metric, many.threshold, many.notify) == ("messages", 5, ())
    assert Job(app, "c", handler="jobs/a.handler", triggers=[event]).alarms == ()


def test_each_of_its_dead_letter_queues_has_an_alarm(app: App) -> None:
    failed, dead = Queue(app, "failed"), Queue(app, "dead")
    read = [
        OnQueue(Queue(app, name, dead_letter=queue)) for name, queue in (("q", dead), ("r", failed))
    ]
    made = Job(
        app,
        "a",
        handler="jobs/a.handler",
        triggers=read,
        on_failure=failed,
        alarm=timedelta(hours=1),
    )
    queues = {alarm.name: alarm.queue for alarm in made.alarms}
    assert queues == {"a": failed, "a-dead": dead}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"alarm": 0}, "alarm 0"),
        ({"alarm": True}, "alarm True"),
        ({"alarm": "59 seconds"}, "alarm '59 seconds'"),
        ({"alarm": "20 days"}, "alarm '20 days' .*\n.*\n.* 1 minute to 14 days, less than"),
        (
            {"alarm": "14 days"},
            "alarm '14 days' .*\n.*\n.* less than 14 days, the retention of dead",
        ),
        ({"alarm": "1 hour", "triggers": []}, "alarm '1 hour' .*"),
        ({"alarm": "1 hour", "notify": ["ops"]}, "notify 'ops'"),
        ({"notify": [1]}, "notify 1"),
    ],
)
def test_an_alarm_that_could_not_be_is_refused(
    app: App, options: dict[str, Any], said: str
) -> None:
    triggers = {"triggers": [OnEvent({"source": ["s"]})]}
    with pytest.raises(InvalidValue, match=f"Job 'a': {said}"):
        Job(app, "a", handler="jobs/a.handler", **{**triggers, **options})


def test_who_is_told_of_no_alarm_is_refused(app: App) -> None:
    with pytest.raises(InvalidValue, match="Job 'a': notify") as caught:
        Job(
            app,
            "a",
            handler="jobs/a.handler",
            triggers=[OnEvent({"source": ["s"]})],
            notify=[Topic(app, "ops")],
        )
    assert "only with alarm=" in str(caught.value.remedy)
