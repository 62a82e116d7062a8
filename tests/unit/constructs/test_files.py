from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs.files import copied_files, copy_problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "a.txt",
        "data/one.csv",
        "data/deep/two.csv",
        "data/deep/three.json",
        "data/.hidden",
        "data/__pycache__/x.csv",
        ".venv/lib/x.csv",
        ".devbridge/x.csv",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "files"),
    [
        (["a.txt"], ["a.txt"]),
        (["./a.txt", "a.txt", "*.txt"], ["a.txt"]),
        (["data/*.csv"], ["data/one.csv"]),
        (["**/*.csv"], ["data/deep/two.csv", "data/one.csv"]),
        (["data/deep"], ["data/deep/three.json", "data/deep/two.csv"]),
        (["data/deep/"], ["data/deep/three.json", "data/deep/two.csv"]),
        (["data/d*"], ["data/deep/three.json", "data/deep/two.csv"]),
        (["data/.hidden", "a.t[x]t"], ["a.txt", "data/.hidden"]),
        (["data"], ["data/deep/three.json", "data/deep/two.csv", "data/one.csv"]),
        ([], []),
    ],
)
def test_patterns_mean_files(folder: Path, patterns: list[str], files: list[str]) -> None:
    assert copied_files(folder, patterns) == files
    assert copy_problem(folder, patterns) is None


def test_the_whole_folder_is_without_caches_and_environments(folder: Path) -> None:
    everything = ["a.txt", *copied_files(folder, ["data"])]
    assert copied_files(folder, ["."]) == copied_files(folder, ["**"]) == everything


@pytest.mark.parametrize(
    "pattern",
    ["b.txt", "*.md", "empty", "..", "data/../a.txt", "/", "a.txt/", ".venv", "a\\b", "a\0b"],
)
def test_a_pattern_must_match_below_the_folder(folder: Path, pattern: str) -> None:
    problem = copy_problem(folder, ["a.txt", pattern])
    assert problem is not None
    assert problem[0] == repr(pattern)


def test_a_link_that_is_broken_is_no_file(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "nowhere")
    assert copy_problem(folder, ["link"])
