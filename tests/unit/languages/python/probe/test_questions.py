from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from devbridge.languages.python.probe.imports import SURE
from devbridge.languages.python.probe.questions import answer


def question(root: Path, *files: str, **more: Any) -> dict[str, Any]:
    codes = [
        {
            **{"key": file, "file": file, "handler": "handler", "paths": [], "machine": "x86_64"},
            **{"platform": "linux", "version": list(sys.version_info[:2])},
        }
        for file in files
    ]
    asked = {"root": str(root), "brought": [], "excluded": [], "names": [], "codes": codes}
    return {**asked, **more}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text("import lib, fastjsonschema\ndef handler(): ...\n")
    (tmp_path / "lib.py").write_text("")
    (tmp_path / "b.py").write_text("import fastjsonschema, none_of_this\n")
    return tmp_path


def test_each_code_is_told_what_it_reaches_and_needs(root: Path) -> None:
    told = answer(question(root, "a.py", "b.py"))
    first, second = told["codes"]["a.py"], told["codes"]["b.py"]
    assert first["files"] == {"a.py": str(root / "a.py"), "lib.py": str(root / "lib.py")}
    assert first["problem"] == ""
    assert first["needs"]["fastjsonschema"] == {"level": SURE, "place": "a.py:1", "gone": False}
    assert second["problem"].startswith("'b.py' has no function 'handler'")
    assert told["tops"]["fastjsonschema"]["dists"] == ["fastjsonschema"]
    assert told["tops"]["none_of_this"]["missing"]
    assert "fastjsonschema/__init__.py" in dict(told["distributions"]["fastjsonschema"]["files"])


def test_the_answer_depends_on_all_that_was_read(root: Path) -> None:
    told = answer(question(root, "a.py"))
    assert {str(root), str(root / "a.py"), str(root / "lib.py")} <= set(told["depends"])
    assert any(each.endswith("RECORD") for each in told["depends"])
    assert told["depends"] == sorted(told["depends"])


def test_names_are_looked_up_though_no_code_imports_them(root: Path) -> None:
    told = answer(question(root, names=["click"]))
    assert told["codes"] == {}
    assert "click" in told["distributions"]


def test_what_is_excluded_or_brought_is_not_packed(root: Path) -> None:
    told = answer(question(root, "a.py", excluded=["fastjsonschema"]))
    assert told["tops"]["fastjsonschema"]["dists"] == []
    told = answer(question(root, "a.py", brought=["fastjsonschema"]))
    assert told["codes"]["a.py"]["needs"] == {}


def test_a_file_that_no_distribution_lists_is_loose_and_followed(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path_factory.mktemp("site")
    (site / "strayed.py").write_text("import further\n")
    monkeypatch.syspath_prepend(str(site))
    (root / "c.py").write_text("import strayed\ndef handler(): ...\n")
    told = answer(question(root, "c.py"))["codes"]["c.py"]
    assert told["loose"] == [str(site / "strayed.py")]
    assert set(told["needs"]) == {"strayed", "further"}
