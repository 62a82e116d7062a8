from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from devbridge.errors import BuildError, ToolMissing
from devbridge.languages.node.native import (
    Platform,
    aws,
    found_above,
    installed,
    names,
    pinned,
)
from tests.integration.languages.node.conftest import CACHE

SHARP = "sharp@0.35.5"


@pytest.mark.parametrize(("architecture", "cpu"), [("x86_64", "x64"), ("arm64", "arm64")])
def test_a_native_package_is_installed_for_the_machine_that_it_runs_on(
    architecture: str, cpu: str, tmp_path: Path
) -> None:
    folder = installed([SHARP], tmp_path, aws(architecture), os.environ, CACHE)
    assert (folder / "@img" / f"sharp-linux-{cpu}").is_dir()
    other = {"x64": "arm64", "arm64": "x64"}[cpu]
    assert not (folder / "@img" / f"sharp-linux-{other}").exists()
    assert not list(folder.glob("@img/*musl*"))
    assert installed([SHARP], tmp_path, aws(architecture), {}, CACHE) == folder


def package(folder: Path, **files: str) -> str:
    """A package on the disk, as npm installs it."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return f"file:{folder}"


def packed(folder: Path, manifest: Mapping[str, object], *others: str) -> str:
    """npm links folders: a tarball of one is installed."""
    package(folder, package_json=json.dumps(manifest))
    for name in others:
        (folder / name).touch()
    tarball = folder.with_suffix(".tgz")
    with tarfile.open(tarball, "w:gz") as archive:
        archive.add(folder, "package")
    return f"file:{tarball}"


def test_a_package_that_builds_itself_is_refused(tmp_path: Path) -> None:
    manifest = {"name": "building", "version": "1.0.0", "scripts": {"install": "node-gyp rebuild"}}
    spec = packed(tmp_path / "building", manifest, "binding.gyp")
    with pytest.raises(BuildError, match="building builds itself when it is installed"):
        installed([spec], tmp_path, Platform(), os.environ, tmp_path / "cache")
    assert list((tmp_path / "cache" / "npm").iterdir()) == []


def test_scripts_are_not_run(tmp_path: Path) -> None:
    touch = f"touch {tmp_path / 'ran'}"
    manifest = {"name": "scripted", "version": "1.0.0", "scripts": {"postinstall": touch}}
    spec = packed(tmp_path / "scripted", manifest)
    folder = installed([spec], tmp_path, None, os.environ, tmp_path / "cache")
    assert (folder / "scripted" / "package.json").is_file()
    assert not (tmp_path / "ran").exists()


def test_npm_gets_what_npmrc_refers_to_and_nothing_else_of_the_shell(tmp_path: Path) -> None:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\nmkdir node_modules && env > node_modules/env && cat .npmrc >&2\n")
    npm.chmod(0o755)
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / ".npmrc").write_text("//registry/:_authToken=${MY_TOKEN}\n")
    shell = {"MY_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s", "npm_config_registry": "r"}
    path = f"{npm.parent}:{os.environ['PATH']}"
    folder = installed(["x"], tmp_path, None, {**shell, "PATH": path}, tmp_path / "cache")
    told = (folder / "env").read_text().splitlines()
    assert {"MY_TOKEN=t", "npm_config_registry=r"} <= set(told)
    assert not any("AWS_" in line for line in told)
    assert not (folder.parent / ".npmrc").exists()


def test_what_there_is_not_is_said_in_npms_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BuildError, match="npm cannot install what `install` names") as caught:
        installed(["file:/no/such.tgz"], tmp_path, None, os.environ, tmp_path / "cache")
    assert "no/such.tgz" in str(caught.value)
    monkeypatch.setattr("devbridge.languages.node.tools.wheel_folder", lambda: None)
    with pytest.raises(ToolMissing, match="there is no npm"):
        installed(["x"], tmp_path, None, {"PATH": ""}, tmp_path / "cache")


def test_the_projects_version_is_the_one_that_is_installed(tmp_path: Path) -> None:
    package(tmp_path / "node_modules" / "sharp", package_json='{"version": "0.35.1"}')
    package(tmp_path / "node_modules" / "@a" / "b", package_json='{"version": "2.0.0"}')
    inner = tmp_path / "packages" / "functions"
    asked = ["sharp@0.35", "@a/b", "other@1"]
    assert pinned(asked, inner) == ["sharp@0.35.1", "@a/b@2.0.0", "other@1"]
    assert found_above(inner, "sharp") == tmp_path / "node_modules" / "sharp"
    assert found_above(inner, "other") is None


def test_the_names_of_packages_are_told_without_their_versions() -> None:
    assert names(["sharp@0.35", "@img/x@1", "a"]) == ("sharp", "@img/x", "a")
