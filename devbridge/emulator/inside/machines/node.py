"""A node as a machine has it: first on PATH, and blind to packages that are not its own."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final
from urllib.parse import quote

from .. import nodes
from ..nodes import Node

_BESIDE: Final = ("npm", "npx", "corepack")
_HOOK: Final = Path(nodes.__file__).parent / "node" / "only_own.mjs"


def put_node(node: Node, binaries: Path, root: Path) -> None:
    """Have that node in the folder that is first on a machine's PATH, with the npm that belongs to
    it. What is run below `root` finds no packages outside of it, as on AWS."""
    hook = f"{_HOOK.as_uri()}?root={quote(os.path.realpath(root))}"
    started = f"exec {shlex.quote(str(node.path))} --import {shlex.quote(hook)}"
    program = binaries / "node"
    program.write_text(f'#!/bin/sh\n{started} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    for name in _BESIDE:
        if (beside := node.path.with_name(name)).exists():
            (binaries / name).symlink_to(beside)
    # Without one, the app's own would say what kind of modules its files are.
    (root / "package.json").write_text("{}\n", encoding="utf-8")
