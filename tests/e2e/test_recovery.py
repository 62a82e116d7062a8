"""A daemon that is killed, and the one that comes after it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from devbridge.emulator.state import has_ended
from devbridge.errors import EXIT_CLOUD
from tests.clients import endpoint_of, root_client
from tests.e2e.dev_process import DevProcess, command, run_line
from tests.waiting import eventually, gone, text_of

HANDLER = """\
import os, subprocess, sys, time
from pathlib import Path

def handler(payload, context):
    folder = Path(payload["folder"])
    with open(folder / "attempts", "a") as file:
        file.write(f"{context.aws_request_id} {context.attempt} of {context.max_attempts}\\n")
    if payload.get("long") and context.attempt == 1:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("began, with a child", flush=True)
        (folder / f"pids-{context.aws_request_id}").write_text(f"{os.getpid()} {child.pid}")
        time.sleep(600)
    return context.attempt
"""

COUNTS = """\
import os, time
from pathlib import Path

def handler(payload, context):
    folder = Path(payload["folder"])
    for step in range(context.checkpoint or 0, 4):
        with open(folder / "steps", "a") as file:
            file.write(f"{step} in attempt {context.attempt}\\n")
        yield step + 1
        if step == 2 and context.checkpoint is None:
            (folder / f"pids-{context.aws_request_id}").write_text(f"{os.getpid()}")
            time.sleep(600)
        if step == 3 and payload.get("fails"):
            raise RuntimeError("at the end")
    return context.checkpoint
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(
        dedent("""\
            from devbridge import App, Job

            app = App("recovery")
            Job(app, "once", handler="jobs/work.handler")
            Job(app, "again", handler="jobs/work.handler", retries=1, retry_delay="0 seconds")
            often = {"DEVBRIDGE_CHECKPOINT_SECONDS": "0"}
            Job(app, "counts", handler="jobs/counts.handler", environment=often)
            """)
    )
    (root / "jobs" / "counts.py").write_text(COUNTS)
    (root / "jobs" / "work.py").write_text(HANDLER)
    return root


@pytest.fixture
def endpoint(app: Path) -> Iterator[str]:
    """An embedded cloud that outlives the daemons of the test: another stage's."""
    with DevProcess(app, "--local", "--stage", "host") as host:
        host.wait_for(r"^Ready")
        state = json.loads((app / ".devbridge" / "cloud" / "state.json").read_text())
        yield f"http://127.0.0.1:{state['port']}"


