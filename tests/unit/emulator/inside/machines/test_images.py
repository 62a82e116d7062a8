from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from devbridge.emulator.inside import nodes
from devbridge.emulator.inside.machines import images, runtimes
from devbridge.emulator.inside.machines.failure import Failure

OWN = runtimes.OWN


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        (f"public.ecr.aws/docker/library/python:{OWN}-slim", True),
        (f"public.ecr.aws/docker/library/python:{OWN}.2-slim-bookworm", True),
        (f"python:{OWN}", True),
        (f"public.ecr.aws/lambda/python:{OWN}", False),
        (f"public.ecr.aws/lambda/python:{OWN}-arm64", False),
    ],
)
def test_an_image_of_python_is_that_python_with_boto3_or_without(
    name: str, bare: bool, said: list[str]
) -> None:
    image = images.find(name, said.append)
    assert (image.python, image.node) == (runtimes.interpreter(OWN), None)
    assert (image.bare, image.is_lambda) == (bare, not bare)
    assert said == []


def test_an_image_of_node_has_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    there = tmp_path / "node"
    there.write_text("#!/bin/sh\necho node\n")
    there.chmod(0o755)
    monkeypatch.setattr(nodes, "find", lambda major: nodes.Node(there, f"{major}.1.0"))
    image = images.find("public.ecr.aws/docker/library/node:24-bookworm", said.append)
    assert image.node
    assert image.node.major == 24
    root = tmp_path / "root"
    root.mkdir()
    binaries = image.unpack(root)
    script = "import importlib.util as u; print(u.find_spec('boto3'))"
    ran = [[str(binaries / "python3"), "-c", script], [str(binaries / "node")]]
    outputs = [subprocess.run(each, capture_output=True, check=True).stdout for each in ran]
    assert outputs == [b"None\n", b"node\n"]


def test_another_version_than_the_image_s_is_said(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    own = runtimes.interpreter(OWN)
    monkeypatch.setattr(nodes, "find", lambda _: nodes.Node(Path("/n"), "20.1.0"))
    monkeypatch.setattr(runtimes, "interpreter", {OWN: own}.get)
    monkeypatch.setattr(images, "_DEBIAN", "3.98")
    images.find("public.ecr.aws/docker/library/node:24-bookworm", said.append)
    assert said[0] == f"[devbridge] the image's Python is 3.98, and here Python {OWN} runs"
    assert said[1].startswith("[devbridge] the image is Node 24, and here Node 20.1.0 runs")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ubuntu:22.04", "containers do not run on the embedded cloud: it has no 'ubuntu:22.04'"),
        ("public.ecr.aws/lambda/nodejs:22", "containers do not run on the embedded cloud"),
        ("python:3.99-slim", r"no Python 3\.99 on this machine, which 'python:3\.99-slim' means"),
        ("node:24", "there is no Node on this machine, which 'node:24' means"),
    ],
)
def test_what_this_machine_cannot_stand_for_says_why(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(nodes, "find", lambda _: None)
    with pytest.raises(Failure, match=words) as caught:
        images.find(name, said.append)
    assert caught.value.code == "CannotPullContainerError"
