"""How many files and processes there may be: the daemon takes what it may have, and says when that
is not enough. A worker gets back what the shell had.
"""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Final

import runner
from devbridge.folders import SHORT

HEADROOM: Final = 8
"""Descriptors that are left free for log files, connections and the ledger."""
OF_A_START: Final = 3
"""Descriptors that a worker that is being started will still need."""
_MOST: Final = 10240
"""macOS takes no soft limit above this (OPEN_MAX), though its hard limit is infinite."""
RUNNER: Final = Path(runner.__file__).parent
"""The runner's folder: any interpreter can run it, without devbridge in its environment."""

_original: int | None = None


def raise_files() -> None:
    """Let this process open as many files as the system allows it to."""
    global _original  # noqa: PLW0603 - the process has one limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _MOST):
        if soft == wanted or (soft > wanted and wanted != resource.RLIM_INFINITY):
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            continue
        _original = soft
        return


def runner_command(python: Path, *options: str) -> list[str]:
    """How to start the runner, so that it ends with this process and has the shell's limits.

    Args:
        options: the interpreter's own.
    """
    files = [] if _original is None else ["files", str(_original)]
    runner = [os.fspath(python), *options, os.fspath(RUNNER)]
    return [*runner, *files, "die-with", str(os.getpid())]


def is_short(error: BaseException | None) -> bool:
    """Whether the system had no descriptor, process or memory to give: it may have one later."""
    return isinstance(error, OSError) and error.errno in SHORT


def require_room(descriptor: int, starting: int) -> None:
    """
    Args:
        descriptor: a new one, which is the lowest that was free.
        starting: how many workers are being started.

    Raises:
        OSError: EMFILE: too few are left for what runs and starts already.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and descriptor + OF_A_START * starting + HEADROOM > soft:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
