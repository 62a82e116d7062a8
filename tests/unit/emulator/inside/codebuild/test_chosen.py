from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devbridge.emulator.inside import nodes
from devbridge.emulator.inside.codebuild import chosen
from devbridge.emulator.inside.machines import runtimes
from devbridge.emulator.inside.machines.failure import Failure
from devbridge.emulator.inside.nodes import Node

IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def said() -> list[str]:
    return []


def test_the_image_s_python_is_its_own_unless_it_is_asked_for_another(said: list[str]) -> None:
    own = runtimes.python_of(IMAGE)
    assert chosen.python_of(IMAGE, {}, said.append) == own
    assert chosen.python_of(IMAGE, {"python": OWN}, said.append) == own
    assert said == []


@pytest.mark.parametrize("version", ["3.99", "latest", "3.x"])
def test_a_python_that_is_not_here_is_run_by_the_own_one_which_is_said(
    version: str, said: list[str]
) -> None:
    assert chosen.python_of(IMAGE, {"python": version}, said.append) == runtimes.python_of(IMAGE)
    assert said == [
        f"[devbridge] the build asks for Python {version}, and here Python {OWN} runs it:"
        f" this machine has no Python {version}"
    ]


def test_a_python_that_is_here_runs_it(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    there = Path("/somewhere/python3.98")
    monkeypatch.setattr(runtimes, "interpreter", {"3.98": there}.get)
    assert chosen.python_of(IMAGE, {"python": "3.98"}, said.append) == there
    assert said == []


def test_a_build_that_asks_for_no_node_gets_none(said: list[str]) -> None:
    assert chosen.node_of({"python": OWN}, said.append) is None


@pytest.mark.parametrize("version", ["24", "24.x", "24.1.0"])
def test_the_major_chooses_the_node(
    version: str, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    node = Node(Path("/n"), "24.19.0")
    monkeypatch.setattr(nodes, "find", {24: node}.get)
    assert chosen.node_of({"nodejs": version}, said.append) == node
    assert said == []


def test_a_node_of_another_major_is_said(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setattr(nodes, "find", lambda _: Node(Path("/n"), "20.1.0"))
    chosen.node_of({"nodejs": "24"}, said.append)
    (line,) = said
    assert line.startswith("[devbridge] the build's runtime is Node 24, and here Node 20.1.0 runs")


@pytest.mark.parametrize(
    ("version", "words"),
    [("24", "there is no Node on this machine"), ("lts", "Unknown runtime version named 'lts'")],
)
def test_without_any_node_the_build_fails_and_says_what_to_install(
    version: str, words: str, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(nodes, "find", lambda _: None)
    with pytest.raises(Failure, match=words) as caught:
        chosen.node_of({"nodejs": version}, said.append)
    assert caught.value.code == "YAML_FILE_ERROR"
    assert version == "lts" or "install it, for example: nvm install 24, or pip install" in str(
        caught.value
    )
