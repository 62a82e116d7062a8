"""A full disk, a ledger or a folder that goes: nothing is lost, and it is said."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from devbridge.errors import EXIT_CLOUD, EXIT_INVOKE, EXIT_NOT_WRITTEN
from tests.e2e.dev_process import DevProcess, command, processes_of, run, run_line
from tests.waiting import eventually, gone

HANDLER = """\
import time
from pathlib import Path

def slow(payload):
    print("began", flush=True)
    while not Path(payload).exists():
        time.sleep(0.02)
    return "unharmed"

def echo(payload):
    return len(payload)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(
        dedent("""\
            from devbridge import App, Job

            app = App("weather")
            Job(app, "slow", handler="jobs/work.slow")
            Job(app, "echo", handler="jobs/work.echo")
            """)
    )
    (root / "jobs" / "work.py").write_text(HANDLER)
    return root


@pytest.fixture
def small_disk(app: Path) -> Iterator[Path]:
    """The app's .devbridge on a disk of its own, of 16 MB."""
    disk = app / ".devbridge"
    disk.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here: only root may")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte on that disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler


def invoke(app: Path, job: str, payload: object) -> subprocess.CompletedProcess[str]:
    return command(app, "invoke", job, "--payload", "-", "--json", stdin=json.dumps(payload))


def row(app: Path, job_id: str) -> dict[str, Any]:
    listed = command(app, "jobs", "--json", "--limit", "100")
    (found,) = [row for row in json.loads(listed.stdout) if row["id"] == job_id]
    return dict(found)


