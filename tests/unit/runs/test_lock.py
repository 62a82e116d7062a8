from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

from devbridge.config import Config
from devbridge.errors import AlreadyRunning
from devbridge.runs.lock import daemon_runs, only_one


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = Config(root=tmp_path, stage="ann", python=Path(sys.executable))
    config.make_dirs()
    return config


def held(path: Path, command: str) -> contextlib.ExitStack:
    """Another holder of the lock, until it is closed."""
    holder = contextlib.ExitStack()
    holder.enter_context(only_one(path, "ann", command))
    return holder


def test_a_deployment_under_way_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = tmp_path / "lock", list[str]()
    holder = held(path, "deploy")
    monkeypatch.setattr("devbridge.runs.lock.sleep", lambda _: holder.close())
    with only_one(path, "ann", "remove", told.append):
        assert "remove" in path.read_text()
    (text,) = told
    assert text.startswith("`devbridge deploy` changes the stage ann now, as process")


def test_devbridge_dev_that_takes_it_meanwhile_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = tmp_path / "lock", list[str]()
    holder = held(path, "deploy")

    def dev_is_faster(_: float) -> None:
        holder.close()
        holder.push(held(path, "dev"))

    monkeypatch.setattr("devbridge.runs.lock.sleep", dev_is_faster)
    with (
        holder,
        pytest.raises(AlreadyRunning, match=r"`devbridge dev` runs the stage ann(.|\n)*or kill"),
        only_one(path, "ann", "deploy", told.append),
    ):
        pass


def test_nobody_is_told_to_kill_a_deployment(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path, "deploy"), pytest.raises(AlreadyRunning) as caught, only_one(path, "ann"):
        pass
    assert "`devbridge deploy` changes the stage ann now" in str(caught.value)
    assert caught.value.remedy == "try again when it has ended, or choose another --stage"


def test_who_has_the_lock_is_known_although_it_has_not_written_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    with held(path, "dev"):
        path.write_text("")
        monkeypatch.setattr("devbridge.runs.lock.sleep", lambda _: path.write_text("7 deploy"))
        with pytest.raises(AlreadyRunning, match="devbridge deploy"), only_one(path, "ann"):
            pass


def test_who_had_the_lock_is_not_taken_for_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with only_one(path, "ann"):
        pass
    assert path.read_text() == ""


@pytest.mark.parametrize("text", ["", "not a number", "-", "9" * 40, "7 deploy"])
def test_a_lock_file_that_names_no_process_means_no_daemon(config: Config, text: str) -> None:
    assert not daemon_runs(config)
    config.lock.write_text(text)
    assert not daemon_runs(config)


def test_who_has_the_lock_for_dev_is_a_daemon_and_other_commands_are_not(config: Config) -> None:
    with only_one(config.lock, "ann"):
        assert daemon_runs(config)
    assert not daemon_runs(config)
    with only_one(config.lock, "ann", "deploy"):
        assert not daemon_runs(config)
