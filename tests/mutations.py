"""The small changes that ``python -m tests.mutants`` makes to a module: source in, sources out."""

from __future__ import annotations

import ast
import copy
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

_KEY = re.compile(r"[A-Za-z_][\w.:/-]*")  # a text that code compares, unlike one that people read
_ABOUT_TYPES = {"isinstance", "issubclass", "cast", "TypeVar", "NewType", "ParamSpec", "Literal"}

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """A module with one change: what kind of change, in which line, and the whole new source."""

    kind: str
    line: int
    removed: str
    added: str
    source: bytes

    def diff(self) -> str:
        """The lines that differ, as in a diff without context."""
        return "\n".join(
            [f"    - {line}" for line in self.removed.splitlines()]
            + [f"    + {line}" for line in self.added.splitlines()]
        )


def mutants_of(source: bytes) -> list[Mutant]:
    """All mutants of a module, in the order of its lines. What does not compile is left out."""
    changes = _Changes()
    changes.visit(ast.parse(source))
    made = [_mutant(source, *change) for change in changes.found]
    return sorted((one for one in made if one is not None), key=lambda one: one.line)


def chosen(mutants: Sequence[Mutant], number: int, seed: int) -> list[Mutant]:
    """At random, but each kind in its turn: else most of them would change a text or a call."""
    kinds: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        kinds[mutant.kind].append(mutant)
    dice = random.Random(seed)  # noqa: S311
    rows = list(kinds.values())
    dice.shuffle(rows)
    for row in rows:
        dice.shuffle(row)
    in_turn = [one for turn in zip_longest(*rows) for one in turn if one is not None]
    return sorted(in_turn[:number], key=lambda one: one.line)


_Node: TypeAlias = ast.expr | ast.stmt


def _mutant(source: bytes, kind: str, first: _Node, last: _Node, text: str) -> Mutant | None:
    """The source with ``text`` in the place of what stands from ``first`` to ``last``."""
    assert last.end_lineno is not None
    lines = source.splitlines(keepends=True)
    begin, end = first.lineno - 1, last.end_lineno
    changed = b"".join(
        [
            *lines[:begin],
            lines[begin][: first.col_offset],  # columns are counted in bytes
            text.encode(),
            lines[end - 1][last.end_col_offset :],
            *lines[end:],
        ]
    )
    try:
        compile(changed, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    after = changed.splitlines(keepends=True)
    return Mutant(
        kind,
        first.lineno,
        b"".join(lines[begin:end]).decode(),
        b"".join(after[begin : len(after) - len(lines) + end]).decode(),
        changed,
    )


class _Changes(ast.NodeVisitor):
    """Collects the changes; does not go where a change would only change types or documentation."""

    def __init__(self) -> None:
        self.found: list[tuple[str, _Node, _Node, str]] = []

    def _change(self, kind: str, old: _Node, new: ast.expr | str) -> None:
        text = new if isinstance(new, str) else f"({ast.unparse(new)})"
        self.found.append((kind, old, old, text))

    # What is left alone

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Nothing: before Python 3.12, what is inside has the position of the whole."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The value, not the annotation."""
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Decorators, default values and the body."""
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """As for other functions."""
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults, *node.body]:
            if part is not None:
                self.visit(part)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """The body: ``frozen`` and ``slots`` keep code honest, and change nothing that it does."""
        for statement in node.body:
            self.visit(statement)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Not ``Literal["a"]``."""
        if not (isinstance(node.value, ast.Name) and node.value.id in _ABOUT_TYPES):
            self.generic_visit(node)

    # Conditions

    def visit_If(self, node: ast.If) -> None:
        """The condition; not what is only for type checkers."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        """The condition."""
        self._condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """The condition."""
        self._condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """The conditions."""
        for test in node.ifs:
            self._condition(test)
        self.generic_visit(node)

    def _condition(self, test: ast.expr) -> None:
        turned_anyway = ast.Compare | ast.BoolOp | ast.Constant | ast.JoinedStr
        if not isinstance(test, turned_anyway) and not _is_not(test):
            self._change("condition", test, ast.UnaryOp(ast.Not(), test))

    def visit_Compare(self, node: ast.Compare) -> None:
        """Each operator becomes its neighbour or its opposite."""
        for place, operator in enumerate(node.ops):
            new = copy.copy(node)
            new.ops = [*node.ops]
            new.ops[place] = _COMPARED[type(operator)]()
            self._change("comparison", node, new)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """``and`` becomes ``or``, and each operand is left out."""
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._change("and, or", node, ast.BoolOp(other, node.values))
        for place in range(len(node.values)):
            rest = [*node.values[:place], *node.values[place + 1 :]]
            self._change("operand", node, ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """``not`` goes."""
        if _is_not(node):
            self._change("not", node, node.operand)
        self.generic_visit(node)

    # Values

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Plus becomes minus, and so on."""
        if (other := _COMPUTED.get(type(node.op))) and not isinstance(node.left, ast.JoinedStr):
            self._change("arithmetic", node, ast.BinOp(node.left, other(), node.right))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """One more, the opposite, or another key; sentences stay as they are."""
        value = node.value
        new: object = value
        if isinstance(value, bool):
            new = not value
        elif isinstance(value, int | float):
            new = value + 1
        elif (isinstance(value, str) and _KEY.fullmatch(value)) or value == "":
            new = f"{value}_"
        elif isinstance(value, bytes):
            new = value + b"_"
        if new is not value:
            self._change("constant", node, repr(new))

    def visit_Call(self, node: ast.Call) -> None:
        """The first two arguments are swapped, each keyword is left out, max becomes min."""
        if isinstance(node.func, ast.Name) and node.func.id in _ABOUT_TYPES:
            return
        if isinstance(node.func, ast.Name) and (other := _CALLED.get(node.func.id)):
            self._change("min, max, any, all", node.func, other)
        match node.args:
            case [first, second, *rest] if _may_be_swapped(first, second):
                swapped = ast.Call(node.func, [second, first, *rest], node.keywords)
                self._change("arguments", node, ast.unparse(swapped))
        for place, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                fewer = [*node.keywords[:place], *node.keywords[place + 1 :]]
                call = ast.Call(node.func, node.args, fewer)
                self._change("keyword", node, ast.unparse(call))
        self.generic_visit(node)

    # Statements

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call is left out."""
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node.value, ast.Call | ast.Await):
            self._change("statement", node, "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """What is kept beyond the function is not kept."""
        if isinstance(node.targets[0], ast.Attribute | ast.Subscript):
            self._change("statement", node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """It is left out."""
        self._change("statement", node, "pass")
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        """It is left out."""
        self._change("statement", node, "pass")

    def visit_Raise(self, node: ast.Raise) -> None:
        """It is left out."""
        self._change("raise", node, "pass")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        """It returns nothing, or does not return."""
        nothing = node.value is None or _is_none(node.value)
        self._change("return", node, "pass" if nothing else "return None")
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        """It goes on."""
        self._change("loop", node, "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        """It goes no further."""
        self._change("loop", node, "break")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """The exception is not caught."""
        if not isinstance(node.body[0], ast.Raise):
            self.found.append(("except", node.body[0], node.body[-1], "raise"))
        for statement in node.body:
            self.visit(statement)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Nothing: it is for type checkers."""


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _may_be_swapped(first: ast.expr, second: ast.expr) -> bool:
    starred = isinstance(first, ast.Starred) or isinstance(second, ast.Starred)
    return not starred and ast.dump(first) != ast.dump(second)
