"""A job that is a container: under `devbridge dev` its command runs here, without Docker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dev_process import DevProcess, command, run

APP = """\
from devbridge import App, Container, Job

app = App("container-app")
Job(
    app,
    "render",
    runtime="container",
    container=Container("render", cmd=["sh", "main.sh", "an argument"]),
    environment={"SCALE": "2 x"},
    retries=1,
    retry_delay="0 seconds",
)
"""
MAIN = """\
echo "$1, $SCALE: $DEVBRIDGE_PAYLOAD"
case "$DEVBRIDGE_PAYLOAD" in
  *fail*) exit 3 ;;
  *wait*) exec sleep 600 ;;
esac
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("containers") / "app"
    (root / "render").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "render" / "main.sh").write_text(MAIN)
    (root / "render" / "Dockerfile").write_text("FROM alpine\nCOPY main.sh .\n")
    yield root
    run(root, "cloud", "stop")  # `deploy --local` leaves it running


@pytest.fixture(scope="module")
def dev(app: Path) -> Iterator[DevProcess]:
    with DevProcess(app, "--local", "--stage", "live", "--grace", "1") as process:
        process.wait_for("^Ready")
        yield process


def cli(app: Path, *arguments: str) -> dict[str, Any]:
    done = command(app, *arguments, "--stage", "live", "--local", "--json")
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_command_runs_in_its_folder_with_the_payload_in_its_environment(
    app: Path, dev: DevProcess
) -> None:
    ended = cli(app, "invoke", "render", "--payload", '{"a": "ü \'x\'"}', "--wait")
    assert (ended["state"], ended["result"]) == ("SUCCEEDED", None)
    logged = command(app, "logs", ended["id"], "--stage", "live").stdout
    assert logged == 'an argument, 2 x: {"a":"ü \'x\'"}\n'


def test_an_exit_code_is_a_failure_and_is_tried_again(app: Path, dev: DevProcess) -> None:
    ended = cli(app, "invoke", "render", "--payload", '"fail"', "--wait")
    assert (ended["state"], ended["attempt"]) == ("FAILED", 2)
    assert ended["error"] == {
        "type": "CommandFailed",
        "message": "the command exited with code 3",
    }


def test_a_running_command_is_cancelled(app: Path, dev: DevProcess) -> None:
    job_id = cli(app, "invoke", "render", "--payload", '"wait"')["id"]
    dev.wait_for(rf"{job_id[:8]} .*an argument, 2 x")
    cli(app, "cancel", job_id)
    assert cli(app, "wait", job_id)["state"] == "CANCELLED"


def test_a_saved_script_is_what_the_next_run_runs(app: Path, dev: DevProcess) -> None:
    (app / "render" / "main.sh").write_text("echo changed\n")
    ended = cli(app, "invoke", "render", "--payload", "1", "--wait")
    assert command(app, "logs", ended["id"], "--stage", "live").stdout == "changed\n"


def test_deployed_to_the_embedded_cloud_its_run_says_that_no_containers_run_there(
    app: Path, dev: DevProcess
) -> None:
    deployed = command(app, "deploy", "--local", "--stage", "prod", "--yes")
    assert deployed.returncode == 0, deployed.stderr
    assert "the embedded cloud runs no containers" in deployed.stdout
    done = command(
        app, "invoke", "render", "--payload", "1", "--wait", "--json", "--stage", "prod", "--local"
    )
    ended = json.loads(done.stdout)
    assert ended["state"] == "CRASHED"
    assert "containers" in ended["error"]["message"]
