"""`devbridge dev --debug`: a debugger stops live Python jobs at their lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dap import debugging
from tests.e2e.dev_process import DevProcess, run, run_line
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(240)

APP = """\
from devbridge import App, Job

app = App("stops")
for name in ("count", "other"):
    Job(app, name, handler=f"jobs/{name}.handler", timeout="2 seconds", retries=0)
"""
COUNT = """\
import sys


def handler(payload, context):
    total = sum(range(payload["to"] + 1))
    counted = {"total": total, "version": "VERSION"}  # here
    if payload.get("fails"):
        raise ValueError(f"no total: {total}")
    if context.get_remaining_time_in_millis() == 0:
        raise SystemExit("no time is left")
    return {**counted, "debugpy": sorted(name for name in sys.modules if "pydev" in name)[:1]}
"""
OTHER = """\
import time


def handler(payload, context):
    until = time.monotonic() + 600
    while time.monotonic() < until:
        time.sleep(0.01)  # here
    return payload
"""


def write(app: Path, version: str, *, above: int = 0) -> int:
    """Save the handler, with so many lines more above it; the line to stop at."""
    text = "# a line above\n" * above + COUNT.replace("VERSION", version)
    (app / "jobs/count.py").write_text(text)
    return line_of(text)


def line_of(text: str) -> int:
    (found,) = [n for n, line in enumerate(text.splitlines(), 1) if line.endswith("# here")]
    return found


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "jobs/other.py").write_text(OTHER)
    write(root, "first")
    yield root
    run(root, "cloud", "stop")


def start(app: Path, job: str, payload: object = None) -> str:
    done = run(
        app, "invoke", job, "--payload", json.dumps(payload), "--stage", "dev", "--local", "--json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["id"])


def status(app: Path, job_id: str) -> dict[str, Any]:
    done = run(app, "status", job_id, "--json", "--stage", "dev", "--local")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def session(dev: DevProcess) -> dict[str, Any]:
    """How an editor attaches to what `devbridge dev` says."""
    port = dev.wait_for(r"^Debugger 127\.0\.0\.1:(\d+)")[1]
    return {"connect": {"host": "127.0.0.1", "port": int(port)}}


def test_a_breakpoint_stops_a_live_job_whose_time_does_not_pass_then(app: Path) -> None:
    file = app / "jobs/count.py"
    with DevProcess(app, "--local", "--stage", "dev", "--debug") as dev:
        dev.wait_for(r"^Ready", deadline=180)
        with debugging(session(dev)) as editor:
            # Hot reload: the breakpoint is one of the new code.
            mark = dev.mark
            line = write(app, "second", above=3)
            dev.wait_for("Reloaded count", after=mark)
            job_id = start(app, "count", {"to": 4})
            process = editor.next_process()
            process.attach({file: [line]})
            stop = process.stopped()
            assert (stop.reason, stop.place) == ("breakpoint", (file, line))
            assert stop.locals["total"] == "10"
            assert int(stop.evaluate("context.get_remaining_time_in_millis()")) > 0
            dev.wait_for(run_line(job_id, f"paused at jobs/count.py:{line}$"))

            # A run with the same timeout, which begins now, runs out of it.
            endless = start(app, "other")
            other = editor.next_process()
            other.attach()
            eventually(lambda: status(app, endless)["state"] == "TIMED_OUT")
            other.event("terminated")
            assert status(app, job_id)["state"] == "RUNNING"
            after = stop.step()
            assert after.place == (file, line + 1)
            assert "second" in after.locals["counted"]
            after.go_on()
            dev.wait_for(run_line(job_id, "goes on$"))
            dev.wait_for(run_line(job_id, "Done"))
            process.event("terminated")
        told = status(app, job_id)
        assert told["state"] == "SUCCEEDED"
        assert (told["result"]["total"], told["result"]["version"]) == (10, "second")
        assert run(app, "logs", job_id, "--stage", "dev", "--local").stdout == ""