def invoke(app: Path, endpoint: str, job: str, payload: object) -> dict[str, Any]:
    done = command(
        app, "invoke", job, "--payload", json.dumps(payload), "--json", "--stage", "work",
        "--endpoint", endpoint,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def rows(app: Path) -> dict[str, dict[str, Any]]:
    listed = command(app, "jobs", "--stage", "work", "--json", "--limit", "100")
    return {row["id"]: row for row in json.loads(listed.stdout)}


def pids(folder: Path, job_id: str) -> list[int]:
    return [int(pid) for pid in text_of(folder / f"pids-{job_id}").split()]


def test_after_a_kill_what_ran_is_crashed_or_tried_again_and_what_was_queued_runs(
    app: Path, endpoint: str, tmp_path: Path
) -> None:
    long = {"folder": str(tmp_path), "long": True}
    options = ("--endpoint", endpoint, "--stage", "work", "--concurrency", "2")
    with DevProcess(app, *options) as first:
        first.wait_for(r"^Ready")
        once = invoke(app, endpoint, "once", long)["id"]
        again = invoke(app, endpoint, "again", long)["id"]
        queued = [invoke(app, endpoint, "once", {"folder": str(tmp_path)}) for _ in range(3)]
        assert {answer["state"] for answer in queued} == {"QUEUED"}
        left_behind = pids(tmp_path, once) + pids(tmp_path, again)
        first.send(signal.SIGKILL)
        first.wait()
    eventually(lambda: gone(*left_behind))  # no worker, and no child of one, outlives the daemon

    with DevProcess(app, *options) as second:
        second.wait_for(run_line(once, "Crashed"))
        second.wait_for(run_line(again, "Done"))
        for answer in queued:
            second.wait_for(run_line(answer["id"], "Done"))
        listed = rows(app)
        assert second.interrupt() == 0

    assert listed[once]["state"] == "CRASHED"
    assert (listed[again]["state"], listed[again]["result"]) == ("SUCCEEDED", 2)
    attempts = (tmp_path / "attempts").read_text().splitlines()
    expected = [f"{once} 1 of 1", f"{again} 1 of 2", f"{again} 2 of 2"]
    assert sorted(attempts) == sorted(expected + [f"{answer['id']} 1 of 1" for answer in queued])
    log = app / ".devbridge" / "work" / "logs" / f"once-{once}.log"
    assert b"began, with a child" in log.read_bytes()


def test_a_run_with_a_checkpoint_goes_on_there_after_a_kill_and_is_run_again_there(
    app: Path, endpoint: str, tmp_path: Path
) -> None:
    options = ("--endpoint", endpoint, "--stage", "work")
    with DevProcess(app, *options) as first:
        first.wait_for(r"^Ready")
        run_id = invoke(app, endpoint, "counts", {"folder": str(tmp_path), "fails": True})["id"]
        left_behind = pids(tmp_path, run_id)
        first.send(signal.SIGKILL)
        first.wait()
    eventually(lambda: gone(*left_behind))

    with DevProcess(app, *options) as second:
        second.wait_for(run_line(run_id, r"Again .*it goes on at its checkpoint"))
        second.wait_for(run_line(run_id, "goes on at its checkpoint 3"))
        second.wait_for(run_line(run_id, "Error .*at the end"))
        arguments = ("--stage", "work", "--endpoint", endpoint, "--wait", "--json")
        again = command(app, "rerun", run_id, *arguments)
        assert again.returncode == 0, again.stderr
        assert "begins at the checkpoint 4 of the run before" in again.stderr
        assert json.loads(again.stdout)["result"] == 4
        assert second.interrupt() == 0
    assert (tmp_path / "steps").read_text().splitlines() == [
        f"{step} in attempt 1" for step in range(4)
    ]
    assert rows(app)[run_id]["state"] == "FAILED"
    log = app / ".devbridge" / "work" / "logs" / f"counts-{run_id}.log"
    assert b"devbridge: goes on at its checkpoint 3" in log.read_bytes()


def test_when_the_embedded_cloud_dies_devbridge_says_so_and_ends(app: Path) -> None:
    with DevProcess(app, "--local", "--stage", "host") as dev:
        dev.wait_for(r"^Ready")
        state = json.loads((app / ".devbridge" / "cloud" / "state.json").read_text())
        os.kill(state["pid"], signal.SIGKILL)
        assert dev.wait() == EXIT_CLOUD
        assert "error: the embedded cloud has ended by itself" in dev.text


def test_requests_of_a_burst_while_the_daemon_sleeps_all_run_once_when_it_wakes(
    app: Path, endpoint: str, tmp_path: Path
) -> None:
    options = ("--endpoint", endpoint, "--stage", "work")
    with DevProcess(app, *options) as dev:
        dev.wait_for(r"^Ready")
        os.kill(dev.pid, signal.SIGSTOP)
        try:
            answers = [invoke(app, endpoint, "once", {"folder": str(tmp_path)}) for _ in range(2)]
        finally:
            os.kill(dev.pid, signal.SIGCONT)
        for answer in answers:
            dev.wait_for(run_line(answer["id"], "Done"))
        assert dev.interrupt() == 0

    attempts = (tmp_path / "attempts").read_text().splitlines()
    assert sorted(attempts) == sorted(f"{answer['id']} 1 of 1" for answer in answers)


READS = """\
from devbridge import App, Job, Lambda, OnQueue, Queue

app = App("reads")
orders = Queue(app, "orders")
Job(app, "take", handler="jobs/take.handler", compute=Lambda(), timeout="1 minute",
    triggers=[OnQueue(orders, done="succeeded")])
"""


@pytest.fixture
def reads(tmp_path: Path) -> Path:
    """An app whose queue gives a message up after one delivery."""
    root = tmp_path / "reads"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(READS)
    (root / "jobs" / "take.py").write_text("def handler(payload): print(f'has {payload}')\n")
    return root


def states(endpoint: str) -> list[str]:
    """Of the mappings that read for the job."""
    found = root_client(endpoint, "lambda").list_event_source_mappings()["EventSourceMappings"]
    return [each["State"] for each in found if ":reads_work_take" in each["FunctionArn"]]


def test_a_message_that_comes_after_a_kill_waits_for_who_runs_it(
    reads: Path, endpoint: str
) -> None:
    options = ("--endpoint", endpoint, "--stage", "work")
    with DevProcess(reads, *options) as first:
        first.wait_for(r"^Ready")
        eventually(lambda: states(endpoint) == ["Enabled"])
        first.send(signal.SIGKILL)
        first.wait()
    eventually(lambda: states(endpoint) == ["Disabled"])
    sqs = root_client(endpoint, "sqs")
    (url,) = [each for each in sqs.list_queues()["QueueUrls"] if "OrdersQueue" in each]
    sqs.send_message(QueueUrl=url, MessageBody='"it"')
    with DevProcess(reads, *options) as second:
        second.wait_for(r"has it")
        assert second.interrupt() == 0
    assert states(endpoint) == ["Disabled"]


def test_a_cloud_that_ends_with_a_killed_dev_keeps_that_nothing_is_read(reads: Path) -> None:
    with DevProcess(reads, "--local", "--stage", "work") as dev:
        dev.wait_for(r"^Ready")
        endpoint = endpoint_of(reads)
        eventually(lambda: states(endpoint) == ["Enabled"])
        dev.send(signal.SIGKILL)
        dev.wait()
    eventually(lambda: has_ended(reads / ".devbridge" / "cloud"))
    assert command(reads, "cloud", "start").returncode == 0
    try:
        assert states(endpoint_of(reads)) == ["Disabled"]
    finally:
        assert command(reads, "cloud", "stop").returncode == 0