def test_a_full_disk_refuses_new_runs_and_lets_what_runs_end(
    app: Path, small_disk: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready")
        assert invoke(app, "echo", "warm").returncode == 0
        slow = json.loads(invoke(app, "slow", str(go)).stdout)["id"]
        dev.wait_for(r"began$")
        filler = fill(small_disk)

        refused = invoke(app, "echo", "x" * 200_000)
        assert refused.returncode == EXIT_INVOKE, refused.stdout + refused.stderr
        assert "was not taken" in refused.stderr
        assert "QUEUED" not in refused.stdout
        dev.wait_for("new runs are refused until it can")
        go.touch()
        dev.wait_for(run_line(slow, "Done .*unharmed"))

        filler.unlink()
        dev.wait_for("can be written again")
        assert row(app, slow)["state"] == "SUCCEEDED"
        taken = json.loads(invoke(app, "echo", "x" * 200_000).stdout)["id"]
        dev.wait_for(run_line(taken, "Done .*200000"))
        assert dev.text.count("are refused") == 1
        assert dev.interrupt() == 0
        assert "Traceback" not in dev.text
    assert row(app, slow)["state"] == "SUCCEEDED"


def test_what_has_ended_on_a_full_disk_is_known_after_devbridge_was_stopped_there(
    app: Path, small_disk: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready")
        slow = json.loads(invoke(app, "slow", str(go)).stdout)["id"]
        dev.wait_for(r"began$")
        filler = fill(small_disk)
        go.touch()
        dev.wait_for(run_line(slow, "Done .*unharmed"))
        assert dev.interrupt() == 0
    filler.unlink()
    assert row(app, slow)["state"] == "SUCCEEDED"
    with DevProcess(app, "--local") as again:
        again.wait_for(r"^Ready")
        assert "nothing to deploy: the stage is up to date" in again.text


def test_on_a_full_disk_what_was_queued_survives_and_what_could_not_be_kept_is_not_queued(
    app: Path, small_disk: Path
) -> None:
    assert run(app, "cloud", "start").returncode == 0
    try:
        with DevProcess(app, "--local") as dev:
            dev.wait_for(r"^Ready")
            assert invoke(app, "echo", "warm").returncode == 0
            assert dev.interrupt() == 0
        queued = json.loads(invoke(app, "echo", "abc").stdout)
        assert queued["state"] == "QUEUED"
        filler = fill(small_disk)
        refused = invoke(app, "echo", "defg")
        assert refused.returncode == EXIT_INVOKE, refused.stdout
        assert "no room to keep" in refused.stderr
    finally:
        run(app, "cloud", "stop")
    filler.unlink()
    with DevProcess(app, "--local") as again:
        again.wait_for(run_line(queued["id"], "Done .*result 3"))
        assert again.interrupt() == 0
    assert "result 4" not in again.text


def test_a_ledger_that_is_deleted_while_dev_runs_is_made_again_with_what_runs_and_waits(
    app: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with DevProcess(app, "--local", "--concurrency", "1") as dev:
        dev.wait_for(r"^Ready")
        slow = json.loads(invoke(app, "slow", str(go)).stdout)["id"]
        dev.wait_for(r"began$")
        waits = json.loads(invoke(app, "echo", "abc").stdout)["id"]
        for file in next((app / ".devbridge").glob("*/ledger.sqlite")).parent.glob("ledger.*"):
            file.unlink()
        dev.wait_for("the ledger was deleted or moved: a fresh one is used")
        assert row(app, slow)["state"] == "RUNNING"
        assert row(app, waits)["state"] == "QUEUED"
        go.touch()
        dev.wait_for(run_line(waits, "Done .*result 3"))
        assert dev.interrupt() == 0
    assert {row(app, job_id)["state"] for job_id in (slow, waits)} == {"SUCCEEDED"}


def test_a_damaged_ledger_is_set_aside_at_the_start(app: Path) -> None:
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready")
        assert dev.interrupt() == 0
    ledger = next((app / ".devbridge").glob("*/ledger.sqlite"))
    os.truncate(ledger, 5000)
    with DevProcess(app, "--local") as dev:
        dev.wait_for("the ledger cannot be opened: .*it is set aside as .*set-aside")
        dev.wait_for(r"^Ready")
        assert invoke(app, "echo", "abc").returncode == 0
        assert dev.interrupt() == 0


def test_when_its_folder_is_removed_dev_says_so_and_ends_and_nothing_turns_to_aws(
    app: Path,
) -> None:
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready")
        shutil.rmtree(app / ".devbridge", ignore_errors=True)
        assert dev.wait() == EXIT_NOT_WRITTEN
        assert "error: the folder of this stage is gone" in dev.text
        assert "Traceback" not in dev.text
    eventually(lambda: not processes_of(app))
    for asked in (("invoke", "echo", "--payload", "1"), ("outputs",), ("secrets", "list")):
        done = command(app, *asked)
        assert done.returncode == EXIT_CLOUD, done.stderr
        assert "is on the embedded cloud of this app, which is not running" in done.stderr
        assert "devbridge dev --local" in done.stderr
    with DevProcess(app, "--local") as again:
        again.wait_for(r"^Ready")
        assert invoke(app, "echo", "abc").returncode == 0
        pid = again.pid
        assert again.interrupt() == 0
    assert gone(pid)


ENV = {"forked": {}, "fresh": {"PYTHONHASHSEED": "1"}}
"""A job's environment; of some variables only a fresh interpreter takes notice."""
LIMITS = "import resource; print('limits', resource.getrlimit(resource.RLIMIT_NOFILE))\n"


@pytest.mark.skipif(not shutil.which("prlimit"), reason="needs prlimit, of util-linux")
def test_with_too_few_descriptors_runs_wait_and_none_fails(app: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with DevProcess(app, "--local", "--concurrency", "100") as dev:
        dev.wait_for(r"^Ready")
        used = len(list(Path(f"/proc/{dev.pid}/fd").iterdir()))
        limit = f"--nofile={used + 24}:{used + 24}"
        subprocess.run(["prlimit", "--pid", str(dev.pid), limit], check=True)
        asked = [json.loads(invoke(app, "slow", str(go)).stdout)["id"] for _ in range(12)]
        dev.wait_for("no worker can be started now: Too many open files; what is asked for waits")
        go.touch()
        for job_id in asked:
            dev.wait_for(run_line(job_id, "Done .*unharmed"))
        dev.wait_for("workers can be started again")
        assert dev.interrupt() == 0
    assert "Failed" not in dev.text
    assert "goes on without" not in dev.text
    assert "never retrieved" not in dev.text
    assert "Traceback" not in dev.text


@pytest.mark.parametrize("job", ["forked", "fresh"])
def test_a_run_has_the_limits_of_the_shell_whatever_devbridge_has(app: Path, job: str) -> None:
    with (app / "app.py").open("a") as file:
        file.write(f"Job(app, 'limits', handler='jobs/limits.handler', environment={ENV[job]})\n")
    (app / "jobs" / "limits.py").write_text(f"def handler(payload):\n    {LIMITS}    return 0\n")
    soft, hard = 512, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with DevProcess(app, "--local", files=(soft, hard)) as dev:
        dev.wait_for(r"^Ready")
        assert resource.prlimit(dev.pid, resource.RLIMIT_NOFILE)[0] > soft
        assert invoke(app, "limits", None).returncode == 0
        dev.wait_for(rf"limits \({soft}, {hard}\)")
        assert dev.interrupt() == 0
