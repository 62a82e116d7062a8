"""What a build chooses with ``runtime-versions``, as far as this machine has it.

Only CodeBuild's curated images have runtimes to choose from: an interpreter and a node stand for
those. What the machine has not in that version is run by another one, and the build's log says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from .. import nodes
from ..machines import runtimes
from ..machines.failure import Failure
from ..nodes import Node

_MINOR: Final = re.compile(r"3\.\d+")
_MAJOR: Final = re.compile(r"(\d+)(?:\.[x\d.]+)?")
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
