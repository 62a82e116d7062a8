"""What the console is for: a call fails, and a breakpoint in its replay shows why."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dap import debugging
from tests.e2e.console.conftest import Console
from tests.e2e.console.test_functions import editor, run_of
from tests.e2e.console.test_runs import expect_text
from tests.e2e.dev_process import DevProcess, run, run_line

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

APP = """\
from devbridge import Api, App, Job

app = App("story")
split = Job(app, "split", handler="jobs/split.handler", timeout="2 seconds", retries=0)
Api(app, "api", bind=[split], routes={"POST /split": "api/start.handler"})
"""
START = """\
import json

from devbridge.job import Job


def handler(event, context):
    return {"statusCode": 202, "body": Job.split.run(payload=json.loads(event["body"])).job_id}
"""
SPLIT = """\
from dataclasses import dataclass

from devbridge.job import job_handler


@dataclass
class Bill:
    total: int
    guests: int


@job_handler("split")
def handler(payload: Bill) -> int:
    print(f"splitting {payload.total}")
    each = payload.total // payload.guests
    return each
"""
LINE = SPLIT.splitlines().index("    each = payload.total // payload.guests") + 1


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("story") / "app"
    for name, text in {"app.py": APP, "api/start.py": START, "jobs/split.py": SPLIT}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    yield root
    run(root, "cloud", "stop")


def test_a_call_that_fails_is_understood_at_a_breakpoint_of_its_replay(
    console: Console, dev: DevProcess, app: Path, pictures: Path
) -> None:
    page = console.open("/runs")
    url = dev.wait_for(r"^ApiUrl\s+(http\S+)")[1]
    called = urllib.request.Request(  # noqa: S310 - the embedded cloud's own
        f"{url}/split",
        json.dumps({"total": 90, "guests": 0}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(called) as answer:  # noqa: S310
        failed = answer.read().decode()

    # It appears, fails, and its page begins with the error, at the developer's own line.
    page.locator(f'[data-id="{failed}"]', has_text="failed").click()
    error = page.get_by_label("Error", exact=True)
    error.get_by_text("ZeroDivisionError").first.wait_for()
    error.get_by_text("each = payload.total // payload.guests").first.wait_for()
    page.screenshot(path=pictures / "story-error.png")

    # Its payload is edited; what runs is opened to debuggers, and one attaches.
    page.keyboard.press("e")
    editor(page, '{"total": 90, "guests": 3}')
    page.get_by_role("button", name="Debug", exact=True).click()
    port = int(dev.wait_for(r"^Debugger 127\.0\.0\.1:(\d+)")[1])
    with debugging({"connect": {"host": "127.0.0.1", "port": port}}) as debugger:
        page.keyboard.press("Control+Enter")
        replay = run_of(page)
        process = debugger.next_process()
        process.attach({app / "jobs/split.py": [LINE]})

        # It stops there, both say so, and its two seconds do not pass.
        stop = process.stopped()
        assert stop.place == (app / "jobs/split.py", LINE)
        dev.wait_for(run_line(replay, f"paused at jobs/split.py:{LINE}$"))
        expect_text(page, ".run-bar .state", "paused")
        expect_text(page, ".run-bar .paused", f"jobs/split.py:{LINE}")
        page.screenshot(path=pictures / "story-paused.png")
        after = stop.step()
        assert (after.place[1], after.locals["each"]) == (LINE + 1, "30")
        after.go_on()

        # It succeeds.
        expect_text(page, ".run-bar .state", "succeeded")
        page.get_by_label("Result", exact=True).get_by_text("30").wait_for()
        dev.wait_for(run_line(replay, "Done"))
    page.screenshot(path=pictures / "story-succeeded.png")
