"""Runs for a later time on the embedded cloud: through the invoker, Scheduler, and the invoker."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from devbridge import names
from devbridge.cli import main
from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.emulator.state import Running
from devbridge.errors import UnknownRun
from devbridge.job import Job
from tests.clients import reset
from tests.integration.test_any_app_deploys import fast

APP = """
from devbridge import App, Job, Lambda

app = App("demo")
Job(app, "remind", handler="job.handler", compute=Lambda(), timeout="1 minute", later=True)
"""
JOB = """
def handler(payload, context):
    return [payload, context.aws_request_id]
"""
TICK = 30.0
"""Seconds: the embedded cloud looks at its schedules every ten."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("app")
    (root / "app.py").write_text(APP)
    (root / "job.py").write_text(JOB)
    return root


@pytest.fixture(scope="module")
def cloud(shared_cloud: Running, root: Path) -> Cloud:
    reset(shared_cloud.endpoint_url)
    config = Config(root=root, stage="test", python=Path(sys.executable), local=True)
    made = connect(config, shared_cloud.endpoint_url)
    deploy(Request(load_app(root), made, stage="test", mode="deployed", pace=fast))
    return made


@pytest.fixture(autouse=True)
def bound(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbridge.job._client", lambda: cloud.client("lambda"))
    monkeypatch.setenv("DEVBRIDGE_Job_functionName_remind", "demo_test_remind-invoker")


def schedules(cloud: Cloud) -> list[dict[str, Any]]:
    group = names.schedules("demo", "test")
    found = cloud.client("scheduler").list_schedules(GroupName=group)["Schedules"]
    return [dict(each) for each in found]


def test_a_run_starts_when_its_time_has_come_with_the_id_that_was_told(cloud: Cloud) -> None:
    payload = {"to": "ann", "text": "<aws.scheduler.execution-id>"}
    run = Job.remind.run(payload, delay="3 seconds")
    assert run.state == "SCHEDULED"
    assert run.job_id.startswith("demo_test_remind:")
    assert Job.remind.status(run.job_id).state == "SCHEDULED"
    ended = Job.remind.wait(run.job_id, timeout=TICK, poll=0.2)
    assert ended.state == "SUCCEEDED"
    assert Job.remind.result(run.job_id) == [payload, run.job_id]


def test_a_run_that_is_cancelled_never_starts(cloud: Cloud) -> None:
    run = Job.remind.run("x", delay=timedelta(hours=2))
    assert [each["Name"] for each in schedules(cloud)] == [run.job_id.partition(":")[2]]
    cancelled = Job.remind.cancel(run.job_id)
    assert (cancelled.was, cancelled.state) == ("SCHEDULED", "CANCELLED")
    assert schedules(cloud) == []
    with pytest.raises(UnknownRun):
        Job.remind.status(run.job_id)


def test_what_waits_is_listed_found_and_cancelled_on_the_command_line(
    cloud: Cloud, root: Path
) -> None:
    runs = [Job.remind.run({"to": name}, delay="2 hours").job_id for name in ("ann", "bob")]
    at = ["--app", str(root), "--stage", "test", "--endpoint", str(cloud.endpoint_url)]

    def devbridge(*arguments: str) -> str:
        done = CliRunner().invoke(main, [*arguments, *at])
        assert done.exit_code == 0, done.output
        return done.stdout

    listed = json.loads(devbridge("jobs", "--json", "--state", "SCHEDULED"))
    assert {run["id"] for run in listed} == {*runs}
    for run in listed:
        asked, starts = (datetime.fromisoformat(run[key]) for key in ("createdAt", "startAt"))
        assert timedelta(minutes=119) < starts - asked < timedelta(minutes=121)
    for run_id in runs:
        uuid = run_id.partition(":")[2]
        assert json.loads(devbridge("status", uuid[:13], "--json"))["id"] == run_id
        assert "was SCHEDULED: it will not start" in devbridge("cancel", run_id)
    assert json.loads(devbridge("jobs", "--json", "--state", "SCHEDULED")) == []
    assert schedules(cloud) == []


def test_the_same_key_is_one_run(cloud: Cloud) -> None:
    runs = [Job.remind.run("x", delay="2 hours", idempotency_key="k") for _ in range(2)]
    assert [run.duplicate for run in runs] == [False, True]
    assert len({run.job_id for run in runs}) == 1
    assert len(schedules(cloud)) == 1
    Job.remind.cancel(runs[0].job_id)


def test_a_time_that_is_over_is_now() -> None:
    run = Job.remind.run("x", delay="0s")
    assert run.state != "SCHEDULED"
    until = time.monotonic() + TICK
    assert Job.remind.wait(run.job_id, timeout=until - time.monotonic(), poll=0.2).final
