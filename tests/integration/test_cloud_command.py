"""`devbridge cloud`, run as a command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from devbridge.cli.cloud import cloud
from devbridge.cloud.embedded import attach, healthy, stop_running
from devbridge.config import Config
from devbridge.errors import EXIT_CLOUD, EmbeddedCloudFailed


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
    assert status.output == "the embedded cloud does not run\n"
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
    assert run("stop").output == "the embedded cloud does not run\n"
    assert json.loads(run("status", "--json").stdout)["running"] is False
