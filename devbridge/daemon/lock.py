"""One daemon per stage and folder, by a lock that ends with the process however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devbridge.errors import AlreadyRunning


@contextmanager
def only_one(path: Path, stage: str) -> Iterator[None]:
    """Hold the lock file at `path`, which names the process that has it.

    Raises:
        AlreadyRunning: another process has it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
            raise AlreadyRunning(
                f"`devbridge dev` runs the stage {stage} already, as process {holder}",
                where=str(path),
                remedy=f"stop that one first (Ctrl-C, or kill {holder}), or choose another --stage",
            ) from None
        os.truncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)
