from __future__ import annotations

import subprocess
from pathlib import Path

from devbridge.emulator.inside.machines.node import put_node
from devbridge.emulator.inside.nodes import Node


def test_the_node_is_first_on_path_with_its_own_npm(tmp_path: Path) -> None:
    there, binaries, root = (tmp_path / name for name in ("it's", "bin", "root dir"))
    for folder in (there, binaries, root):
        folder.mkdir()
    (there / "node").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    for name in ("node", "npm"):
        (there / name).touch()
        (there / name).chmod(0o755)
    put_node(Node(there / "node", "24.1.0"), binaries, root)
    done = subprocess.run([binaries / "node", "a b"], capture_output=True, text=True, check=True)
    option, hook, argument = done.stdout.splitlines()
    assert (option, argument) == ("--import", "a b")
    assert hook.endswith(f"/only_own.mjs?root={tmp_path.resolve()!s}/root%20dir")
    assert sorted(path.name for path in binaries.iterdir()) == ["node", "npm"]
    assert (root / "package.json").read_text() == "{}\n"
