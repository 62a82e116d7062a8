from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devbridge.config import Config
from devbridge.errors import (
    EXIT_APP,
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_NOT_WRITTEN,
    EXIT_OK,
    AppFailed,
    DevbridgeError,
)
from devbridge.live import under_test
from devbridge.live.under_test import configured, main
from devbridge.live.voice import Voice

Develop = Callable[[Config, Voice, Callable[[], None]], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    root.mkdir()
    (root / "app.py").touch()
    return root


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    state.mkdir()
    return state


class Session:
    """`main`, with what the test puts in place of `devbridge dev`."""

    def __init__(self, root: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.state = root, state
        self.patch = monkeypatch
        monkeypatch.setattr(under_test, "_end_with_input", lambda: None)
        self.words: list[dict[str, Any]] = []

    def run(self, develop: Develop) -> int:
        def faked(config: Config, voice: Voice, *, yes: bool, on_ready: Callable[[], None]) -> None:
            assert yes
            develop(config, voice, on_ready)

        self.patch.setattr(under_test, "develop", faked)
        reader, writer = os.pipe()
        before = signal.getsignal(signal.SIGINT)
        try:
            code = main([str(self.root), str(self.state), str(writer)])
        finally:
            signal.signal(signal.SIGINT, before)
        os.close(writer)
        with os.fdopen(reader) as words:
            self.words = [json.loads(line) for line in words]
        return code


@pytest.fixture
def session(root: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    return Session(root, state, monkeypatch)


def test_the_apps_settings_count_but_the_place_is_the_sessions_own(
    root: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "devbridge.toml").write_text(
        'stage = "jane"\nport = 4566\nprofile = "work"\nendpoint = "http://x"\nconcurrency = 3\n'
        'python = "/no/such/python"\n'
    )
    monkeypatch.setenv("DEVBRIDGE_STAGE", "ann")
    config = configured(root, state)
    assert (config.local, config.stage, config.concurrency) == (True, "pytest", 3)
    assert (config.port, config.profile, config.endpoint) == (None, None, None)
    assert config.python == Path(sys.executable)
    assert config.cloud_dir == state / "cloud"
    assert config.ledger.is_relative_to(state)


def test_it_tells_that_it_is_ready_and_what_is_wrong(session: Session) -> None:
    def develop(config: Config, voice: Voice, on_ready: Callable[[], None]) -> None:
        voice.warn("odd")
        on_ready()

    assert session.run(develop) == EXIT_OK
    assert session.words == [{"warning": "odd"}, {"ready": ""}]


def test_an_error_is_told_with_all_its_parts(session: Session) -> None:
    def develop(*_: object) -> None:
        raise AppFailed("it raised", where="app.py:3", remedy="correct that line")

    assert session.run(develop) == EXIT_APP
    assert session.words == [
        {
            "class": "AppFailed",
            "what": "it raised",
            "where": "app.py:3",
            "remedy": "correct that line",
        }
    ]


def test_there_is_nobody_to_ask(session: Session) -> None:
    def develop(config: Config, voice: Voice, on_ready: Callable[[], None]) -> None:
        voice.confirm("delete it?", "the deployment deletes data")

    assert session.run(develop) == DevbridgeError.exit_code
    assert session.words[0]["what"] == "the deployment deletes data"


@pytest.mark.parametrize(
    ("end", "code"),
    [(None, EXIT_OK), (KeyboardInterrupt, EXIT_INTERRUPTED), (RuntimeError("a fault"), EXIT_ERROR)],
)
def test_the_sessions_folder_is_deleted_however_it_ends(
    session: Session, state: Path, end: BaseException | None, code: int
) -> None:
    def develop(config: Config, *_: object) -> None:
        config.make_dirs()
        if end is not None:
            raise end

    assert session.run(develop) == code
    assert not state.exists()


def test_what_the_system_says_is_explained_and_a_fault_is_told_whole(session: Session) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/x/y")

    def fault(*_: object) -> None:
        raise RuntimeError("a fault")

    assert session.run(full) == EXIT_NOT_WRITTEN
    assert session.words[0]["class"] == "FolderError"
    session.run(fault)
    assert 'raise RuntimeError("a fault")' in session.words[0]["what"]


def test_the_end_of_the_input_is_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    given = iter([b"ignored", b""])
    monkeypatch.setattr(os, "read", lambda *_: next(given))
    monkeypatch.setattr(os, "kill", lambda *to: sent.append(to))
    under_test._end_with_input()
    assert sent == [(os.getpid(), signal.SIGINT)]
