"""Two people run `devbridge dev` for one stage: the second one gets it."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.dev_process import DEADLINE, DevProcess, run
from tests.integration.brokers import Broker, running, start_ministack

APP = """\
from devbridge import Api, App, Job

app = App("two-app")
probe = Job(app, "probe", handler="jobs/probe.handler")
Api(app, "api", routes={"POST /ask": "api/ask.handler"}, bind=[probe])
"""
PROBE = """\
import time
from pathlib import Path

def handler(payload, context):
    while not Path(payload["until"]).exists():
        time.sleep(0.01)
    return str(Path.cwd().name)
"""
ASK = """\
import json
from devbridge.job import Job

def handler(event, context):
    asked = json.loads(event["body"])
    answer = getattr(Job.probe, asked["call"])(**asked["arguments"])
    if hasattr(type(answer), "__dataclass_fields__"):
        answer = {name: getattr(answer, name) for name in type(answer).__dataclass_fields__}
    return {"statusCode": 200, "body": json.dumps(answer)}
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Broker]:
    with running(start_ministack(tmp_path / "cloud")) as started:
        yield started


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The app, on two machines."""
    first, second = tmp_path / "first", tmp_path / "second"
    for file, text in {"app.py": APP, "jobs/probe.py": PROBE, "api/ask.py": ASK}.items():
        (first / file).parent.mkdir(parents=True, exist_ok=True)
        (first / file).write_text(text)
    shutil.copytree(first, second)
    return first, second


def ask(url: str, call: str, **arguments: Any) -> Any:
    parts = urlsplit(url)  # its name is only resolved where there is a resolver for it
    body = json.dumps({"call": call, "arguments": arguments}).encode()
    address = f"http://127.0.0.1:{parts.port}{parts.path}/ask"
    request = urllib.request.Request(
        address, body, {"Host": parts.netloc, "Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=DEADLINE) as response:  # noqa: S310
        return json.load(response)


def until_ended(url: str, job_id: str) -> Any:
    """As whoever waits for a result does."""
    deadline = time.monotonic() + DEADLINE
    while (answer := ask(url, "status", job_id=job_id))["state"] in ("QUEUED", "RUNNING"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return answer


def test_the_newer_takes_over_and_the_older_finishes_what_it_runs(
    cloud: Broker, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    options = ("--stage", "two", "--endpoint", f"http://127.0.0.1:{cloud.port}")
    until = tmp_path / "until"
    with DevProcess(folders[0], *options, "--concurrency", "1") as older:
        url = older.wait_for(r"Url +(http\S+)").group(1)
        older.wait_for(r"^Ready")
        first, second, third = (
            ask(url, "run", payload={"until": str(until)})["job_id"] for _ in range(3)
        )
        older.wait_for("Invoke")
        with DevProcess(folders[1], *options, "--concurrency", "2") as newer:
            newer.wait_for(r"^Ready")
            older.wait_for(r"has taken this stage over; the runs that have started end here")
            older.wait_for(r"2 waiting runs were handed over")
            for _ in range(2):
                newer.wait_for(r"Invoke +probe")
            assert {ask(url, "status", job_id=each)["state"] for each in (first, second)} == {
                "RUNNING"
            }
            until.touch()
            ended = {each: until_ended(url, each) for each in (first, second, third)}
            assert {each["state"] for each in ended.values()} == {"SUCCEEDED"}
            results = [ask(url, "result", job_id=each) for each in (first, second, third)]
            assert results == ["first", "second", "second"]
            older.wait_for("all runs have ended")
            listed = run(folders[0], "jobs", "--json", "--stage", "two")
            assert "handed over to" in listed.stdout
            assert older.wait() == 0
            assert not any("Traceback" in line for line in [*older.lines, *newer.lines])
