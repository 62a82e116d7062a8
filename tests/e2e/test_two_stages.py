"""Two stages of one folder, and the embedded cloud that they share."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from devbridge.config import Config
from devbridge.emulator.state import attach, healthy
from devbridge.errors import EXIT_BUILD, EXIT_CLOUD
from tests.e2e.dev_process import DevProcess, command, run, run_line
from tests.waiting import eventually

HANDLER = """\
import time
from pathlib import Path

def handler(payload):
    print("began", flush=True)
    while not Path(payload).exists():
        time.sleep(0.02)
    return "unharmed"
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(
        "from devbridge import App, Job\n\napp = App('two')\n"
        "Job(app, 'slow', handler='jobs/slow.handler')\n"
    )
    (root / "jobs" / "slow.py").write_text(HANDLER)
    return root


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_end_of_the_stage_that_started_the_cloud_leaves_the_others_job_unharmed(
    app: Path, tmp_path: Path, make_config: Callable[..., Config], number: signal.Signals
) -> None:
    with (
        DevProcess(app, "--local", "--stage", "one") as one,
        DevProcess(app, "--local", "--stage", "two") as two,
    ):
        one.wait_for(r"^Ready")
        two.wait_for(r"^Ready")
        payload = json.dumps(str(tmp_path / "go"))
        done = command(app, "invoke", "slow", "--stage", "two", "--payload", payload, "--json")
        job_id = json.loads(done.stdout)["id"]
        two.wait_for(r"began$")
        one.send(number)
        one.wait()
        if number is signal.SIGINT:
            assert "the embedded cloud goes on for devbridge dev of stage two" in one.text
        running = attach(make_config(app))
        assert running is not None
        (tmp_path / "go").touch()
        two.wait_for(run_line(job_id, "Done .*unharmed"))
        stopped = run(app, "cloud", "stop")
        assert stopped.returncode == EXIT_CLOUD
        assert f"devbridge dev of stage two, pid {two.pid}" in stopped.stderr
        assert two.interrupt() == 0
        assert "connection lost" not in two.text
    eventually(lambda: not healthy(running.port))


def test_a_stage_that_is_deployed_beside_dev_keeps_the_cloud_until_it_is_stopped(
    app: Path, make_config: Callable[..., Config]
) -> None:
    with DevProcess(app, "--local", "--stage", "one") as dev:
        dev.wait_for(r"^Ready")
        deployed = command(app, "deploy", "--local", "--stage", "prod", "--yes")
        assert deployed.returncode == 0, deployed.stderr
        assert "devbridge cloud stop" in deployed.stdout
        assert dev.interrupt() == 0
        assert "the embedded cloud goes on; stop it with: devbridge cloud stop" in dev.text
    try:
        assert attach(make_config(app)) is not None
        outputs = command(app, "outputs", "--stage", "prod", "--local")
        assert outputs.returncode == 0, outputs.stderr
    finally:
        stopped = run(app, "cloud", "stop")
    assert stopped.stdout == "the embedded cloud has stopped\n"


def test_a_deployment_that_fails_leaves_no_cloud_behind(
    app: Path, make_config: Callable[..., Config]
) -> None:
    handler = next((app / "jobs").glob("*.py"))
    handler.write_text(f"import not_installed_anywhere\n{handler.read_text()}")
    failed = command(app, "deploy", "--local", "--stage", "prod", "--yes")
    assert failed.returncode == EXIT_BUILD
    assert "'not_installed_anywhere' is imported but not installed" in failed.stderr
    assert attach(make_config(app)) is None
