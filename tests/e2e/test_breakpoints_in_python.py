"""`devbridge dev --debug`: a debugger stops live Python jobs at their lines."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from devbridge.errors import EXIT_INTERPRETER
from tests.dap import debugging
from tests.e2e.breakpoints import start, status
from tests.e2e.dev_process import PYTHON, DevProcess, clean_environment, run, run_line
from tests.e2e.test_console_in_dev import LINK
from tests.unit.console.stages import Browser
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(240)

APP = """\
from devbridge import App, Job

app = App("stops")
for name in ("count", "other"):
    Job(app, name, handler=f"jobs/{name}.handler", timeout="2 seconds", retries=0)
Job(app, "patient", handler="jobs/other.handler", timeout="1 hour", retries=0)
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
import os, time


def handler(payload, context):
    while not os.path.exists(payload):
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
            endless = start(app, "other", "/never")
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


def test_the_console_opens_to_debuggers_what_was_started_without(app: Path) -> None:
    async def opened(link: str) -> Any:
        browser = await Browser.by(link)
        return (await browser.post("/api/debug", {})).json()

    file = app / "jobs/count.py"
    with DevProcess(app, "--local", "--stage", "dev") as dev:
        dev.wait_for(r"^Ready", deadline=180)
        before = start(app, "count", {"to": 4})
        dev.wait_for(run_line(before, "Done"))
        assert status(app, before)["result"]["debugpy"] == []
        told = asyncio.run(opened(dev.wait_for(LINK)[1]))
        (configuration,) = told["attach"]
        assert configuration["connect"] == session(dev)["connect"]
        with debugging(configuration) as editor:
            for _ in range(2):  # the worker that waited, and one that came later
                job_id = start(app, "count", {"to": 4})
                process = editor.next_process()
                process.attach({file: [line_of(file.read_text())]})
                process.stopped().go_on()
                dev.wait_for(run_line(job_id, "Done"))
                process.event("terminated")


def test_in_vs_codes_terminal_an_editor_attaches_by_itself_and_to_what_runs_already(
    app: Path, tmp_path: Path
) -> None:
    """The contract of VS Code's Python Debugger: it attaches to what the file says, once there is
    one. (Not tried: VS Code itself.)"""
    endpoints = tmp_path / "endpoint.txt"
    endpoints.write_text("an earlier session's")
    environment = {"VSCODE_DEBUGPY_ADAPTER_ENDPOINTS": str(endpoints)}
    dev = DevProcess(
        app, "--local", "--stage", "dev", "--debug", "--launch-json", environment=environment
    )
    with dev:
        dev.wait_for(r"^Ready", deadline=180)
        port = int(dev.wait_for(r"^Debugger 127\.0\.0\.1:(\d+): VS Code attaches by itself$")[1])
        assert json.loads(endpoints.read_text()) == {"client": {"host": "127.0.0.1", "port": port}}
        dev.wait_for(r'\.vscode/launch\.json has "devbridge: Python"$')
        configurations = json.loads((app / ".vscode/launch.json").read_text())["configurations"]
        assert [each["connect"]["port"] for each in configurations] == [port]

        done = tmp_path / "done"
        job_id = start(app, "patient", str(done))
        eventually(lambda: status(app, job_id)["state"] == "RUNNING")
        file = app / "jobs/other.py"
        with debugging(configurations[0]) as editor:
            process = editor.next_process()
            process.attach({file: [line_of(OTHER)]})
            assert process.stopped().place == (file, line_of(OTHER))
            process("disconnect", terminateDebuggee=True)
            dev.wait_for(run_line(job_id, "goes on$"))
            editor("disconnect", terminateDebuggee=True)
        # No debugger ends a run; and the next one finds what it needs.
        done.touch()
        dev.wait_for(run_line(job_id, "Done"))
        with debugging(configurations[0], exceptions=["uncaught"]) as editor:
            failing = start(app, "count", {"to": 4, "fails": True})
            process = editor.next_process()
            process.attach(exceptions=["uncaught"])
            stop = process.stopped()
            assert stop.reason == "exception"
            assert process("exceptionInfo", threadId=stop.thread)["description"] == "no total: 10"
            assert stop.place[0] == app / "jobs/count.py"
            stop.go_on()
            dev.wait_for(run_line(failing, "Error +ValueError: no total: 10"))
        assert dev.interrupt() == 0
    assert not endpoints.exists()


def test_a_paused_run_can_be_cancelled_and_ctrl_c_leaves_no_process(app: Path) -> None:
    file, line = app / "jobs/count.py", line_of(COUNT)
    with DevProcess(app, "--local", "--stage", "dev", "--debug", "--grace", "0.1") as dev:
        dev.wait_for(r"^Ready", deadline=180)
        with debugging(session(dev)) as editor:
            cancelled = start(app, "count", {"to": 1})
            process = editor.next_process()
            process.attach({file: [line]})
            process.stopped()
            done = run(app, "cancel", cancelled, "--stage", "dev", "--local")
            assert done.returncode == 0, done.stdout + done.stderr
            eventually(lambda: status(app, cancelled)["state"] == "CANCELLED")
            process.event("terminated")

            paused = start(app, "count", {"to": 1})
            process = editor.next_process()
            process.attach({file: [line]})
            process.stopped()
            below = psutil.Process(dev.pid).children(recursive=True)
            assert [each for each in below if "debug_adapter.py" in " ".join(each.cmdline())]
            assert dev.interrupt() == 0
            process.wait_closed()
            editor.wait_closed()
        eventually(lambda: not [each for each in below if alive(each)])
        assert paused[:8] in dev.text


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_without_debug_no_run_has_anything_of_a_debugger(app: Path) -> None:
    with DevProcess(app, "--local", "--stage", "dev") as dev:
        dev.wait_for(r"^Ready", deadline=180)
        job_id = start(app, "count", {"to": 4})
        dev.wait_for(run_line(job_id, "Done"))
        told = status(app, job_id)
        assert told["result"] == {"total": 10, "version": "first", "debugpy": []}
        assert not [line for line in dev.lines if "Debugger" in line]
        below = psutil.Process(dev.pid).children(recursive=True)
        assert not [each for each in below if "debugpy" in " ".join(each.cmdline())]


WITHOUT_DEBUGPY = """\
import sys
from devbridge.languages.python import found_debugpy
found_debugpy._ours = lambda: ""
found_debugpy._apps = lambda python: ""
sys.argv = ["devbridge", "dev", "--local", "--stage", "dev", "--debug"]
from devbridge.__main__ import main
main()
"""


def test_without_debugpy_one_error_says_what_to_install_before_anything_is_deployed(
    app: Path,
) -> None:
    environment = {**clean_environment(), "BUNDLED_DEBUGPY_PATH": ""}
    done = subprocess.run(
        [PYTHON, "-c", WITHOUT_DEBUGPY],
        cwd=app,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == EXIT_INTERPRETER
    assert done.stdout == ""
    assert done.stderr.startswith("error: breakpoints in Python need debugpy")
    assert "pip install debugpy, or install devbridge[debug]" in done.stderr
    assert "Traceback" not in done.stderr
