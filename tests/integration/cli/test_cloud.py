"""`devbridge cloud`, run as a command."""

from __future__ import annotations

import json
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from devbridge.cli.cloud import cloud
from devbridge.cloud import keys
from devbridge.cloud.session import connect
from devbridge.config import Config
from devbridge.emulator.embedded import stop_running
from devbridge.emulator.state import attach, healthy
from devbridge.errors import EXIT_CLOUD, CloudNotRunning, EmbeddedCloudFailed, UnknownRun
from tests.integration.codebuild import CodeBuild, buildspec
from tests.waiting import eventually, gone, text_of


@pytest.fixture
def run(make_config: Callable[..., Config], tmp_path: Path) -> Iterator[Callable[..., Result]]:
    config = make_config()

    def command(*arguments: str) -> Result:
        return CliRunner().invoke(cloud, [*arguments, "--app", str(tmp_path)])

    yield command
    with suppress(EmbeddedCloudFailed):
        stop_running(config)


def test_it_is_started_looked_at_and_stopped(
    run: Callable[..., Result], make_config: Callable[..., Config]
) -> None:
    status = run("status")
    assert status.output == "the embedded cloud is not running\n"
    assert status.exit_code == EXIT_CLOUD
    started = run("start")
    assert started.exit_code == 0, started.output
    running = attach(make_config())
    assert running
    assert started.stdout == f"the embedded cloud runs at {running.endpoint_url}\n"
    again = run("start")
    assert again.stdout == started.stdout
    assert json.loads(run("status", "--json").stdout) == {
        "running": True,
        "endpoint": running.endpoint_url,
        "pid": running.pid,
        "startedAt": json.loads(run("status", "--json").stdout)["startedAt"],
        "detached": True,
        "usedBy": [],
        "log": str(make_config().cloud_dir / "ministack.log"),
    }
    assert f"endpoint  {running.endpoint_url}\n" in run("status").output
    assert run("stop").output == "the embedded cloud has stopped\n"
    assert not healthy(running.port)
    assert run("stop").output == "the embedded cloud is not running\n"
    assert json.loads(run("status", "--json").stdout)["running"] is False


SHOW = """\
import os, sys, botocore.session
made = botocore.session.get_session().create_client("sts")
print(made.get_caller_identity()["Arn"], os.environ.get("AWS_PROFILE"), os.environ["MINE"])
sys.exit(7)
"""


def test_a_shell_and_a_command_use_it_as_root(
    run: Callable[..., Result],
    make_config: Callable[..., Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(run("env").exception, CloudNotRunning)
    assert run("start").exit_code == 0
    for name, value in {
        "AWS_PROFILE": "prod",
        "AWS_SESSION_TOKEN": "theirs",
        "AWS_ENDPOINT_URL_STS": "https://prod.example",
        "MINE": "kept",
    }.items():
        monkeypatch.setenv(name, value)
    shown = "arn:aws:iam::000000000000:root None kept\n"
    program = (sys.executable, "-c", SHOW)
    devbridge = (sys.executable, "-m", "devbridge", "cloud")

    def output(*command: str) -> tuple[int, str]:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert output(*devbridge, "exec", "--", *program) == (7, shown)
    shell = f'eval "$({shlex.join(devbridge)} env)"; {shlex.join(program)}'
    assert output("sh", "-c", shell) == (7, shown)
    secret = keys.of_endpoint("http://127.0.0.1:1", make_config().cloud_dir).secret_key
    assert secret == "test"  # of a cloud that is not ours
    own = keys.root_key(make_config().cloud_dir)
    assert own
    folder = make_config().state_dir
    holding = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and own.secret_key.encode() in path.read_bytes()
    ]
    assert holding == ["cloud/root-key.json"]
    assert stat.S_IMODE((folder / holding[0]).stat().st_mode) == 0o600
    assert own.secret_key not in repr(own)


def test_what_runs_is_listed_and_its_machine_can_be_taken_away(
    run: Callable[..., Result], make_config: Callable[..., Config], tmp_path: Path
) -> None:
    assert isinstance(run("running").exception, CloudNotRunning)
    run("start")
    running = attach(make_config())
    assert running
    assert run("running").stdout == ""
    mark = tmp_path / "pid"
    builds = CodeBuild(connect(make_config(), running.endpoint_url))
    variable = {"name": "DEVBRIDGE_RUN_ID", "value": "project:0a1b"}
    builds.make_project(buildspec(f"echo $$ > {mark}; sleep 1000"), variables=[variable])
    builds.start()
    pid = int(text_of(mark))
    (machine,) = json.loads(run("running", "--json").stdout)
    assert (machine["compute"], machine["run"]) == ("codebuild", "project:0a1b")
    assert run("running").stdout.endswith("  project:0a1b\n")
    unknown = run("interrupt", "other").exception
    assert isinstance(unknown, UnknownRun)
    assert "nothing runs that is called other" in unknown.what
    assert "`devbridge dev`" in str(unknown.remedy)
    assert run("interrupt", "0a1", "--kill").stdout == "killed project:0a1b\n"
    eventually(lambda: gone(pid))
    eventually(lambda: run("running").stdout == "")
