from __future__ import annotations

from pathlib import Path

from devbridge.live.left_out import LeftOut


def new(path: Path, *lines: str, well: bool = True) -> list[str]:
    """What of these lines a deployment would say; `well`: it is carried out."""
    left = LeftOut(path)
    said = [line for line in lines if left.is_new(line)]
    if well:
        left.keep()
    return said


def test_a_line_is_said_when_the_last_deployment_did_not_have_it(tmp_path: Path) -> None:
    path = tmp_path / "left-out.json"
    assert new(path, "a", "b", well=False) == ["a", "b"]
    assert new(path, "a", "b") == ["a", "b"], "the one before has failed"
    assert new(path, "a", "c") == ["c"]
    assert new(path, "a", "b") == ["b"], "it had gone"
    assert new(path) == []
    assert new(path, "a") == ["a"]


def test_a_file_that_cannot_be_read_or_written_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "left-out.json"
    path.write_text("5")
    assert new(path, "a") == ["a"]
    assert new(tmp_path / "gone" / "left-out.json", "a") == ["a"]
