"""The line of the user's code that something is about."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PACKAGE: Final = str(Path(__file__).resolve().parents[1]) + os.sep


@dataclass(frozen=True, slots=True)
class Where:
    """The line of the user's code that made a construct."""

    file: str
    """Relative to the app's folder where it is below it."""
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


_made_at: ContextVar[Where | None] = ContextVar("devbridge_made_at", default=None)


@contextmanager
def made_at(where: Where) -> Iterator[None]:
    """Within this block, what is made is made at that line: it was read from there."""
    token = _made_at.set(where)
    try:
        yield
    finally:
        _made_at.reset(token)


def caller() -> tuple[Path, int]:
    """File and line of the innermost frame outside devbridge."""
    frame = sys._getframe(1)
    while frame.f_back and str(Path(frame.f_code.co_filename).resolve()).startswith(_PACKAGE):
        frame = frame.f_back
    return Path(frame.f_code.co_filename).resolve(), frame.f_lineno


def here(root: Path | None = None) -> Where:
    """That frame, relative to the app's folder; of an unknown one, the file's name."""
    if read := _made_at.get():
        return read
    file, line = caller()
    if root is None:
        return Where(file.name, line)
    shown = file.relative_to(root) if file.is_relative_to(root) else file
    return Where(shown.as_posix(), line)
