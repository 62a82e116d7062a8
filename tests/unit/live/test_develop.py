from __future__ import annotations

import logging
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.errors import AlreadyRunning, CloudError
from devbridge.live import develop, serving
from devbridge.live.ready import CLOUD_STAYS
from devbridge.runs.find import is_deployed
from devbridge.runs.lock import only_one

from .desk import Desk, desk_in


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_in(tmp_path, monkeypatch)


def test_it_deploys_then_serves_and_ends_the_cloud_that_it_has_started(desk: Desk) -> None:
    said = desk.run()
    assert desk.steps == [
        "cloud",
        "connect http://127.0.0.1:1",
        "ask yes=False",
        "deploy demo {'a': {}}",
        "serve embedded=True",
        "cloud ends",
    ]
    assert said[0].endswith(": app demo, stage ann, on the embedded cloud")
    assert said[1:] == ["Stopped"]
    desk.config.ledger.touch()
    assert not is_deployed(desk.config)


@pytest.mark.parametrize(
    ("options", "endpoint", "where"),
    [
        ({"local": False}, None, "AWS"),
        ({"local": False, "endpoint": "http://x"}, "http://x", "http://x"),
        ({"local": True, "endpoint": "http://x"}, "http://x", "the embedded cloud"),
    ],
)
def test_a_cloud_that_is_there_is_not_started(
    desk: Desk, options: dict[str, Any], endpoint: str | None, where: str
) -> None:
    desk.options = options
    said = desk.run(yes=True)
    assert desk.steps[0] == f"connect {endpoint}"
    assert desk.steps[1] == "ask yes=True"
    assert desk.steps[-1] == "serve embedded=False"
    assert said[0].endswith(f", on {where}")


def test_a_deployment_that_fails_is_not_served_and_leaves_no_cloud_behind(desk: Desk) -> None:
    desk.error = CloudError("no such bucket")
    with pytest.raises(CloudError):
        desk.run()
    assert desk.steps[-1] == "cloud ends"
    assert "Stopped" not in desk.developer.said
    with only_one(desk.config.lock, "ann"):
        pass  # nobody holds the stage


def test_a_stage_that_somebody_else_runs_is_left_alone(desk: Desk) -> None:
    desk.config.make_dirs()
    with (
        only_one(desk.config.lock, "ann"),
        pytest.raises(AlreadyRunning),
    ):
        desk.run()
    assert desk.steps == []


@pytest.mark.parametrize("detached", [True, False])
def test_a_cloud_that_goes_on_is_said_to(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, detached: bool
) -> None:
    monkeypatch.setattr(develop, "attach", lambda _: SimpleNamespace(detached=detached))
    assert (CLOUD_STAYS in desk.run()) == detached


def test_variables_that_the_shell_does_not_have_are_warned_of(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERE", "1")
    desk.options["env"] = ("THERE", "NOT_THERE", "GIVEN=1")
    warnings = [line for line in desk.run() if "your shell has no" in line]
    assert len(warnings) == 1
    assert "--env NOT_THERE: your shell has no NOT_THERE" in warnings[0]


def test_with_verbose_all_that_is_logged_meanwhile_goes_to_a_private_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("devbridge.somewhere")

    async def served(*_: object) -> None:
        log.warning("something is odd")

    monkeypatch.setattr(serving, "serve", served)
    desk.options["verbose"] = True
    path = desk.config.stage_dir / "debug.log"
    assert f"debug log: {path}" in desk.run()
    log.warning("too late")
    text = path.read_text()
    assert "something is odd" in text
    assert "too late" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_until_the_embedded_cloud_is_started_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; before = set(sys.modules)\nimport devbridge.live.develop\n"
        "print(' '.join(sys.modules.keys() - before))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"boto3", "botocore", "troposphere", "msgspec", "paho", "sqlite3", "yaml"}
    ours = {"devbridge.live.serving", "devbridge.daemon.daemon", "devbridge.deploy.stage"}
    assert not (heavy | ours) & set(run.stdout.split())
