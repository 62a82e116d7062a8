from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devbridge.errors import InterpreterError
from devbridge.interpreter import verify_interpreter


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_this_interpreter_is_good() -> None:
    found = verify_interpreter(Path(sys.executable))
    assert found.version == sys.version_info[:3]
    assert found.minor == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert found.prefix == Path(sys.prefix)


def test_a_missing_interpreter_is_named(tmp_path: Path) -> None:
    with pytest.raises(InterpreterError, match="missing") as caught:
        verify_interpreter(tmp_path / "bin/python")
    assert caught.value.where == str(tmp_path / "bin/python")
    assert "python3 -m venv .venv" in str(caught.value.remedy)


def test_a_venv_whose_base_is_gone_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(tmp_path / "gone")
    with pytest.raises(InterpreterError, match="links to one that is gone"):
        verify_interpreter(tmp_path / "python")


def test_one_that_is_no_program_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("")
    with pytest.raises(InterpreterError, match="does not start"):
        verify_interpreter(tmp_path / "python")


def test_one_that_fails_shows_its_last_line(tmp_path: Path) -> None:
    python = script(tmp_path / "python", "echo 'cannot open libpython' >&2; exit 127")
    with pytest.raises(InterpreterError, match="broken: cannot open libpython"):
        verify_interpreter(python)


def test_one_that_fails_without_a_word_shows_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(InterpreterError, match="exit code 3"):
        verify_interpreter(script(tmp_path / "python", "exit 3"))


def test_one_that_is_too_old_is_told_its_version(tmp_path: Path) -> None:
    python = script(tmp_path / "python", "echo '[[3, 9, 18], \"/usr\", false]'")
    with pytest.raises(InterpreterError, match=r"is 3\.9; devbridge needs 3\.11"):
        verify_interpreter(python)


def test_one_that_hangs_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(InterpreterError, match="no answer"):
        verify_interpreter(script(tmp_path / "python", "exec sleep 60"), timeout=0.2)
