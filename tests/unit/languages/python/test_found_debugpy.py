from __future__ import annotations

import sys
import venv
from pathlib import Path

import debugpy
import pytest

from devbridge.errors import EXIT_INTERPRETER, InterpreterError
from devbridge.languages.python import found_debugpy
from devbridge.languages.python.found_debugpy import BUNDLED, debugpy_folder

OURS = Path(debugpy.__file__).parent


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BUNDLED, raising=False)
    found_debugpy._found.cache_clear()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The interpreter of an environment in which nothing is installed."""
    venv.create(tmp_path / "venv", symlinks=True)
    return tmp_path / "venv/bin/python"


def package(folder: Path) -> Path:
    (folder / "debugpy").mkdir(parents=True)
    (folder / "debugpy/__init__.py").write_text("")
    return folder / "debugpy"


def test_the_apps_own_comes_first(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert debugpy_folder(Path(sys.executable)) == OURS
    (packages,) = bare.parent.parent.glob("lib/python*/site-packages")
    own = package(packages)
    monkeypatch.setenv(BUNDLED, str(OURS))
    assert debugpy_folder(bare) == own


def test_devbridges_own_serves_an_app_that_has_none(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(BUNDLED, str(package(tmp_path / "vscode")))
    assert debugpy_folder(bare) == OURS


def test_vs_codes_terminal_has_one_too(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(found_debugpy, "_ours", lambda: "")
    monkeypatch.setenv(BUNDLED, str(package(tmp_path / "vscode")))
    assert debugpy_folder(bare) == tmp_path / "vscode/debugpy"


@pytest.mark.parametrize("bundled", ["", "/nowhere"])
def test_where_there_is_none_it_is_said_what_to_install(
    bare: Path, monkeypatch: pytest.MonkeyPatch, bundled: str
) -> None:
    monkeypatch.setattr(found_debugpy, "_ours", lambda: "")
    monkeypatch.setenv(BUNDLED, bundled)
    for python in (bare, Path("/no/python")):
        with pytest.raises(InterpreterError, match="need debugpy") as raised:
            debugpy_folder(python)
        assert f"{python} -m pip install debugpy" in str(raised.value)
        assert "devbridge[debug]" in str(raised.value)
        assert raised.value.exit_code == EXIT_INTERPRETER
