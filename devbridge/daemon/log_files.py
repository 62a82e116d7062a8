"""A run's log file: its place, and what of it is kept when it grows large."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devbridge.folders import FUNCTIONS, rotated_log

MAX_LOG: Final = 64 * 1024 * 1024
"""Bytes of one run's log, by default; the oldest are given up."""


def log_path(folder: Path, job: str, job_id: str) -> Path:
    """Where a run's output is kept."""
    return folder / f"{job}-{job_id}.log"


def function_log(folder: Path, function: str) -> Path:
    """Where what a function has printed while `devbridge dev` ran is kept."""
    return folder / FUNCTIONS / f"{function}.log"


class LogFile:
    """A run's log, mode 0600, and the part before it, `rotated_log(path)`, when it has grown large.

    Together they never have more than `limit` bytes: the newest are kept. A full disk is reported
    once; the run goes on.
    """

    def __init__(
        self,
        path: Path,
        on_error: Callable[[str], None],
        *,
        limit: int = MAX_LOG,
        on_rotate: Callable[[str], None] | None = None,
    ) -> None:
        """`on_error` and `on_rotate` are each told once, in words for the terminal."""
        self._path = path
        self._on_error = on_error
        self._on_rotate = on_rotate
        self._limit = limit
        self._half = max(limit // 2, 1024)
        self._size = 0
        self._fd: int | None = None
        try:
            self._open()
        except OSError as error:
            self._fail(error)

    def write(self, data: bytes) -> None:
        """Add to the end; what is old goes when there is too much."""
        if self._fd is None:
            return
        try:
            view = memoryview(data)
            while len(view) > self._half - self._size:
                room = max(0, self._half - self._size)
                cut = bytes(view[:room]).rfind(b"\n") + 1
                if cut == 0 and self._size <= len(self._seam()):
                    cut = room  # a line that is longer than a file
                self._append(view[:cut])
                view = view[cut:]
                self._rotate()
            self._append(view)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Close the file. Idempotent; what is written later is lost."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):  # a network file system may say now that it is full
                os.close(fd)

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size  # an earlier attempt has written to it

    def _append(self, view: memoryview) -> None:
        assert self._fd is not None  # noqa: S101 - narrows the type
        while view:
            count = os.write(self._fd, view)
            self._size += count
            view = view[count:]

    def _rotate(self) -> None:
        self.close()
        self._path.replace(rotated_log(self._path))
        self._open()
        self._append(memoryview(self._seam()))
        if self._on_rotate is not None:
            tell, self._on_rotate = self._on_rotate, None
            tell(
                f"the log is over {_mib(self._half)}: what came before is in"
                f" {rotated_log(self._path).name}, and only the newest {_mib(self._limit)} are kept"
            )

    def _seam(self) -> bytes:
        return (
            f"--- devbridge: rotated here; of this log the newest {_mib(self._limit)} are kept\n"
        ).encode()

    def _fail(self, error: OSError) -> None:
        self.close()
        self._on_error(f"the log file cannot be written: {error.strerror}; the run goes on without")


def _mib(count: int) -> str:
    return f"{count / (1 << 20):g} MiB"
