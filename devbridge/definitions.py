"""The names that a module defines, read from its source. Pure.

Standard library only: the probe of `packing` reads with it in the app's interpreter.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterable, Iterator, Sequence

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
"""What has a yield of its own."""


_ONE = threading.Lock()


def parsed(source: str | bytes, filename: str = "<unknown>") -> ast.Module:
    """As `ast.parse`, but one at a time: Python 3.11 counts the depth of the trees of all threads
    together, and ends with a SystemError when two make theirs at once.

    Raises:
        SyntaxError, ValueError: as `ast.parse`.
    """
    with _ONE:
        return ast.parse(source, filename=filename)


def exported(body: Sequence[ast.stmt]) -> tuple[str, ...] | None:
    """What ``__all__`` names; None if it is worked out at run time."""
    names: tuple[str, ...] = ()
    for statement in top_level(body):
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                new = _texts(value)
                names = ()
            case ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value):
                new = _texts(value)
            case ast.AugAssign(target=ast.Name(id="__all__"), value=value):
                new = _texts(value)
            case ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Name(id="__all__"), attr="extend" | "append"),
                    args=[value],
                )
            ):
                new = _texts(value)
            case _:
                continue
        if new is None:
            return None
        names += new
    return names


def _texts(node: ast.expr) -> tuple[str, ...] | None:
    match node:
        case ast.Constant(value=str() as text):
            return (text,)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            found = [_texts(item) for item in items]
            return None if None in found else tuple(t for each in found if each for t in each)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, two = _texts(left), _texts(right)
            return None if one is None or two is None else one + two
    return None


def top_level_names(module: ast.Module) -> frozenset[str] | None:
    """The names that a module binds which could be handlers; None with an ``import *``."""
    names: set[str] = set()
    for statement in top_level(module.body):
        match statement:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                names.add(name)
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                if any(alias.name == "*" for alias in aliases):
                    return None
                names.update((a.asname or a.name).split(".")[0] for a in aliases)
            case ast.Assign(targets=targets):
                names.update(_targets(targets))
            case ast.AnnAssign(target=target, value=value) if value is not None:
                names.update(_targets([target]))
    return frozenset(names)


_TRANSPARENT = frozenset({"job_handler"})
"""Decorators whose functions yield what the decorated ones do."""


def yields(module: ast.Module, name: str) -> bool | None:
    """Whether a module's function is a generator; None if its text does not tell.

    An unknown decorator may make of a generator what it wants.
    """
    found: set[bool | None] = set()
    for statement in top_level(module.body):
        match statement:
            case ast.FunctionDef(name=given) | ast.AsyncFunctionDef(name=given) if given == name:
                known = all(map(_is_transparent, statement.decorator_list))
                found.add(_is_generator(statement) if known else None)
            case _:
                one = top_level_names(ast.Module([statement], []))
                if (one is None or name in one) and not _is_compound(statement):
                    found.add(None)
    return found.pop() if len(found) == 1 else None


def _is_compound(statement: ast.stmt) -> bool:
    """Whether what is inside a statement is told of by itself."""
    function = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return not isinstance(statement, function) and hasattr(statement, "body")


def _is_transparent(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _TRANSPARENT
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _TRANSPARENT
    return False


def _is_generator(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    nodes: list[ast.AST] = [*function.body]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, _SCOPES):
            nodes += ast.iter_child_nodes(node)
    return False


def top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """A module's statements, with those inside if, try, with, match and loops."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from top_level(getattr(statement, name, ()))
            for inner in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                yield from top_level(inner.body)


def _targets(targets: Iterable[ast.expr]) -> Iterator[str]:
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                yield node.id
