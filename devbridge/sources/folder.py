"""The Python files of a folder of jobs, and what each declares. They are read, never imported.

A file that does not parse for now declares what it declared last: who is in the middle of writing
it takes no job away.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.definitions import parsed
from devbridge.sources.declared import Declared, NotLiteralError, declared
from devbridge.sources.known import INSTALLED, is_code

SUFFIX: Final = ".py"
Signature = tuple[object, ...]
Failure = SyntaxError | ValueError | OSError | NotLiteralError


@dataclass(frozen=True, slots=True)
class Read:
    """What a file said when it was read."""

    declared: tuple[Declared, ...]
    """The last that could be read; nothing while there is none."""
    failure: Failure | None
    known: bool
    """Whether it could ever be read."""


_READ: Final[dict[Path, tuple[Signature, Read]]] = {}
"""By their paths: a burst of saves reads the one file again, not all of its folder."""


def read(file: Path) -> Read:
    """What a file declares now."""
    try:
        found = file.stat()
    except OSError as error:
        return Read((), error, known=False)
    signature = (found.st_mtime_ns, found.st_size, found.st_ino)
    before = _READ.get(file)
    if before is not None and before[0] == signature:
        return before[1]
    try:
        with warnings.catch_warnings(action="ignore"):
            module = parsed(file.read_bytes(), filename=str(file))
        result = Read(declared(module), None, known=True)
    except (SyntaxError, ValueError, OSError, NotLiteralError) as error:
        last = before[1] if before is not None and before[1].known else Read((), None, known=False)
        result = Read(last.declared, error, last.known)
    _READ[file] = (signature, result)
    return result


def files_in(folder: Path) -> Iterator[Path]:
    """The files with code below a folder, those of other languages too, in the order of their
    names; without what is hidden, installed or nobody's own."""
    for directory in folders_in(folder):
        yield from sorted(path for path in directory.iterdir() if _is_own(path))


def _is_own(path: Path) -> bool:
    return is_code(path) and not path.name.startswith(".") and path.is_file()


def folders_in(folder: Path) -> Iterator[Path]:
    """The folder, if it is there, and all below it that may have files of the app's."""
    for directory, below, _ in os.walk(folder):
        path = Path(directory)
        below[:] = sorted(
            name
            for name in below
            if not name.startswith((".", "__"))
            and name not in INSTALLED
            and not (path / name / "pyvenv.cfg").exists()
        )
        yield path


def signed(folder: Path) -> Signature:
    """What tells the jobs that are declared in a folder now from others: other lines of a handler,
    or another helper beside it, make no difference."""
    folders = tuple(str(each) for each in folders_in(folder))
    files = ((str(file), read(file)) for file in files_in(folder) if file.suffix == SUFFIX)
    return folders, tuple(
        (name, repr(each.declared), each.known, _refused(each))
        for name, each in files
        if each.declared or not each.known or _refused(each)
    )


def _refused(read: Read) -> str:
    return str(read.failure) if isinstance(read.failure, NotLiteralError) else ""
