from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devbridge.errors import BuildError
from devbridge.languages.python import environment
from devbridge.languages.python.environment import (
    Distribution,
    ask,
    files_for,
    overruled,
    own,
    unmet,
)

PYTHON = Path(sys.executable)


class Probe:
    """In place of the app's interpreter: answers that were read from `depends`."""

    def __init__(self, depends: list[Path]) -> None:
        self.depends = depends
        self.calls: list[dict[str, Any]] = []
        self.fails = ""

    def __call__(self, command: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        self.calls.append(options)
        answer = f'{{"depends": {[str(each) for each in self.depends]}}}'.replace("'", '"')
        return subprocess.CompletedProcess(command, int(bool(self.fails)), answer, self.fails)


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Probe:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.py").write_text("import x")
    made = Probe([tmp_path / "app", tmp_path / "app" / "a.py"])
    monkeypatch.setattr(subprocess, "run", made)
    monkeypatch.setattr(environment, "_CLOCK", 0)
    return made


def test_an_answer_is_given_again_while_what_it_was_read_from_is_as_it_was(
    probe: Probe, tmp_path: Path
) -> None:
    question = {"root": str(tmp_path / "app")}
    for _ in range(2):
        assert ask(PYTHON, question, tmp_path / "cache")["depends"] == list(map(str, probe.depends))
    assert len(probe.calls) == 1
    (tmp_path / "app" / "a.py").write_text("import other")
    ask(PYTHON, question, tmp_path / "cache")
    assert len(probe.calls) == 2
    (tmp_path / "app" / "new.py").touch()
    ask(PYTHON, question, tmp_path / "cache")
    assert len(probe.calls) == 3


def test_hidden_files_and_caches_that_come_and_go_change_no_answer(
    probe: Probe, tmp_path: Path
) -> None:
    question = {"root": str(tmp_path / "app")}
    ask(PYTHON, question, tmp_path / "cache")
    (tmp_path / "app" / ".hidden").touch()
    (tmp_path / "app" / "__pycache__").mkdir()
    ask(PYTHON, question, tmp_path / "cache")
    assert len(probe.calls) == 1


def test_what_is_saved_while_it_is_read_is_read_again(
    probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_CLOCK", 3600 * 10**9)
    for _ in range(2):
        ask(PYTHON, {"root": str(tmp_path / "app")}, tmp_path / "cache")
    assert len(probe.calls) == 2


def test_another_question_and_another_pythonpath_have_other_answers(
    probe: Probe, tmp_path: Path
) -> None:
    root = str(tmp_path / "app")
    for question in ({"root": root}, {"root": root, "names": ["x"]}, {"root": root}):
        ask(PYTHON, question, tmp_path / "cache")
    assert len(probe.calls) == 2


def test_a_damaged_cache_is_as_good_as_none(probe: Probe, tmp_path: Path) -> None:
    question = {"root": str(tmp_path / "app")}
    ask(PYTHON, question, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text("{")
    ask(PYTHON, question, tmp_path / "cache")
    assert len(probe.calls) == 2


def test_the_developers_credentials_are_not_there(
    probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    ask(PYTHON, {"root": str(tmp_path / "app")}, tmp_path / "cache")
    assert "AWS_SECRET_ACCESS_KEY" not in probe.calls[0]["env"]


def test_an_interpreter_that_fails_is_named_with_its_last_words(
    probe: Probe, tmp_path: Path
) -> None:
    probe.fails = "Traceback\nImportError: broken\n"
    with pytest.raises(BuildError, match="could not list its packages: ImportError: broken") as e:
        ask(PYTHON, {"root": str(tmp_path / "app")}, tmp_path / "cache")
    assert e.value.where == str(PYTHON)


def test_what_devbridge_itself_brings_is_in_this_very_environment() -> None:
    (found,) = own(("fastjsonschema",))
    assert found.name == "fastjsonschema"
    assert "fastjsonschema/__init__.py" in dict(found.files)
    assert found.pin == f"fastjsonschema=={found.version}"
    assert not found.binary


@pytest.mark.parametrize("suffix", [".so", ".pyd", ".dylib"])
def test_compiled_code_makes_a_distribution_one_of_this_platform(suffix: str) -> None:
    files = (("a.py", Path("/a.py")), (f"b{suffix}", Path(f"/b{suffix}")))
    assert Distribution("a", "1", files).binary
    assert files_for([Distribution("a", "1", files)], None, Path("/cache")) == dict(files)


def test_what_is_required_and_not_installed_is_told_once() -> None:
    tops = [{"unmet": [["a", "x>=1"], ["b", "y"]]}, {"unmet": [["a", "x>=1"]]}]
    pairs = [{"unmet": [tuple(each) for each in top["unmet"]]} for top in tops]
    assert unmet(pairs) == [("a", "x>=1"), ("b", "y")]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("Six_Pack==1.17.0", True),
        ("six.pack>1.16", True),
        ("six-pack", False),
        ("six-pack>=1.16", False),
        ("other==2", False),
    ],
)
def test_what_install_asks_for_and_is_there_in_another_version_is_told(
    asked: str, said: bool
) -> None:
    lines = [*overruled([asked], [Distribution("six-pack", "1.16.0", ())])]
    assert [f"asks for {asked}, and the app's interpreter has 1.16.0" in one for one in lines] == (
        [True] if said else []
    )
