"""`copy_files`: files of the app's folder that a job or function finds beside its code."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from devbridge.constructs import values

_NEVER: Final = frozenset({"__pycache__", ".git", ".venv", ".devbridge", "node_modules"})
_ALLOWED: Final = (
    "a list of paths or globs below the app's folder, each matching a file, "
    "e.g. ['models/small.bin', 'templates/**/*.html', 'data']"
)


def copied_files(root: Path, patterns: Sequence[str]) -> list[str]:
    """The files that `copy_files` means, relative to the app's folder with '/', sorted.

    A pattern is a path or a glob (``**`` is any number of folders); a folder stands for all the
    files below it. Caches, virtual environments and the like are left out.
    """
    return sorted({file for pattern in patterns for file in _matching(root, pattern)})


def copy_problem(root: Path, patterns: object) -> values.Problem | None:
    """The first pattern that is not allowed or matches nothing, and what is."""
    checked = values.strings(patterns)
    if checked is None:
        return repr(patterns), _ALLOWED
    for pattern in checked:
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts or "\\" in pattern or "\0" in pattern:
            return repr(pattern), _ALLOWED
        if next(_matching(root, pattern), None) is None:
            return repr(pattern), f"{_ALLOWED}; this one matches no file in {root}"
    return None


def _matching(root: Path, pattern: str) -> Iterator[str]:
    # What pathlib's '**' matches depends on the version of Python.
    found = glob.iglob(pattern, root_dir=root, recursive=True, include_hidden=True)  # noqa: PTH207
    for match in found:
        if (root / match).is_file():
            if _NEVER.isdisjoint(PurePosixPath(match).parts):
                yield PurePosixPath(match).as_posix()
            continue
        for folder, folders, files in os.walk(root / match):
            folders[:] = [name for name in folders if name not in _NEVER]
            below = Path(folder).relative_to(root)
            if _NEVER.isdisjoint(below.parts):
                yield from ((below / name).as_posix() for name in files)
