"""What the disk says of a ledger: whether its file is still the same, and whether there is room."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Final, Self

from devbridge.runs.ledger_file import LedgerError

ROOM: Final = 64 * 1024
"""Bytes that there must be room for, after there was none, before new runs are taken."""

_HEADER: Final = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file it was, when it was looked at."""

    numbers: tuple[int | None, int | None]
    """The file's inode, and that of its log."""
    size: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """That of the ledger at `path` now."""
        main, log = _stat(path), _stat(path.with_name(f"{path.name}-wal"))
        return cls((main and main.st_ino, log and log.st_ino), main.st_size if main else 0)


def hold(path: Path) -> FileIO:
    """Open the ledger's file to look into it; it must be closed only after SQLite's connection.

    A process that closes any descriptor of a file gives up all its locks on that file (POSIX,
    fcntl): SQLite in another process would then take itself for the last, and delete the log.

    Raises:
        LedgerError: the file cannot be opened.
    """
    try:
        return FileIO(path)
    except OSError as error:
        raise LedgerError.of("the ledger cannot be opened", error, path) from error


def is_database(held: FileIO) -> bool:
    """Whether it begins as SQLite's files do."""
    with contextlib.suppress(OSError):
        return os.pread(held.fileno(), len(_HEADER), 0) == _HEADER
    return False


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def set_aside(path: Path) -> Path | None:
    """Give what is at `path`, and SQLite's files beside it, another name; None: nothing is."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (path.with_name(f"{path.stem}-{stamp}{more}.set-aside") for more in _numbers())
    aside = next(name for name in names if not name.exists())
    found = path.exists()
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    return aside if found else None


def _numbers() -> Iterator[str]:
    yield ""
    yield from (f"-{number}" for number in count(2))


def try_room(ledger: Path) -> None:
    """Return if something of the size of `ROOM` can be written beside the ledger.

    Raises:
        LedgerError: there is no room beside the ledger, or nothing can be written there.
    """
    probe = ledger.with_name(f"{ledger.name}.room")
    try:
        try:
            fill(probe, ROOM)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise LedgerError.of("the ledger cannot be written", error, ledger) from error


def fill(path: Path, size: int) -> None:
    """Write a private file of `size` zeros, unbuffered.

    Raises:
        OSError: it cannot be written, or not to its end.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb", buffering=0) as stream:
        rest = memoryview(bytes(size))
        while rest:
            rest = rest[stream.write(rest) :]
