"""Modules of an app whose names are taken: which one of two is imported would depend on where the
code runs, and on what was imported before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from devbridge.errors import AppFailed

_OURS: Final = frozenset({"devbridge", "runner", "stub_lambda"})
_PYTHONS: Final = frozenset(sys.stdlib_module_names)


def check_names(folder: Path, root: Path) -> None:
    """
    Args:
        folder: where modules are imported from: the app's folder, or one that PYTHONPATH names.
        root: the app's folder.

    Raises:
        AppFailed: a module there has the name of one of devbridge's, or of Python's own.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = path.stem if path.suffix == ".py" else path.name
        if name in _OURS and (path.suffix == ".py" or next(path.glob("*.py"), None)):
            raise _taken(path, root, "a package of devbridge's, which is there wherever jobs run")
        if name in _PYTHONS and (path.suffix == ".py" or (path / "__init__.py").is_file()):
            raise _taken(path, root, "a module of Python's own, which libraries import")


def is_hidden(root: Path, top: str) -> str | None:
    """What hides the modules in a folder of the app's that has no ``__init__.py``, and what to do;
    None when nothing does, or there is no such folder."""
    if not (root / top).is_dir():
        return None
    if top in _PYTHONS:
        return f"the folder {top!r} has the name of a module of Python's own: rename it"
    if (root / f"{top}.py").is_file() and not (root / top / "__init__.py").is_file():
        return f"the folder {top!r} is hidden by {top}.py: put an __init__.py into it, or rename it"
    return None


def _taken(path: Path, root: Path, whose: str) -> AppFailed:
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    kind = "file" if path.suffix == ".py" else "folder"
    return AppFailed(f"the {kind} {shown} has the name of {whose}", where=shown, remedy="rename it")
