"""Jobs that declare themselves: what stands in ``@job_handler(...)``, read from a module's syntax.

The module is never imported, so its options are literals: texts, numbers, lists, dicts, and calls
with literal arguments, which say what would be made of them. Pure.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devbridge.definitions import top_level

DECORATOR: Final = "job_handler"
ALLOWED: Final = (
    "options are read without running the file: texts, numbers, True, False, None, lists and dicts"
    " of these, and OnQueue(...), Lambda(...) or the like with such arguments"
)


@dataclass(frozen=True, slots=True)
class Called:
    """A call with literal arguments: ``OnQueue("orders", batch_size=1)``."""

    name: str
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    line: int = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Declared:
    """A decorated handler."""

    function: str
    name: str | None
    """None: the file's name is the job's."""
    options: Mapping[str, Any]
    line: int = field(compare=False, repr=False)
    """Of its decorator."""


class NotLiteralError(Exception):
    """An option whose value only running the file would tell."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what


def declared(module: ast.Module) -> tuple[Declared, ...]:
    """The module's handlers that declare themselves a job, in its order.

    Raises:
        NotLiteralError: an option is no literal.
    """
    names = _meant(module)
    found = []
    for statement in top_level(module.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in statement.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                if _name(call.func if call else decorator, names) == DECORATOR:
                    found.append(_declared(statement.name, decorator.lineno, call, names))
    return tuple(found)


def _meant(module: ast.Module) -> Mapping[str, str]:
    """What the module calls names of devbridge's by: ``from devbridge.job import x as y``."""
    return {
        alias.asname: alias.name
        for statement in top_level(module.body)
        if isinstance(statement, ast.ImportFrom)
        and (statement.module or "").startswith("devbridge")
        for alias in statement.names
        if alias.asname
    }


def _name(node: ast.expr, names: Mapping[str, str]) -> str:
    """What is called: ``job_handler`` and ``devbridge.job.job_handler`` are the same."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(attr=name):
            return name
    return ""


def _declared(
    function: str, line: int, call: ast.Call | None, names: Mapping[str, str]
) -> Declared:
    if call is None:
        return Declared(function, None, {}, line)
    args, options = _arguments(call, names)
    name = options.pop("name", args[0] if args else None)
    if len(args) > 1:
        raise NotLiteralError(call.args[1].lineno, f"{ast.unparse(call.args[1])} has no name")
    if name is not None and not isinstance(name, str):
        raise NotLiteralError(call.lineno, f"the job's name {name!r} is no text")
    return Declared(function, name, options, line)


def _arguments(call: ast.Call, names: Mapping[str, str]) -> tuple[list[Any], dict[str, Any]]:
    args = [_value(each, "", names) for each in call.args]
    options: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise _not_literal(keyword.value, "**")
        options[keyword.arg] = _value(keyword.value, f"{keyword.arg}=", names)
    return args, options


def _value(node: ast.expr, what: str, names: Mapping[str, str]) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, what, names) for item in items]
        case ast.Dict(keys=keys, values=values):
            return dict(_entries(zip(keys, values, strict=True), what, names))
        case ast.Call(func=ast.Name() | ast.Attribute() as function):
            args, options = _arguments(node, names)
            return Called(_name(function, names), tuple(args), options, node.lineno)
    raise _not_literal(node, what)


def _entries(
    pairs: Iterable[tuple[ast.expr | None, ast.expr]], what: str, names: Mapping[str, str]
) -> Iterator[tuple[Any, Any]]:
    for key, value in pairs:
        match key:
            case ast.Constant(value=str() | int() as known):
                yield known, _value(value, what, names)
            case _:
                raise _not_literal(key or value, what)


def _not_literal(node: ast.expr, what: str) -> NotLiteralError:
    return NotLiteralError(node.lineno, f"{what}{ast.unparse(node)} is no literal")
