"""Where the npm package ``devbridge`` is for projects that have not installed it: esbuild is told,
and the project's own programs find it by a link."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Final

NAME: Final = "devbridge"
PACKAGE: Final = Path(__file__).parent / "package"
"""The package, as it is published."""
_DEPTH: Final = 4
"""How many names at the end of its path are the same in each devbridge."""


def node_path(cache: Path) -> str:
    """A folder in which the package has its name, for esbuild's `nodePaths`: it looks there last,
    so that a project's own comes first."""
    folder = cache / "node-paths" / hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:16]
    link = folder / NAME
    if not (link / "package.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            link.symlink_to(PACKAGE, target_is_directory=True)
    return str(folder)


def link(root: Path) -> str:
    """Have the app's own programs, and its editor, find the package: in ``node_modules``, unless it
    is installed there. `npm install` takes the link away, and the next call makes it again.

    Returns:
        What to say of it; empty if nothing was done.
    """
    there = root / "node_modules" / NAME
    if not (root / "package.json").is_file() or _is_settled(there):
        return ""
    try:
        there.parent.mkdir(exist_ok=True)
        there.unlink(missing_ok=True)
        there.symlink_to(PACKAGE, target_is_directory=True)
    except OSError as error:
        return f"{there.relative_to(root)} cannot be made: {error.strerror or error}"
    return f"linked {there.relative_to(root)}, devbridge's npm package, which is not installed"


def _is_settled(there: Path) -> bool:
    """Whether something is there, and no link that another devbridge has made: pnpm's and npm's,
    of what is installed, stay."""
    if not there.exists() or not there.is_symlink():
        return there.exists()
    return there.resolve() == PACKAGE or there.readlink().parts[-_DEPTH:] != PACKAGE.parts[-_DEPTH:]
