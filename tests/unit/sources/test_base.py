from __future__ import annotations

from pathlib import Path

from devbridge.sources.base import no_file


def test_a_file_that_is_not_there_is_named_with_those_of_its_language_beside_it(
    tmp_path: Path,
) -> None:
    for name in ("b.ts", "a.mjs", "c.py"):
        (tmp_path / name).touch()
    missing = no_file(tmp_path, tmp_path / "x.ts", "x.ts", (".ts", ".mjs"))
    assert missing.what == "the handler's file 'x.ts' does not exist"
    assert missing.allowed == "create it, or use one of the files in '.': a, b"


def test_in_a_folder_that_is_not_there_none_can_be_named(tmp_path: Path) -> None:
    missing = no_file(tmp_path, tmp_path / "jobs" / "x.ts", "jobs/x.ts", (".ts",))
    assert missing.allowed == "create it, or correct the path"
