"""How a stage is started and ended, with doubles of its process and its cloud."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from devbridge.config import Config
from devbridge.constructs import App
from devbridge.emulator import state
from devbridge.errors import CloudError, DevbridgeError, EmbeddedCloudFailed
from devbridge.pytest_plugin import apps, start
from devbridge.pytest_plugin.start import started
from tests.unit.pytest_plugin.projects import Project


class Process:
    """It is ready at once, or fails."""

    made: ClassVar[list[Process]] = []
    fails: ClassVar[DevbridgeError | None] = None

    def __init__(self, config: Config) -> None:
        self.config = config
        self.stopped = False
        self.made.append(self)

    def wait_until_ready(self, warn: Callable[[str], None]) -> None:
        warn("something is odd")
        if self.fails:
            raise self.fails

    def check(self) -> None: ...

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all temporary folders."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def app(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setattr(start, "install", lambda python, say: say("installing"))
    monkeypatch.setattr(start, "StageProcess", Process)
    monkeypatch.setattr(Process, "made", [])
    monkeypatch.setattr(state, "read", lambda _: None)
    return apps.load(Project(tmp_path / "app").root)


def begin(app: App, said: list[str] | None = None) -> Any:
    with started(app, ([] if said is None else said).append) as stage:
        return stage


def test_how_the_cloud_is_installed_is_said(app: App) -> None:
    said: list[str] = []
    with pytest.warns(UserWarning, match="odd"), pytest.raises(DevbridgeError):
        begin(app, said)
    assert said == ["installing"]


def test_a_cloud_that_cannot_be_installed_leaves_no_folder(
    app: App, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(*_: object) -> None:
        raise EmbeddedCloudFailed("no network")

    monkeypatch.setattr(start, "install", install)
    with pytest.raises(EmbeddedCloudFailed, match="no network"):
        begin(app)
    assert (Process.made, list(temporary.iterdir())) == ([], [])


def test_a_stage_that_does_not_start_is_ended(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "fails", CloudError("refused"))
    with pytest.warns(UserWarning, match="odd"), pytest.raises(CloudError, match="refused"):
        begin(app)
    assert [process.stopped for process in Process.made] == [True]


def test_a_cloud_that_has_gone_in_between_is_an_error_and_the_stage_is_ended(app: App) -> None:
    with pytest.warns(UserWarning, match="odd"), pytest.raises(DevbridgeError, match="is gone"):
        begin(app)
    assert Process.made[0].stopped


def test_whatever_a_test_raises_the_stage_is_ended_and_its_connections_are_closed(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    cloud = SimpleNamespace(
        endpoint_url="http://127.0.0.1:1",
        region="us-east-1",
        clients=SimpleNamespace(close=lambda: closed.append(True)),
    )
    running = SimpleNamespace(endpoint_url=cloud.endpoint_url)
    monkeypatch.setattr(state, "read", lambda _: running)
    monkeypatch.setattr(start, "connect", lambda *_: cloud)
    values = {"JobAddUpInvoker": "f", "TableNotesTable": "the-notes"}
    monkeypatch.setattr(start, "stack_values", lambda *_: values)
    monkeypatch.setattr(start, "settings_of", lambda _: None)
    monkeypatch.setattr(start, "environment", lambda *_: {"NAME": "value"})

    def test() -> None:
        with started(app, print) as stage:
            assert stage.outputs == values
            assert stage.names["NAME"] == "value"
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="odd"), pytest.raises(KeyboardInterrupt):
        test()
    assert closed == [True]
    assert Process.made[0].stopped
    assert Process.made[0].config.state is not None
