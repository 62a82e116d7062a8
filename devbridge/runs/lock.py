"""One command at a time changes or runs a stage from a folder.

By a lock that ends with the process, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Final

from devbridge.errors import AlreadyRunning
from devbridge.pids import lives

if TYPE_CHECKING:
    from devbridge.config import Config

_POLL: Final = 0.2
"""Seconds between looks at who has the lock."""
_LOOKS: Final = 20


@contextmanager
def only_one(
    path: Path,
    stage: str,
    command: str = "dev",
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the lock file at `path`, which names the process that has it.

    Args:
        command: that of devbridge which takes the lock.
        on_wait: is told, once, what is waited for: any other command than `dev`, which does not
            end by itself. None: nothing is waited for.

    Raises:
        AlreadyRunning: another process has it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    told = False
    try:
        while not _taken(fd):
            holder, other = _holder(fd)
            if not other or on_wait is None:
                raise _refused(path, stage, holder or "unknown", other)
            if not told:
                on_wait(f"`devbridge {other}` changes the stage {stage} now, as process {holder}")
                told = True
            sleep(_POLL)
        os.truncate(fd, 0)
        # Only the process of `dev` is a daemon: of others the file has more than a number.
        named = f"{os.getpid()}" if command == "dev" else f"{os.getpid()} {command}"
        os.pwrite(fd, f"{named}\n".encode(), 0)
        try:
            yield
        finally:
            os.truncate(fd, 0)  # nobody is to be taken for the next one that has the lock
    finally:
        os.close(fd)


def daemon_runs(config: Config) -> bool:
    """Whether a `devbridge dev` seems to run the stage from this folder."""
    try:
        return lives(int(config.lock.read_text()))
    except (OSError, ValueError):
        return False


def _holder(fd: int) -> tuple[str, str]:
    """The process that has the lock, and its command if that is not `dev`."""
    for _ in range(_LOOKS):
        if text := os.pread(fd, 64, 0).decode(errors="replace").strip():
            holder, _, other = text.partition(" ")
            return holder, other
        sleep(_POLL / _LOOKS)  # it has the lock, and has not written yet
    return "", ""


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refused(path: Path, stage: str, holder: str, other: str) -> AlreadyRunning:
    if other:
        return AlreadyRunning(
            f"`devbridge {other}` changes the stage {stage} now, as process {holder}",
            where=str(path),
            remedy="try again when it has ended, or choose another --stage",
        )
    return AlreadyRunning(
        f"`devbridge dev` runs the stage {stage} already, as process {holder}",
        where=str(path),
        remedy=f"stop that one first (Ctrl-C, or kill {holder}), or choose another --stage",
    )
