from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from devbridge.files import (
    Left,
    Taken,
    is_ignored,
    leaves,
    matches,
    private,
    said,
    take,
    walk,
)


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    write(tmp_path, "a.txt", "b.bin", "sub/c.bin", "sub/d.txt")
    (tmp_path / ".gitignore").write_text("*.bin\n")
    return tmp_path


def test_a_folder_is_taken_in_the_order_of_its_names(tmp_path: Path) -> None:
    write(tmp_path, "b.txt", "a/z.txt", "a/b.txt", "__pycache__/x.py", "c.pyc", "env/pyvenv.cfg")
    assert list(walk(tmp_path).files) == ["a/b.txt", "a/z.txt", "b.txt"]
    assert walk(tmp_path).left == []


def test_a_folder_in_it_is_taken_with_its_name(tmp_path: Path) -> None:
    write(tmp_path, "a/b.txt", "a/c/d.txt", "e.txt")
    for start in ("a", "a/"):
        assert list(walk(tmp_path, start).files) == ["a/b.txt", "a/c/d.txt"]


def test_what_is_left_out_is_said_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path, "app/a.txt", "app/.env", "app/tls.key", "app/node_modules/x.js", "out.txt")
    (tmp_path / "app" / "link").symlink_to("../out.txt")
    taken = walk(tmp_path / "app")
    assert list(taken.files) == ["a.txt"]
    assert sorted(taken.left, key=lambda each: each.name) == [
        Left(".env", "hidden"),
        Left("link", "a link that leads out", named=False),
        Left("node_modules/", "never packed", named=False),
        Left("tls.key", "a key"),
    ]


def test_a_link_may_lead_out_of_the_folder_within_a_wider_limit(tmp_path: Path) -> None:
    write(tmp_path, "app/a.txt", "out.txt")
    (tmp_path / "app" / "link").symlink_to("../out.txt")
    assert list(take(tmp_path / "app", within=tmp_path).files) == ["a.txt", "link"]


def test_only_a_link_leaves_and_only_out_of_its_folder(tmp_path: Path) -> None:
    write(tmp_path, "app/a.txt", "app2/b.txt")
    for name, target in (("in", "a.txt"), ("out", "../app2/b.txt"), ("whole", ".")):
        (tmp_path / "app" / name).symlink_to(target)
    found = {
        path.name: leaves(path, str(tmp_path / "app")) for path in (tmp_path / "app").iterdir()
    }
    assert found == {"a.txt": False, "in": False, "out": True, "whole": False}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (".npmrc", "hidden"),
        ("ID_RSA", "a key"),
        ("id_rsa.pub", ""),
        ("prod.env", "a key"),
        ("environment.txt", ""),
        ("secret.PEM", "a key"),
    ],
)
def test_a_name_tells_whether_a_file_is_for_others(tmp_path: Path, name: str, why: str) -> None:
    write(tmp_path, name)
    assert private(tmp_path / name) == why


def test_a_folder_with_a_keys_name_is_none(tmp_path: Path) -> None:
    write(tmp_path, "credentials/a.txt")
    assert private(tmp_path / "credentials") == ""
    assert list(walk(tmp_path).files) == ["credentials/a.txt"]


def test_what_git_ignores_stays_here_but_for_what_is_kept(repository: Path) -> None:
    taken = take(repository)
    assert list(taken.files) == ["a.txt", "sub/d.txt"]
    ignored = [each for each in taken.left if each.why == "git-ignored"]
    assert ignored == [Left("b.bin", "git-ignored"), Left("sub/c.bin", "git-ignored")]
    assert taken.problem == ""
    kept = take(repository, kept=[repository / "b.bin"])
    assert list(kept.files) == ["a.txt", "b.bin", "sub/d.txt"]


def test_git_is_asked_about_one_file(repository: Path) -> None:
    assert is_ignored(repository, "sub/c.bin")
    assert not is_ignored(repository, "sub/d.txt")


def test_the_developers_git_variables_lead_git_to_no_other_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert list(take(repository).files) == ["a.txt", "sub/d.txt"]


@pytest.mark.parametrize(
    ("left", "lines"),
    [
        ([], []),
        (
            [Left("a.key", "a key"), Left("x/", "never packed", named=False)],
            [
                'left out a.key (a key); to pack it: copy_files=["a.key"]',
                "left out x/ (never packed)",
            ],
        ),
        (
            [Left(f"{n}.bin", "git-ignored") for n in range(1005)],
            [
                "left out 0.bin, 1.bin, 2.bin, 3.bin and 1,001 more (git-ignored); to pack them:"
                ' copy_files=["0.bin", "1.bin", "2.bin", "3.bin"]'
            ],
        ),
        ([Left(".d/", "hidden")], ['left out .d/ (hidden); to pack it: copy_files=[".d"]']),
    ],
)
def test_a_reason_is_a_line_with_what_adds_it(left: list[Left], lines: list[str]) -> None:
    assert list(said(left)) == lines
    assert not any("to pack" in line for line in said(left, adds=""))


@pytest.mark.parametrize(
    ("name", "pattern", "meant"),
    [
        ("a.txt", "*.txt", True),
        ("a/b.txt", "*.txt", False),
        ("a/b.txt", "a", True),
        ("a/b/c.txt", "a/*", True),
        ("a.txt", "**/*.txt", True),
        ("a/b/c.txt", "**/*.txt", True),
        ("a/b/c.txt", "a/**/c.txt", True),
        ("a/c.txt", "a/**/c.txt", True),
        ("b/c.txt", "a/**", False),
        ("a", "a/b", False),
    ],
)
def test_two_stars_are_any_number_of_folders(name: str, pattern: str, meant: bool) -> None:
    assert matches(name, pattern) is meant


def test_a_folder_is_among_names_that_are_in_it() -> None:
    taken = Taken({"a/b.txt": Path("b")})
    assert Left("a/", "x").is_in(taken.files)
    assert not Left("a", "x").is_in(taken.files)
    assert Left("a/b.txt", "x").is_in(taken.files)
    assert not Left("b/", "x").is_in(taken.files)
