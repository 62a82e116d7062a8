"""What a build chooses with ``runtime-versions``, as far as this machine has it.

Only CodeBuild's curated images have runtimes to choose from: an interpreter and a node stand for
those. What the machine has not in that version is run by another one, and the build's log says so.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from .. import nodes
from ..nodes import Node
from . import runtimes
from .failure import Failure

_MINOR: Final = re.compile(r"3\.\d+")
_MAJOR: Final = re.compile(r"(\d+)(?:\.[x\d.]+)?")
_BESIDE: Final = ("npm", "npx", "corepack")
_HOOK: Final = Path(nodes.__file__).parent / "node" / "only_own.mjs"
NAMES: Final = ("python", "nodejs")
"""The runtimes that are told apart here."""

Say = Callable[[str], None]


def python_of(image: str, asked: Mapping[str, str], say: Say) -> Path:
    """The interpreter of a build.

    Raises:
        Failure: see `runtimes.python_of`.
    """
    own = runtimes.python_of(image)
    version = asked.get("python")
    if version is None:
        return own
    found = runtimes.interpreter(version) if _MINOR.fullmatch(version) else None
    if found is None:
        say(
            f"[devbridge] the build asks for Python {version}, and here"
            f" Python {runtimes.minor_of(own)} runs it: this machine has no Python {version}"
        )
    return found or own


def node_of(asked: Mapping[str, str], say: Say) -> Node | None:
    """The node of a build; None if it asks for none.

    Raises:
        Failure: this machine has none.
    """
    version = asked.get("nodejs")
    if version is None:
        return None
    whole = _MAJOR.fullmatch(version)
    if whole is None:
        raise Failure("YAML_FILE_ERROR", f"Unknown runtime version named '{version}' of nodejs")
    major = int(whole[1])
    node = nodes.find(major)
    if node is None:
        raise Failure(
            "YAML_FILE_ERROR",
            f"Unknown runtime version named '{version}' of nodejs: there is no Node on this machine"
            f" that is {nodes.OLDEST} or newer; install it, {nodes.how_to_install(major)}",
        )
    if remark := nodes.differs("the build's runtime", major, node):
        say(remark)
    return node


def put_node(node: Node, binaries: Path, root: Path) -> None:
    """Have that node in the folder that is first on a build's PATH, with the npm that belongs to
    it. What is run below `root` finds no packages outside of it, as on AWS."""
    hook = f"{_HOOK.as_uri()}?root={quote(os.path.realpath(root))}"
    started = f"exec {shlex.quote(str(node.path))} --import {shlex.quote(hook)}"
    program = binaries / "node"
    program.write_text(f'#!/bin/sh\n{started} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    for name in _BESIDE:
        if (beside := node.path.with_name(name)).exists():
            (binaries / name).symlink_to(beside)
    # Without one, the app's own would say what kind of modules a build's files are.
    (root / "package.json").write_text("{}\n", encoding="utf-8")
