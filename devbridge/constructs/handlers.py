"""Handler paths: their syntax, and the static check that file and function exist.

The user's code is parsed, never imported: loading the app must not run its handlers' modules.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.constructs.clashes import is_hidden
from devbridge.definitions import top_level_names

_HANDLER = re.compile(r"(?P<module>(?:[\w-]+/)*[\w-]+)\.(?P<function>[A-Za-z_]\w*)", re.ASCII)
HANDLER_ALLOWED: Final = (
    "'folder/file.function' relative to the app's folder, without '.py', e.g. 'jobs/report.handler'"
)


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler path, taken apart."""

    module: str
    """``jobs/factorial``"""
    function: str

    @property
    def file(self) -> str:
        """The file, relative to the app's folder."""
        return f"{self.module}.py"

    def __str__(self) -> str:
        return f"{self.module}.{self.function}"


def parse_handler(value: object) -> Handler | None:
    """A handler path, or None if it is not one."""
    match = _HANDLER.fullmatch(value) if isinstance(value, str) else None
    return Handler(match["module"], match["function"]) if match else None


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a handler does not exist, and what does."""

    what: str
    allowed: str


def missing_handler(root: Path, handler: Handler) -> Missing | None:
    """Why this handler cannot be there, or None.

    A file that does not parse is let through: it may be of a newer Python than this one. The worker
    and the builder show its syntax error.
    """
    path = root / handler.file
    top, _, below = handler.module.partition("/")
    if below and (hidden := is_hidden(root, top)):
        return Missing(f"the handler's file {handler.file!r} cannot be imported", hidden)
    if not path.is_file():
        near = sorted(p.stem for p in path.parent.glob("*.py")) if path.parent.is_dir() else []
        folder = path.parent.relative_to(root).as_posix()
        return Missing(
            f"the handler's file {handler.file!r} does not exist",
            f"create it, or use one of the files in {folder!r}: {', '.join(near)}"
            if near
            else "create it, or correct the path",
        )
    try:
        with warnings.catch_warnings(action="ignore"):
            names = top_level_names(ast.parse(path.read_bytes(), filename=str(path)))
    except (SyntaxError, ValueError):
        return None
    if names is None or handler.function in names:
        return None
    return Missing(
        f"{handler.file!r} has no function {handler.function!r}",
        f"it has: {', '.join(sorted(names))}" if names else "it defines nothing",
    )
