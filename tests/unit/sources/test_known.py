from __future__ import annotations

from pathlib import Path

from devbridge.sources.known import SOURCES, SUFFIXES, changed, is_code, is_installed, source_of
from devbridge.sources.runtimes import RUNTIMES


def test_each_runtime_has_a_source_and_a_container_has_none() -> None:
    assert {source_of(name) for name in RUNTIMES} == set(SOURCES.values())
    assert source_of(None) is SOURCES["python"]
    assert source_of("container") is None


def test_files_with_code_are_those_of_any_language() -> None:
    assert {".py", ".ts", ".cjs"} <= SUFFIXES
    assert is_code(Path("jobs/a.mts"))
    assert not is_code(Path("jobs/a.json"))


def test_what_package_managers_install_is_somebody_elses() -> None:
    assert is_installed(Path("node_modules/zod/index.js"))
    assert is_installed(Path("/venv/lib/python3.13/site-packages/a.py"))
    assert not is_installed(Path("jobs/a.ts"))


def test_what_is_kept_of_a_file_is_dropped_by_its_language(tmp_path: Path) -> None:
    kept = tmp_path / "__pycache__" / "a.cpython-313.pyc"
    kept.parent.mkdir()
    for name, left in (("a.ts", True), ("a.py", False)):
        kept.touch()
        changed(tmp_path / name)
        assert kept.exists() == left
