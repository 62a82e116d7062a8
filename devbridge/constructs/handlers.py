"""Handler paths: their syntax, and the static check that file and function exist.

The user's code is parsed, never imported: loading the app must not run its handlers' modules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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

    A file that does not parse is let through: the worker and the builder show its syntax error.
    """
    path = root / handler.file
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
        names = top_level_names(ast.parse(path.read_bytes(), filename=str(path)))
    except (SyntaxError, ValueError):
        return None
    if names is None or handler.function in names:
        return None
    return Missing(
        f"{handler.file!r} has no function {handler.function!r}",
        f"it has: {', '.join(sorted(names))}" if names else "it defines nothing",
    )


def top_level_names(module: ast.Module) -> frozenset[str] | None:
    """The names that a module binds which could be handlers; None with an ``import *``."""
    names: set[str] = set()
    for statement in _flat(module.body):
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                if any(alias.name == "*" for alias in aliases):
                    return None
                names.update((a.asname or a.name).split(".")[0] for a in aliases)
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names.update(_targets(targets))
            case ast.AnnAssign(target=target, value=value) if value is not None:
                names.update(_targets([target]))
    return frozenset(names)


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """A module's statements, with those inside if, try, with and loops."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from _flat(getattr(statement, name, ()))
            for handler in getattr(statement, "handlers", ()):
                yield from _flat(handler.body)


def _targets(targets: Iterable[ast.expr]) -> Iterator[str]:
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                yield node.id
