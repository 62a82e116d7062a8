"""Buildspecs, run by a shell."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import yaml  # type: ignore[import-untyped]

from devbridge.deploy.synth.compute.buildspecs import BUILDSPEC, container_buildspec


def test_the_build_exports_how_the_run_has_ended() -> None:
    spec = yaml.safe_load(BUILDSPEC)
    assert spec["version"] == 0.2
    assert spec["env"]["exported-variables"] == [
        *("DEVBRIDGE_STATE", "DEVBRIDGE_RESULT", "DEVBRIDGE_ERROR", "DEVBRIDGE_ATTEMPT"),
        "DEVBRIDGE_STARTED",
    ]
    assert spec["phases"]["build"]["commands"] == ["python3 runner run"]


def run_buildspec(folder: Path, cmd: list[str], delays: list[float]) -> tuple[int, str]:
    """What a container's build does, with what it exports as its last line of output."""
    (script,) = json.loads(container_buildspec(cmd, delays))["phases"]["build"]["commands"]
    told = 'echo "$DEVBRIDGE_STATE|$DEVBRIDGE_ATTEMPT|$DEVBRIDGE_ERROR"'
    done = subprocess.run(
        ["/bin/sh", "-c", f"{script}\ncode=$?\n{told}\nexit $code"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "DEVBRIDGE_PAYLOAD": '{"a": 1}'},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stdout


def test_a_command_gets_its_arguments_and_payload_as_they_are(tmp_path: Path) -> None:
    cmd = ["sh", "-c", 'printf "%s\\n" "$0" "$DEVBRIDGE_PAYLOAD"', "a 'b' $HOME\n\"c\""]
    code, output = run_buildspec(tmp_path, cmd, [])
    assert (code, output) == (0, "a 'b' $HOME\n\"c\"\n" + '{"a": 1}\nSUCCEEDED|1|\n')


def test_a_command_that_fails_is_tried_again_and_then_tells_its_exit_code(tmp_path: Path) -> None:
    code, output = run_buildspec(tmp_path, ["sh", "-c", "echo x; exit 3"], [0, 0.01])
    assert code != 0
    *lines, told = output.splitlines()
    assert lines == ["x", "x", "x"]
    state, attempt, error = told.split("|")
    assert (state, attempt) == ("FAILED", "3")
    assert json.loads(error) == {
        "type": "CommandFailed",
        "message": "the command exited with code 3",
    }


def test_a_command_knows_which_attempt_it_is_and_how_many_there_are(tmp_path: Path) -> None:
    told = 'echo "$DEVBRIDGE_ATTEMPT of $DEVBRIDGE_MAX_ATTEMPTS"; exit 1'
    _, output = run_buildspec(tmp_path, ["sh", "-c", told], [0, 0])
    assert output.splitlines()[:3] == ["1 of 3", "2 of 3", "3 of 3"]


def test_a_command_that_succeeds_at_last_has_succeeded(tmp_path: Path) -> None:
    cmd = ["sh", "-c", "[ -f again ] || { touch again; exit 1; }"]
    assert run_buildspec(tmp_path, cmd, [0, 0]) == (0, "SUCCEEDED|2|\n")
