from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from devbridge.constructs.files import copied_files, copy_problem, selected


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


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


PRIVATE = (
    *(".env", ".env.prod", "prod.env", ".npmrc", ".aws/credentials", "server.pem", "tls.key"),
    *("id_rsa", "deep/id_ed25519", "store.p12", "terraform.tfstate", "ssh_host_rsa_key"),
    *("config/credentials.json", "config/credentials", "service-account.json", "_netrc"),
    *("my_service_account_prod.json", "client_secret_12.apps.json", "kubeconfig"),
)


def test_a_glob_and_a_folder_take_nothing_that_is_private(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "deep/b.txt", "node_modules/x.js", ".git/config", *PRIVATE)
    write(tmp_path, "env/pyvenv.cfg", "env/lib/x.py")
    for pattern in ("**/*", "*", ".", "**"):
        taken = selected(tmp_path, [pattern])
        assert set(taken.files) == {"a.txt", "deep/b.txt"}
        left = {each.name for each in taken.left}
        assert left == {*PRIVATE, ".aws/", "node_modules/"} - {".aws/credentials"}


@pytest.mark.parametrize("name", PRIVATE)
def test_a_path_that_names_a_private_file_takes_it(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "a.txt")
    taken = selected(tmp_path, ["*", name])
    assert set(taken.files) == {"a.txt", name}
    assert not [each for each in taken.left if each.name == name]


def test_a_certificate_is_no_key(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nMII\n")
    (tmp_path / "both.pem").write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----")
    assert set(selected(tmp_path, ["*"]).files) == {"a.txt", "ca.pem"}


def test_links_that_lead_out_are_left_and_those_within_are_followed(tmp_path: Path) -> None:
    app = tmp_path / "app"
    write(tmp_path, "outside/secret.txt", "passwd")
    write(app, "data/a.txt")
    (app / "data" / "passwd").symlink_to(tmp_path / "passwd")
    (app / "data" / "out").symlink_to("../../outside")
    (app / "data" / "loop").symlink_to(".")
    (app / "data" / "again").symlink_to(app / "data" / "a.txt")
    taken = selected(app, ["data"])
    assert set(taken.files) == {"data/a.txt", "data/again"}
    assert {each.name for each in taken.left} == {"data/passwd", "data/out/"}
    for pattern in ("data/passwd", "data/out", "data/out/secret.txt", "data/out/*"):
        assert copy_problem(app, [pattern]) is not None


def test_a_link_is_as_private_as_what_it_leads_to(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", ".env", "tls.key", ".aws/config", "node_modules/x.js", ".git/config")
    links = {
        **{"env.txt": ".env", "key.txt": "tls.key", "aws": ".aws", "aws.txt": ".aws/config"},
        **{"x.js": "node_modules/x.js", "git": ".git", "twice": "data/env.txt", "good": "a.txt"},
    }
    (tmp_path / "data").mkdir()
    for name, target in links.items():
        (tmp_path / "data" / name).symlink_to(f"../{target}")
    taken = selected(tmp_path, ["data"])
    assert set(taken.files) == {"data/good"}
    left = {each.name.rstrip("/"): each.why for each in taken.left}
    assert left.keys() == {f"data/{name}" for name in links} - {"data/good"}
    assert left["data/env.txt"] == left["data/twice"] == "a link to what is hidden"
    assert set(selected(tmp_path, ["data", "data/key.txt"]).files) == {"data/good", "data/key.txt"}


def test_a_file_whose_name_is_not_utf_8_is_left_out_and_said(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    try:
        (tmp_path / os.fsdecode(b"b\xff.txt")).touch()
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    taken = selected(tmp_path, ["**/*"])
    assert set(taken.files) == {"a.txt"}
    assert [(each.name, each.why) for each in taken.left] == [
        ("b\\udcff.txt", "its name is not UTF-8")
    ]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    write(tmp_path, "data/a.csv", "data/b.bin", "models/m.bin", "gen.py")
    (tmp_path / ".gitignore").write_text("*.bin\n/gen.py\n/models/\n")
    return tmp_path


def test_what_git_ignores_is_taken_only_where_it_is_named(repository: Path) -> None:
    assert set(selected(repository, ["**/*"]).files) == {"data/a.csv"}
    assert set(selected(repository, ["data"]).files) == {"data/a.csv"}
    assert set(selected(repository, ["data/b.bin"]).files) == {"data/b.bin"}
    assert set(selected(repository, ["models"]).files) == {"models/m.bin"}
    kept = selected(repository, ["*.py"], imported=[repository / "gen.py"])
    assert set(kept.files) == {"gen.py"}


def test_a_link_to_what_git_ignores_is_ignored_too(repository: Path) -> None:
    (repository / "data" / "link.csv").symlink_to("b.bin")
    (repository / "data" / "models").symlink_to("../models")
    taken = selected(repository, ["data"])
    assert set(taken.files) == {"data/a.csv"}
    assert "data/link.csv" in {each.name for each in taken.left}


def test_nested_repositories_have_their_own_rules(repository: Path) -> None:
    subprocess.run(["git", "init", "-q", repository / "sub"], check=True)
    write(repository, "sub/x.txt", "sub/y.log")
    (repository / "sub" / ".gitignore").write_text("*.log\n")
    assert set(selected(repository, ["sub/*"]).files) == {"sub/x.txt"}


def test_a_repository_that_git_refuses_is_said_though_others_answer(repository: Path) -> None:
    write(repository, "a/x.txt", "z/y.txt")
    for name in ("a", "z"):
        subprocess.run(["git", "init", "-q", repository / name], check=True)
    (repository / "a" / ".git" / "config").write_text("[core\n")
    taken = selected(repository, ["a/*", "z/*"])
    assert set(taken.files) == {"a/x.txt", "z/y.txt"}
    assert "git check-ignore" in taken.problem


def test_a_folder_that_git_ignores_as_a_whole_is_as_one_without_git(repository: Path) -> None:
    app = repository / "models" / "app"
    write(app, "a.bin")
    assert set(selected(app, ["*"]).files) == {"a.bin"}


def test_without_git_it_is_said_that_ignored_files_may_be_taken(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    taken = selected(repository, ["data"])
    assert set(taken.files) == {"data/a.csv", "data/b.bin"}
    assert "git does not start" in taken.problem
