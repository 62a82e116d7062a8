"""The app's own interpreter: is it there, does it run, is it new enough?"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.errors import InterpreterError

OLDEST: Final = (3, 11)
_PROBE: Final = """\
import json, sys
try:
    from importlib.util import find_spec
    found = find_spec("devbridge") is not None
except ImportError:
    found = False
print(json.dumps([list(sys.version_info[:3]), sys.prefix, found]))
"""
"""Runs in any Python, so that one that is too old says so itself."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter that was run once and answered."""

    path: Path
    version: tuple[int, int, int]
    prefix: Path
    """Its environment: a virtual environment's folder, or the installation's."""
    has_devbridge: bool
    """Whether a handler can ``import devbridge`` in it."""

    @property
    def minor(self) -> str:
        """``3.11``"""
        return f"{self.version[0]}.{self.version[1]}"


def verify_interpreter(python: Path, *, timeout: float = 20.0) -> Interpreter:
    """Run the interpreter once and report what it is. `timeout` is in seconds.

    Raises:
        InterpreterError: it is missing, does not start, or is older than Python 3.11.
    """
    remedy = "create the environment again (python3 -m venv .venv), or name one with --python"
    if not python.exists():
        link = ": it links to one that is gone" if python.is_symlink() else ""
        raise InterpreterError(
            f"the app's Python interpreter is missing{link}",
            where=str(python),
            remedy=remedy,
        )
    try:
        done = subprocess.run(
            [str(python), "-c", _PROBE],
            capture_output=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InterpreterError(
            f"the app's Python interpreter gave no answer within {timeout:g} s",
            where=str(python),
            remedy=remedy,
        ) from None
    except OSError as error:
        raise InterpreterError(
            f"the app's Python interpreter does not start: {error.strerror}",
            where=str(python),
            remedy=remedy,
        ) from error
    try:
        (major, minor, micro), prefix, has_devbridge = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError, TypeError):
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise InterpreterError(
            "the app's Python interpreter is broken: "
            + (lines[-1] if lines else f"it ended with exit code {done.returncode}"),
            where=str(python),
            remedy=remedy,
        ) from None
    found = Interpreter(python, (major, minor, micro), Path(prefix), has_devbridge)
    if found.version[:2] < OLDEST:
        raise InterpreterError(
            f"the app's Python interpreter is {found.minor}; devbridge needs 3.11 or newer",
            where=str(python),
            remedy="create the environment with a newer Python, or name one with --python",
        )
    return found
