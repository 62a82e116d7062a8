"""The process of a test session's stage is real; what runs in it is a line of Python."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbridge.config import Config
from devbridge.errors import DevbridgeError, EmbeddedCloudFailed
from devbridge.pytest_plugin import process
from devbridge.pytest_plugin.process import StageProcess
from devbridge.runs.ledger_file import LedgerError

Start = Callable[[str], StageProcess]
READY = 'print(\'{"ready": ""}\', file=words, flush=True)\n'
UNTIL_THE_END = "sys.stdin.read()\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    state.mkdir()
    return state


@pytest.fixture
def start(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    made: list[StageProcess] = []

    def start(script: str) -> StageProcess:
        head = "import os, sys\nwords = os.fdopen(int(sys.argv[3]), 'w')\n"
        monkeypatch.setattr(process, "COMMAND", (sys.executable, "-S", "-c", head + script))
        root, python = state.parent, Path(sys.executable)
        made.append(StageProcess(Config(root=root, stage="pytest", python=python, state=state)))
        return made[-1]

    yield start
    for each in made:
        each.stop()


def test_what_is_wrong_and_goes_on_is_told_until_it_is_ready(start: Start) -> None:
    warned: list[str] = []
    warning = 'print(\'{"warning": "odd"}\', file=words)\n'
    start(warning + READY + warning + UNTIL_THE_END).wait_until_ready(warned.append)
    assert warned == ["odd"]


def test_an_error_comes_as_it_was_raised_there(start: Start) -> None:
    error = '{"class": "EmbeddedCloudFailed", "what": "no", "where": "here", "remedy": null}'
    with pytest.raises(EmbeddedCloudFailed, match="no") as raised:
        start(f"print({error!r}, file=words)\n").wait_until_ready(print)
    assert (raised.value.where, raised.value.remedy) == ("here", None)


def test_an_error_of_a_class_that_errors_does_not_have_is_one_of_devbridge(start: Start) -> None:
    error = f'{{"class": "{LedgerError.__name__}", "what": "no", "where": null, "remedy": null}}'
    with pytest.raises(DevbridgeError, match="no"):
        start(f"print({error!r}, file=words)\n").wait_until_ready(print)


def test_an_end_without_a_word_is_told_with_the_last_lines_of_its_log(start: Start) -> None:
    with pytest.raises(DevbridgeError, match="ended while it was starting, after:") as raised:
        start("raise SystemError('a fault')\n").wait_until_ready(print)
    assert "SystemError: a fault" in raised.value.what
    assert str(raised.value.where).endswith("exit code 1")


def test_that_it_has_ended_by_itself_is_noticed(start: Start) -> None:
    running = start(READY + UNTIL_THE_END)
    running.wait_until_ready(print)
    running.check()
    running.stop()
    with pytest.raises(DevbridgeError, match="has ended by itself"):
        running.check()


def test_why_it_has_ended_by_itself_is_told(start: Start) -> None:
    error = '{"class": "EmbeddedCloudFailed", "what": "gone", "where": null, "remedy": null}'
    running = start(f"{READY}sys.stdin.read(1)\nprint({error!r}, file=words)\n")
    running.wait_until_ready(print)
    assert running._process.stdin is not None
    running._process.stdin.close()
    running._process.wait()
    with pytest.raises(EmbeddedCloudFailed, match="gone"):
        running.check()


def test_at_the_end_its_input_ends_and_its_folder_is_gone(start: Start, state: Path) -> None:
    note = state.parent / "note"
    running = start(f"{READY}{UNTIL_THE_END}open({str(note)!r}, 'w').write('ended')\n")
    running.wait_until_ready(print)
    running.stop()
    assert note.read_text() == "ended"
    assert not state.exists()
    running.stop()


def test_what_does_not_end_by_itself_is_killed(
    start: Start, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.01)
    running = start(READY + "while True: pass\n")
    running.wait_until_ready(print)
    running.stop()
    assert not state.exists()
