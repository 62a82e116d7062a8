from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from devbridge.emulator.inside.machines import unpacked

Change = Callable[[Path], object]


@pytest.fixture(autouse=True)
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "unpacked"


def unpack(folder: Path) -> Path:
    """As a container does it, an hour ago."""
    tree = folder / "abc"
    (tree / "pack").mkdir(parents=True)
    (tree / "pack" / "a.py").write_text("A = 1")
    (tree / "b.py").write_text("B = 2")
    lock = folder / "abc.lock"
    lock.write_text("2")
    for path in (tree / "pack" / "a.py", tree / "b.py", lock):
        os.utime(path, (1_000, 1_000))
    return tree


def test_what_is_as_it_was_is_shared() -> None:
    folder = unpacked.shared()
    tree = unpack(folder)
    (tree / "pack" / "__pycache__").mkdir()
    (tree / "pack" / "__pycache__" / "a.pyc").touch()
    assert unpacked.shared() == folder


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "b.py").write_text("B = 3"),
        lambda tree: (tree / "b.py").unlink(),
        lambda tree: (tree / "c.py").touch(),
        lambda tree: shutil.rmtree(tree / "pack"),
        shutil.rmtree,
    ],
    ids=["changed", "removed", "added", "folder removed", "all removed"],
)
def test_what_a_run_has_changed_later_ones_do_not_see(change: Change) -> None:
    folder = unpacked.shared()
    change(unpack(folder))
    second = unpacked.shared()
    assert second != folder
    assert folder.exists()  # others may use it still
    assert [*second.iterdir()] == []
    assert unpacked.shared() == second


def test_what_is_being_unpacked_is_nothing_yet() -> None:
    folder = unpacked.shared()
    (folder / "abc.lock").touch()
    assert unpacked.shared() == folder
