"""The examples' own types are right, by mypy and by pyright, called as their READMEs say."""

from __future__ import annotations

import re
import shutil
from itertools import islice
from pathlib import Path

import pytest

from tests.e2e.readme import Terminal, outputs
from tests.integration.example import EXAMPLES

MORE = ("background-jobs", "zip-files", "train")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy has read of the libraries of one example need not be read again for the next."""
    return tmp_path_factory.mktemp("mypy")


def copied(example: str, folder: Path) -> Terminal:
    """A terminal in a copy of an example."""
    ignored = shutil.ignore_patterns(".*", "typings", "__pycache__", "node_modules", "*-env.d.ts")
    shutil.copytree(EXAMPLES / example, folder / example, ignore=ignored)
    return Terminal(folder / example, replaced={})


@pytest.mark.parametrize(
    "example",
    [
        *("factorial", "etl"),
        *(pytest.param(name, marks=pytest.mark.matrix) for name in MORE),
    ],
)
def test_an_example_s_types_are_right(
    example: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYPY_CACHE_DIR", str(cache))
    stubs, mypy, pyright = outputs(copied(example, tmp_path).follow("Check its types"))
    assert "wrote " in stubs
    assert mypy.splitlines()[-1].startswith("Success: no issues found")
    assert pyright.splitlines()[-1] == "0 errors, 0 warnings, 0 informations"


@pytest.mark.parametrize("example", ["factorial-ts", "mixed"])
def test_an_example_s_types_are_right_in_typescript(
    example: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYPY_CACHE_DIR", str(cache))
    terminal = copied(example, tmp_path)
    outputs(terminal.follow("Set up"))
    types, tsc, *mypy = outputs(terminal.follow("Check its types"))
    assert re.search(r"^wrote .*/devbridge-env\.d\.ts$", types, re.M)
    assert tsc == ""
    assert all(each.startswith("Success: no issues found") for each in mypy)
    assert bool(mypy) == (example == "mixed")


@pytest.mark.parametrize(
    ("example", "wrong", "said"),
    [
        ("factorial-ts", "payload: { num: String(num) } }", "api/start.ts(11,58): error TS2322"),
        ("factorial-ts", "payload: { number: num } }", "api/start.ts(11,58): error TS2353"),
        ("mixed", 'payload: { text, at_most: "2" } }', "api/count.ts(7,60): error TS2322"),
    ],
)
def test_an_example_s_wrong_payload_is_marked_in_typescript(
    example: str, wrong: str, said: str, tmp_path: Path
) -> None:
    terminal = copied(example, tmp_path)
    outputs(terminal.follow("Set up"))
    file = terminal.folder / said.partition("(")[0]
    text, count = re.subn(r"payload: \{.*?\} \}", wrong, file.read_text())
    assert count == 1
    file.write_text(text)
    types, tsc = islice(terminal.follow("Check its types"), 2)
    assert types.code == 0
    assert tsc.output.splitlines()[0].startswith(said)


def test_an_example_s_wrong_payload_for_typescript_is_marked_in_python(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYPY_CACHE_DIR", str(cache))
    terminal = copied("mixed", tmp_path)
    outputs(terminal.follow("Set up"))
    file = terminal.folder / "api/call.py"
    file.write_text(file.read_text().replace('"times": 2', '"times": "2"'))
    *_, mypy = terminal.follow("Check its types")
    assert mypy.output.startswith("api/call.py:14: error: Incompatible types")
    assert 'TypedDict item "times" has type "float"' in mypy.output
