from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from runner import command
from runner.command import CommandFailed, PayloadTooLarge, handler


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    def run(*words: str, payload: object = None) -> None:
        monkeypatch.setenv("DEVBRIDGE_COMMAND", json.dumps(words))
        monkeypatch.setenv("DEVBRIDGE_COMMAND_DIR", str(tmp_path))
        handler(payload)

    return run


def shell(run: object, script: str, payload: object = None) -> None:
    run("sh", "-c", script, payload=payload)  # type: ignore[operator]


def test_the_payload_is_in_its_environment_as_json_and_what_is_ours_is_not(
    run: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "_HANDLER", "OWN"):
        monkeypatch.setenv(name, "x")
    shell(run, 'printf %s "$DEVBRIDGE_PAYLOAD" > payload; env > environment', {"num": "ü"})
    assert (tmp_path / "payload").read_text() == '{"num":"ü"}'
    names = {line.partition("=")[0] for line in (tmp_path / "environment").read_text().split("\n")}
    assert not {*command._OURS} & names
    assert "OWN" in names


@pytest.mark.parametrize(
    ("script", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_an_exit_code_is_a_failure_and_a_signal_counts_as_in_a_shell(
    run: object, script: str, code: int
) -> None:
    with pytest.raises(CommandFailed, match=f"^the command exited with code {code}$"):
        shell(run, script)


def test_success_is_silent(run: object) -> None:
    shell(run, "exit 0")


def test_a_command_that_is_not_there_or_not_to_be_run_is_told(
    run: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("")
    for word, code in (("not-there-at-all", 127), (str(tmp_path / "text"), 126)):
        with pytest.raises(CommandFailed, match=f"code {code}"):
            run(word)  # type: ignore[operator]
        assert capsys.readouterr().err.startswith(f"runner: {word}: ")


def test_a_payload_is_as_large_as_an_environment_may_be(run: object, tmp_path: Path) -> None:
    largest = "x" * (command.MAX_PAYLOAD - 2)
    shell(run, 'printf %s "$DEVBRIDGE_PAYLOAD" | wc -c > size', largest)
    assert int((tmp_path / "size").read_text()) == command.MAX_PAYLOAD == 8192
    with pytest.raises(PayloadTooLarge, match="8,193 bytes; a container job takes 8,192"):
        shell(run, "exit 0", largest + "x")


def test_sigterm_is_the_commands_to_decide_and_ours_again_afterwards(
    run: object, tmp_path: Path
) -> None:
    script = f"import os, signal; os.kill({os.getpid()}, signal.SIGTERM)"
    run(sys.executable, "-c", script)  # type: ignore[operator]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
