"""A stage is live or deployed, and goes from one to the other only when that is meant."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.errors import EXIT_ALREADY_RUNNING, EXIT_NOT_CONFIRMED
from tests.e2e.dev_process import DevProcess, client, command, run

EXAMPLE = Path(__file__).parents[2] / "examples" / "factorial"
STAGE = ("--stage", "both", "--local")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "app"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("__pycache__", ".devbridge"))
    run(root, "cloud", "start")
    yield root
    run(root, "cloud", "stop")


def answered(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def invoke(app: Path) -> Any:
    payload = ("--payload", '{"num": 5}', "--wait", "--json")
    return answered(command(app, "invoke", "factorial", *payload, *STAGE))


def test_dev_and_deploy_take_over_each_others_stage_only_with_consent(app: Path) -> None:
    with DevProcess(app, *STAGE) as dev:
        dev.wait_for("^Ready")
        live = invoke(app)
        busy = command(app, "deploy", "--yes", *STAGE)
        assert busy.returncode == EXIT_ALREADY_RUNNING, busy.stderr
        assert dev.interrupt() == 0
    table = answered(command(app, "outputs", "--json", *STAGE))["NotesTable"]

    refused = command(app, "deploy", *STAGE)
    assert refused.returncode == EXIT_NOT_CONFIRMED
    assert "makes a stage of `devbridge dev` a deployed one" in refused.stderr
    done = command(app, "deploy", "--yes", *STAGE)
    assert done.returncode == 0, done.stderr
    built = invoke(app)
    assert (built["state"], built["result"]) == ("SUCCEEDED", 120)
    assert ":" in built["id"]
    assert ":" not in live["id"]

    with DevProcess(app, *STAGE) as dev:
        assert dev.wait() == EXIT_NOT_CONFIRMED
        assert "is a deployed one: its jobs and functions run in the cloud" in dev.text
    with DevProcess(app, *STAGE, "--yes") as dev:
        dev.wait_for("^Ready")
        # The build has read its payload and deleted it, and still it can be run again, live.
        again = answered(command(app, "rerun", built["id"], "--wait", "--json", *STAGE))
        assert ":" not in again["id"]
        assert (again["state"], again["result"]) == ("SUCCEEDED", 120)
        assert command(app, "result", built["id"], *STAGE).stdout == "120\n"
        # Both kinds of runs are still known, each by its id.
        for run_id in (live["id"], built["id"]):
            told = answered(command(app, "status", run_id, "--json", *STAGE))
            assert (told["id"], told["state"]) == (run_id, "SUCCEEDED")
    assert answered(command(app, "outputs", "--json", *STAGE))["NotesTable"] == table


def test_a_deployed_stage_keeps_its_data_when_it_is_removed_unless_told(app: Path) -> None:
    assert command(app, "deploy", "--yes", *STAGE).returncode == 0
    table = answered(command(app, "outputs", "--json", *STAGE))["NotesTable"]
    invoke(app)
    asked = command(app, "remove", *STAGE)
    assert asked.returncode == EXIT_NOT_CONFIRMED
    removed = command(app, "remove", "--yes", *STAGE)
    assert removed.returncode == 0, removed.stderr
    assert f"AWS::DynamoDB::Table  {table}" in removed.stdout.partition("kept in")[2]
    assert command(app, "deploy", "--yes", *STAGE).returncode == 0
    assert answered(command(app, "outputs", "--json", *STAGE))["NotesTable"] != table
    assert client(app, "dynamodb").scan(TableName=table)["Count"] == 1
    gone = command(app, "remove", "--yes", "--delete-data", *STAGE)
    assert gone.returncode == 0, gone.stderr
    assert "kept in" not in gone.stdout
    nothing = command(app, "remove", "--yes", "--delete-data", *STAGE)
    assert nothing.returncode == 5, nothing.stdout
