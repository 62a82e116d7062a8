from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from devbridge.config import Config
from devbridge.emulator import state
from devbridge.emulator.inside import child
from devbridge.emulator.ports import free_port
from devbridge.emulator.state import Running, attach, healthy


def test_nothing_answers_on_a_free_port() -> None:
    assert not healthy(free_port())


def test_a_listener_that_never_answers_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not healthy(server.getsockname()[1], timeout=0.05)


def test_there_is_nothing_to_attach_to_in_a_new_folder(make_config: Callable[..., Config]) -> None:
    config = make_config()
    assert attach(config) is None
    assert not config.cloud_dir.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"port": 1}'])
def test_a_damaged_state_file_is_no_running_cloud(
    make_config: Callable[..., Config], text: str
) -> None:
    config = make_config()
    config.make_dirs()
    (config.cloud_dir / "state.json").write_text(text)
    assert attach(config) is None


def test_the_state_of_a_cloud_that_is_gone_is_removed(make_config: Callable[..., Config]) -> None:
    config = make_config()
    config.make_dirs()
    file = state.state_file(config.cloud_dir)
    file.write_text(json.dumps({"port": free_port(), "pid": 1, "started_at": 0.0}))
    assert attach(config) is None
    assert not file.exists()


def test_a_cloud_that_holds_its_lock_but_does_not_answer_keeps_its_state(
    make_config: Callable[..., Config],
) -> None:
    config = make_config()
    config.make_dirs()
    state.write(config.cloud_dir, Running(free_port(), 1, 0.0))
    lock = state.try_lock(config.cloud_dir, fcntl.LOCK_EX)
    assert lock is not None
    try:
        assert not state.has_ended(config.cloud_dir)
        assert attach(config) is None
        assert state.state_file(config.cloud_dir).exists()
    finally:
        os.close(lock)
    assert state.has_ended(config.cloud_dir)


def test_of_two_who_want_the_lock_one_gets_it(tmp_path: Path) -> None:
    first = state.try_lock(tmp_path, fcntl.LOCK_EX)
    assert first is not None
    assert state.try_lock(tmp_path, fcntl.LOCK_EX) is None
    os.close(first)
    second = state.try_lock(tmp_path, fcntl.LOCK_EX)
    assert second is not None
    os.close(second)


def test_what_is_written_is_read_until_it_is_forgotten(tmp_path: Path) -> None:
    running = Running(4566, 12, 1.5, detached=True, code="abc")
    state.write(tmp_path, running)
    assert state.read(tmp_path) == running
    assert running.endpoint_url == "http://127.0.0.1:4566"
    state.forget(tmp_path)
    state.forget(tmp_path)
    assert state.read(tmp_path) is None


def test_only_the_very_process_that_was_told_to_stay_stays(tmp_path: Path) -> None:
    assert not state.stays(tmp_path, 12)
    state.write(tmp_path, Running(4566, 12, 1.5))
    assert not state.stays(tmp_path, 12)
    state.write(tmp_path, Running(4566, 12, 1.5, detached=True))
    assert state.stays(tmp_path, 12)
    assert not state.stays(tmp_path, 13)


def test_the_fingerprint_of_the_code_is_the_same_until_a_file_of_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gate").mkdir()
    for name in ("child.py", "gate/gate.py", "gate/in_it.mjs"):
        (tmp_path / name).write_text("a = 1\n")
    monkeypatch.setattr(child, "__file__", str(tmp_path / "child.py"))
    before = state.code_of_inside()
    assert state.code_of_inside() == before
    (tmp_path / "gate" / "gate.py").write_text("a = 2\n")
    after = state.code_of_inside()
    assert after != before
    (tmp_path / "gate" / "in_it.mjs").write_text("a = 2\n")
    assert state.code_of_inside() not in (before, after)
