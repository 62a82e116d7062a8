"""Where debugpy is: the app's own, that of `devbridge[debug]`, or that of VS Code's terminal."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Final

from devbridge.errors import InterpreterError

BUNDLED: Final = "BUNDLED_DEBUGPY_PATH"
"""VS Code's Python Debugger has the folder of its own debugpy in each terminal's environment."""
_FIND: Final = """\
from importlib.util import find_spec
found = find_spec("debugpy")
print(found.submodule_search_locations[0] if found and found.submodule_search_locations else "")
"""
_TIMEOUT: Final = 20.0


def debugpy_folder(python: Path) -> Path:
    """The folder of the package that workers of an app's interpreter import.

    Raises:
        InterpreterError: there is none.
    """
    return _found(python, os.environ.get(BUNDLED, ""))


@functools.cache
def _found(python: Path, bundled: str) -> Path:
    for folder in (_apps(python), _ours(), bundled):
        if folder and Path(folder, "__init__.py").is_file():
            return Path(folder)
    raise InterpreterError(
        "breakpoints in Python need debugpy, which the app's environment has not",
        where=str(python),
        remedy=f"{python} -m pip install debugpy, or install devbridge[debug]",
    )


def _apps(python: Path) -> str:
    try:
        done = subprocess.run(
            [python, "-c", _FIND],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().rpartition("\n")[2]


def _ours() -> str:
    found = importlib.util.find_spec("debugpy")
    places = found.submodule_search_locations if found else None
    return places[0] if places else ""
