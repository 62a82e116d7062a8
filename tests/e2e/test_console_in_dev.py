"""The console's server half as a page sees it: live, over a restart, alone, and of a deployed
stage."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dev_process import DevProcess, clean_environment, run
from tests.unit.console.stages import Browser, Stream

APP = """\
from devbridge import App, Job, OnQueue, Queue, Secret

app = App("seen")
orders = Queue(app, "orders")
Secret(app, "key")  # dev does without its value
Job(app, "divide", handler="jobs/divide.handler", retries=1, triggers=[OnQueue(orders)])
Job(app, "slow", handler="jobs/slow.handler")
"""
DIVIDE = """\
def handler(payload):
    print("dividing <b>10</b>")
    return 10 // payload["num"]
"""
SLOW = """\
import time

def handler(payload):
    for step in range(600):
        print("step", step, flush=True)
        time.sleep(0.1)
"""
LINK = r"^Console +(http://127\.0\.0\.1:\d+/\?token=\S+)$"
LOCAL = ("--local", "--stage", "work")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "seen"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "jobs" / "divide.py").write_text(DIVIDE)
    (root / "jobs" / "slow.py").write_text(SLOW)
    return root


def link_of(dev: DevProcess) -> str:
    dev.wait_for(r"^Ready")
    return dev.wait_for(LINK)[1]


async def becomes(stream: Stream, run_id: str, *states: str) -> Any:
    """The run when it is in one of these states."""
    while True:
        row = await stream.until("run")
        if row["id"] == run_id and row["state"] in states:
            return row


async def started(browser: Browser, job: str, payload: str, **more: Any) -> Any:
    answer = await browser.post("/api/runs", {"job": job, "payload": payload, **more})
    assert answer.status == 201, answer
    return answer.json()


async def got(browser: Browser, path: str) -> Any:
    answer = await browser.get(path)
    assert answer.status == 200, answer
    return answer.json()


async def test_a_run_appears_fails_is_understood_replayed_and_cancelled(app: Path) -> None:
    with DevProcess(app, *LOCAL) as dev:
        browser = await Browser.by(await asyncio.to_thread(link_of, dev))
        stream = await browser.listen()
        await fails_and_is_replayed(browser, stream)
        await comes_by_a_trigger(browser, stream)
        await is_watched_and_cancelled(browser, stream)
        await has_a_stage(browser)
        await tells_what_is_broken(browser, stream, app)
        stream.close()
        # Another browser comes in by a link of its own.
        again = await asyncio.to_thread(run, app, "console", "--no-browser", *LOCAL)
        found = re.search(LINK, again.stdout, re.M)
        assert found, again
        assert (await (await Browser.by(found[1])).get("/api/runs")).status == 200
        assert dev.interrupt() == 0
    assert browser.cookie.partition("=")[2] not in dev.text


async def fails_and_is_replayed(browser: Browser, stream: Stream) -> None:
    run_id = (await started(browser, "divide", '{"num": 0}'))["id"]
    row = await becomes(stream, run_id, "FAILED")
    assert row["error"].startswith("ZeroDivisionError: ")
    detail = await got(browser, f"/api/runs/{run_id}")
    (frame,) = detail["failure"]["frames"]
    assert frame["own"]
    assert [3, '    return 10 // payload["num"]'] in frame["source"]
    first, second = detail["attempts"]
    assert (first["state"], second["state"], first["line"]) == ("FAILED", "FAILED", 0)
    where = f"/api/runs/{run_id}/log?from={second['line']}&count=2"
    mark, printed = (await got(browser, where))["lines"]
    assert (mark, printed) == ("--- devbridge: attempt 2 of 2", "dividing <b>10</b>")
    answer = await browser.post(f"/api/runs/{run_id}/replay", {"payload": '{"num": 2}'})
    replayed = answer.json()["id"]
    await becomes(stream, replayed, "SUCCEEDED")
    again = await got(browser, f"/api/runs/{replayed}")
    assert (again["result"], again["payload"], again["previous"]) == ("5", '{"num":2}', run_id)
    counted = await browser.post("/api/bulk", {"action": "replay", "filter": {"state": "FAILED"}})
    assert counted.json()["count"] == 1


async def comes_by_a_trigger(browser: Browser, stream: Stream) -> None:
    sent = await started(browser, "divide", '{"num": 5}', trigger="queue orders")
    await becomes(stream, sent["id"], "SUCCEEDED")
    found = await got(browser, "/api/runs?trigger=queue%20orders&text=NUM")
    assert [(each["id"], each["payload"]) for each in found["runs"]] == [(sent["id"], '{"num": 5}')]
    letters = await got(browser, "/api/dead-letters")
    assert ("divide", 0) in [(each["queue"], each["messages"]) for each in letters]


async def is_watched_and_cancelled(browser: Browser, stream: Stream) -> None:
    run_id = (await started(browser, "slow", "null"))["id"]
    watching = await browser.listen(f"?run={run_id}")
    while (await watching.until("log"))["total"] < 3:
        pass
    assert (await got(browser, f"/api/runs/{run_id}/log?find=STEP%201"))["line"] == 1
    if sys.platform == "linux":
        while not (used := await got(browser, f"/api/runs/{run_id}/usage")):
            await watching.until("log")
        assert used[0][2] > 1 << 20
    watching.close()
    assert (await browser.post(f"/api/runs/{run_id}/cancel", {})).json()["was"] == "RUNNING"
    await becomes(stream, run_id, "CANCELLED")
    found = await got(browser, "/api/runs?log=Step%200")
    assert [each["id"] for each in found["runs"]] == [run_id]


async def has_a_stage(browser: Browser) -> None:
    stage = await got(browser, "/api/stage")
    assert (stage["app"], stage["stage"], stage["live"], stage["problems"]) == (
        "seen",
        "work",
        True,
        [],
    )
    assert "OrdersQueue" in {output["name"] for output in stage["outputs"]}
    assert "AWS::SQS::Queue" in {part["type"] for part in stage["resources"]}
    assert {"name": "key", "set": False} in stage["secrets"]
    (deployment,) = stage["deployments"]
    assert deployment["what"] == "create complete"
    assert "OrdersQueue" in {change["name"] for change in deployment["changes"]}


async def tells_what_is_broken(browser: Browser, stream: Stream, app: Path) -> None:
    (app / "jobs" / "divide.py").write_text("def handler(payload:\n")
    broken = None
    while broken is None:
        await stream.until("functions")
        divide, _ = await got(browser, "/api/functions")
        broken = divide["broken"]
    assert broken["file"] == str(app / "jobs" / "divide.py")
    assert (broken["line"], broken["column"], broken["text"]) == (1, 12, "def handler(payload:")
    (app / "jobs" / "divide.py").write_text(DIVIDE)
    while divide["broken"] is not None:
        await stream.until("functions")
        divide, _ = await got(browser, "/api/functions")
    assert divide["last_error"].startswith("ZeroDivisionError")


async def test_a_page_goes_on_when_the_daemon_was_killed_and_is_back(app: Path) -> None:
    with DevProcess(app, *LOCAL) as dev:
        browser = await Browser.by(await asyncio.to_thread(link_of, dev))
        stream = await browser.listen()
        run_id = (await started(browser, "divide", '{"num": 5}'))["id"]
        await becomes(stream, run_id, "SUCCEEDED")
        last = stream.last
        dev.send(signal.SIGKILL)
        dev.wait()
        async with asyncio.timeout(60):
            await stream.reader.read()
    with DevProcess(app, *LOCAL) as dev:
        await asyncio.to_thread(link_of, dev)
        again = await browser.listen(last=last)
        assert [(await again.event())[0], (await again.event())[0]] == ["hello", "reset"]
        assert [each["id"] for each in (await got(browser, "/api/runs"))["runs"]] == [run_id]
        again.close()
        assert dev.interrupt() == 0
    with alone(app, *LOCAL) as link:
        other = await Browser.by(link)
        assert [each["id"] for each in (await got(other, "/api/runs"))["runs"]] == [run_id]
        detail = await got(other, f"/api/runs/{run_id}")
        assert (detail["result"], detail["log"]["complete"]) == ("2", True)
        assert (await got(browser, "/api/runs"))["total"] == 1, "its cookie is the stage's"
        refused = await other.post("/api/runs", {"job": "divide", "payload": "1"})
        assert (refused.status, refused.json()["error"]["type"]) == (502, "CloudNotRunning")


async def test_a_deployed_stage_is_seen_as_a_live_one_is(app: Path) -> None:
    where = ("--local", "--stage", "prod")
    assert run(app, "cloud", "start").returncode == 0
    try:
        text = (app / "app.py").read_text()
        (app / "app.py").write_text(text.replace("Secret(app", "# Secret(app"))
        deployed = await asyncio.to_thread(run, app, "deploy", "--yes", *where)
        assert deployed.returncode == 0, deployed.stderr
        with alone(app, *where) as link:
            browser = await Browser.by(link)
            stream = await browser.listen()
            await stream.event()
            one = (await started(browser, "divide", '{"num": 5}'))["id"]
            await becomes(stream, one, "SUCCEEDED")
            two = (await started(browser, "divide", '{"num": 0}'))["id"]
            await becomes(stream, two, "FAILED")
            await pages_of_the_deployed(browser, one, two)
            stream.close()
    finally:
        run(app, "cloud", "stop")


async def pages_of_the_deployed(browser: Browser, one: str, two: str) -> None:
    newest = await got(browser, "/api/runs?limit=1")
    assert [each["id"] for each in newest["runs"]] == [two]
    older = await got(browser, f"/api/runs?limit=1&after={newest['after']}")
    assert [each["id"] for each in older["runs"]] == [one]
    failed = await got(browser, "/api/runs?state=FAILED&text=zerodivision")
    assert [each["id"] for each in failed["runs"]] == [two]
    detail = await got(browser, f"/api/runs/{two}")
    assert detail["failure"]["type"] == "ZeroDivisionError"
    assert detail["previous"] == one
    log = await got(browser, f"/api/runs/{two}/log")
    assert "dividing <b>10</b>" in log["lines"]
    assert log["complete"]
    assert (await got(browser, "/api/stage"))["live"] is False


@contextmanager
def alone(app: Path, *options: str) -> Iterator[str]:
    """`devbridge console`, while the block looks; its link."""
    given = [sys.executable, "-m", "devbridge", "console", "--no-browser", *options]
    with subprocess.Popen(
        given, cwd=app, env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.search(LINK, line)
            assert found, line
            yield found[1]
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
