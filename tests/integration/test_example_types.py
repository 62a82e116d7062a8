"""The examples' own types are right, by mypy and by pyright, called as their READMEs say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.readme import Terminal, outputs
from tests.integration.example import EXAMPLES


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy has read of the libraries of one example need not be read again for the next."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize("example", ["factorial", "etl", "zip-files"])
def test_an_example_s_types_are_right(
    example: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYPY_CACHE_DIR", str(cache))
    folder = tmp_path / example
    ignored = shutil.ignore_patterns(".*", "typings", "__pycache__")
    shutil.copytree(EXAMPLES / example, folder, ignore=ignored)
    stubs, mypy, pyright = outputs(Terminal(folder, replaced={}).follow("Check its types"))
    assert "wrote " in stubs
    assert mypy.splitlines()[-1].startswith("Success: no issues found")
    assert pyright.splitlines()[-1] == "0 errors, 0 warnings, 0 informations"
