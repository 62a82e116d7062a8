"""The files that make type checkers and editors know an app, written only when they change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from devbridge.constructs import App
from devbridge.errors import DevbridgeError
from devbridge.types.model import JobTypes
from devbridge.types.stubs import FOLDER, MARK, stubs

_OWN: Final = MARK.removeprefix("# ")


def write(app: App, types: Mapping[str, JobTypes], others: Mapping[str, str] | None = None) -> Path:
    """Write the app's stubs and return their folder. Files that are right already are left alone.

    Args:
        others: further files, by their paths below the app's folder: those of other languages. Each
            text's first line has devbridge's mark, as stubs' have.

    Raises:
        DevbridgeError: a file in the way was written by somebody else, or the folder is read-only.
    """
    for path, text in _wrong(app, types, others).items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A type checker that runs must never see half a file.
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise DevbridgeError(
                f"the stubs cannot be written: {error.strerror or error}",
                where=str(path),
                remedy="check the folder's permissions and the disk's free space",
            ) from error
    return app.root / FOLDER


def outdated(
    app: App, types: Mapping[str, JobTypes], others: Mapping[str, str] | None = None
) -> list[Path]:
    """The files that are missing, or are not what `write` would make.

    Raises:
        DevbridgeError: a file in the way was written by somebody else, or cannot be read.
    """
    return list(_wrong(app, types, others))


def _wrong(
    app: App, types: Mapping[str, JobTypes], others: Mapping[str, str] | None
) -> dict[Path, str]:
    found = {}
    for name, text in {**stubs(app, types), **(others or {})}.items():
        path = app.root / name
        there = _text(path)
        mark = _mark(text)
        if there and not there.startswith(mark):
            raise DevbridgeError(
                "a stub file that devbridge did not write is in the way",
                where=str(path),
                remedy=f"move it, or let it begin with {mark!r} to have it replaced",
            )
        if there != text:
            found[path] = text
    return found


def _mark(text: str) -> str:
    """How the file begins, in its language's comment: that devbridge makes it."""
    return text[: text.index(_OWN) + len(_OWN)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise DevbridgeError(
            f"a stub cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="move what is there, or correct its permissions",
        ) from error
