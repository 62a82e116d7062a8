from __future__ import annotations

import os
from pathlib import Path

from devbridge.daemon.notes import HALTED, IMPORT, note, sweep


def test_what_a_daemon_that_was_killed_has_left_is_deleted(tmp_path: Path) -> None:
    dead = 1 << 30
    own = [note(tmp_path, kind, "count-1") for kind in (HALTED, IMPORT)]
    others = [tmp_path / "imports.json", tmp_path / "import-of-mine"]
    left = [tmp_path / f"{kind}-{dead}-count-{end}" for kind in (HALTED, IMPORT) for end in "12"]
    for path in (*own, *others, *left):
        path.touch()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*own, *others])
    assert str(os.getpid()) in own[0].name


def test_a_folder_that_is_gone_has_nothing_to_sweep(tmp_path: Path) -> None:
    sweep(tmp_path / "gone")
