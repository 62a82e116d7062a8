"""The commands that need a cloud, on the embedded one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import main
from devbridge.cloud.session import Cloud
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.emulator.state import Running, attach
from devbridge.runs.lock import only_one

EXAMPLE = Path(__file__).parents[2] / "examples" / "factorial"

Devbridge = Callable[..., Result]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "app"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".devbridge", "__pycache__"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def devbridge(app: Path, embedded: Running, monkeypatch: pytest.MonkeyPatch) -> Devbridge:
    """Runs a command on the embedded cloud, at stage `test`."""

    def run(*arguments: str, answer: str | None = None) -> Result:
        monkeypatch.setattr("devbridge.cli.deploying.has_terminal", lambda: answer is not None)
        there = ("--stage", "test", "--endpoint", embedded.endpoint_url)
        return CliRunner().invoke(main, [*arguments, *there], input=answer)

    return run


@pytest.fixture
def deployed(app: Path, local_cloud: Cloud) -> None:
    deploy(Request(load_app(app), local_cloud, stage="test", mode="dev"))


def test_before_the_first_deployment_each_command_says_so(devbridge: Devbridge) -> None:
    for arguments in (["outputs"], ["remove", "--yes"], ["invoke", "factorial"]):
        result = devbridge(*arguments)
        assert result.exit_code == errors.EXIT_NOT_FOUND, result.output
        assert "devbridge dev" in result.stderr


@pytest.mark.usefixtures("deployed")
def test_outputs_are_printed_with_the_apis_url_first(devbridge: Devbridge) -> None:
    first, *_ = devbridge("outputs").output.splitlines()
    name, url = first.split()
    assert url.startswith("http://")
    assert next(iter(json.loads(devbridge("outputs", "--json").output).items())) == (name, url)


@pytest.mark.usefixtures("deployed")
def test_invoking_with_no_daemon_anywhere_is_the_invokers_own_error(devbridge: Devbridge) -> None:
    result = devbridge("invoke", "factorial", "--payload", '{"num": 5}')
    assert result.exit_code == errors.EXIT_INVOKE, result.output
    assert "no devbridge is connected to factorial-demo" in result.stderr


@pytest.mark.usefixtures("deployed")
def test_remove_says_what_it_removes_asks_and_removes_it(
    devbridge: Devbridge, local_cloud: Cloud
) -> None:
    declined = devbridge("remove", answer="n\n")
    assert declined.exit_code == errors.EXIT_ERROR
    assert "AWS::DynamoDB::Table" in declined.stdout
    assert "nothing was changed" in declined.stderr
    assert local_cloud.client("dynamodb").list_tables()["TableNames"]

    removed = devbridge("remove", answer="y\n")
    assert removed.exit_code == 0, removed.output
    assert removed.stdout.endswith("removed: app factorial-demo, stage test\n")
    assert local_cloud.client("dynamodb").list_tables()["TableNames"] == []


@pytest.mark.usefixtures("deployed")
def test_remove_refuses_while_devbridge_dev_runs_the_stage(
    devbridge: Devbridge, make_config: Callable[..., Config], app: Path
) -> None:
    config = make_config(app)
    config.make_dirs()
    with only_one(config.lock, "test"):
        result = devbridge("remove", "--yes")
    assert result.exit_code == errors.EXIT_ALREADY_RUNNING
    assert devbridge("outputs").exit_code == 0


def test_remove_starts_an_embedded_cloud_that_does_not_run_and_stops_it(
    app: Path, make_config: Callable[..., Config]
) -> None:
    result = CliRunner().invoke(main, ["remove", "--local", "--yes", "--stage", "test"])
    assert result.exit_code == errors.EXIT_NOT_FOUND, result.output
    assert "not deployed" in result.stderr
    config = make_config(app)
    assert (config.cloud_dir / "ministack.log").exists()
    assert attach(config) is None


def test_other_commands_do_not_start_an_embedded_cloud(app: Path) -> None:
    result = CliRunner().invoke(main, ["outputs", "--local"])
    assert result.exit_code == errors.EXIT_CLOUD
    assert "devbridge dev --local" in result.stderr
