"""What a module imports, and how surely, read from its source. Pure.

By hand: `modulefinder` and modulegraph take every import for sure, whatever guards it and whatever
platform it is for.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from devbridge.definitions import exported, parsed, top_level, top_level_names
from devbridge.languages.python.probe.conditions import UNKNOWN, Conditions

GUARDED: Final = 0
"""The code goes on when the import fails."""
PERHAPS: Final = 1
"""It is in a function, or under a condition that is not known."""
SURE: Final = 2
"""Loading the module runs it."""
STAR: Final = "*"
ALL: Final = "**"
"""In place of a name: any module of the package, the name being made at run time."""

_CATCHES: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_SPECS: Final = ("find_spec", "find_loader", "find_distribution")
_IMPORTERS: Final = frozenset(
    {"importlib.import_module", "importlib.__import__", "__import__", "builtins.__import__"}
)
_RUNNERS: Final = frozenset({"runpy.run_module"})
_ENDS: Final = frozenset({"sys.exit", "exit", "quit", "os._exit"})


@dataclass(frozen=True, slots=True)
class Import:
    """One import: ``import module`` or ``from module import names``, made absolute."""

    module: str
    names: tuple[str, ...]
    line: int
    level: int
    """GUARDED, PERHAPS or SURE."""

    @property
    def top(self) -> str:
        """The first part of the module's name."""
        return self.module.partition(".")[0]


@dataclass(slots=True)
class Source:
    """What was read from one module."""

    imports: list[Import] = field(default_factory=list)
    exported: tuple[str, ...] | None = ()
    """What its ``__all__`` names; None if that is worked out at run time."""
    defined: frozenset[str] | None = frozenset()
    """The names that it binds; None with an ``import *``."""
    entry_points: bool = False
    """It asks for entry points."""


def read(
    source: bytes,
    *,
    filename: str,
    package: str,
    known: Mapping[str, object],
    here: Mapping[str, object] | None = None,
    handler: str = "",
) -> Source:
    """What one module imports; not what only type checkers or other platforms import.

    Args:
        filename: for the SyntaxError.
        package: dotted name of the package that the module is in, for relative imports.
        known: `facts` about where it will run.
        here: about this Python, if it is another one. What is only imported there is not sure: it
            cannot be known here whether it would be found.
        handler: a function of the module that will be called.

    Raises:
        SyntaxError, ValueError: the source does not parse.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = parsed(source, filename=filename)
    aliases = _aliases(tree)
    reader = _Reader(
        package, Conditions(known, aliases), Conditions(known if here is None else here, aliases)
    )
    reader.block(tree.body, SURE)
    if handler:
        for statement in top_level(tree.body):
            if (
                isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
                and statement.name == handler
            ):
                reader.block(statement.body, SURE)
    return Source(
        reader.found,
        exported(tree.body),
        top_level_names(tree),
        entry_points=b"entry_points" in source,
    )


def _aliases(tree: ast.Module) -> dict[str, str]:
    """What the module calls what it imports, wherever it does."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update({a.asname: a.name for a in node.names if a.asname})
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
    return found


class _Reader:
    """Goes through a module's statements as Python would."""

    def __init__(self, package: str, there: Conditions, here: Conditions) -> None:
        self.package = package
        self.found: list[Import] = []
        self._there = there
        self._here = here
        self._probed: set[str] = set()
        """Names that say whether a module was found."""

    # --- statements -------------------------------------------------------------------------

    def block(self, statements: Iterable[ast.stmt], level: int) -> bool:
        """Read statements; True if what follows them is never reached."""
        return any(self._statement(each, level) for each in statements)

    def _statement(self, statement: ast.stmt, level: int) -> bool:
        """Read one; True if it always leaves the block."""
        match statement:
            case ast.Import(names=aliases):
                for alias in aliases:
                    self._add(alias.name, (), statement.lineno, level)
            case ast.ImportFrom(names=aliases):
                module = self._absolute(statement.module or "", statement.level)
                self._add(module, tuple(a.name for a in aliases), statement.lineno, level)
            case ast.If():
                return self._if(statement, level)
            case ast.Try() | ast.TryStar():
                self._try(statement, level)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                self._expressions((item.context_expr for item in items), level)
                guarded = any(self._suppresses(item.context_expr) for item in items)
                return self.block(body, GUARDED if guarded else level) and not guarded
            case ast.Match():
                return self._match(statement, level)
            case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
                self._expressions(statement.decorator_list, level)
                self.block(body, min(level, PERHAPS))
            case ast.ClassDef(body=body):
                self._expressions([*statement.bases, *statement.decorator_list], level)
                self.block(body, level)
            case ast.For() | ast.AsyncFor() | ast.While():
                head = statement.test if isinstance(statement, ast.While) else statement.iter
                self._expressions([head], level)
                self.block(statement.body, min(level, PERHAPS))
                self.block(statement.orelse, min(level, PERHAPS))
            case _:
                self._expressions(_expressions_of(statement), level)
                self._assigned(statement)
                return isinstance(
                    statement, ast.Return | ast.Raise | ast.Continue | ast.Break
                ) or self._exits(statement)
        return False

    def _exits(self, statement: ast.stmt) -> bool:
        return (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and self._there.dotted(statement.value.func) in _ENDS
        )

    def _if(self, node: ast.If, level: int) -> bool:
        self._expressions([node.test], level)
        there, here = self._there.truth(node.test), self._here.truth(node.test)
        if there is None:
            inner = GUARDED if self._asks_for_modules(node.test) else min(level, PERHAPS)
            ends = self.block(node.body, inner), self.block(node.orelse, inner)
            return all(ends) and bool(node.orelse)
        taken = node.body if there else node.orelse
        return self.block(taken, level if here == there else min(level, PERHAPS))

    def _match(self, node: ast.Match, level: int) -> bool:
        self._expressions([node.subject], level)
        subject = self._there.value(node.subject)
        for case in node.cases:
            taken: bool | None = None
            if subject is not UNKNOWN:
                taken = self._matches(case.pattern, subject)
            if case.guard is not None and taken is not False:
                taken = None
            if taken is False:
                continue
            ends = self.block(case.body, level if taken else min(level, PERHAPS))
            if taken:
                return ends
        return False

    def _matches(self, pattern: ast.pattern, subject: object) -> bool | None:
        match pattern:
            case ast.MatchValue(value=value):
                wanted = self._there.value(value)
                return None if wanted is UNKNOWN else bool(wanted == subject)
            case ast.MatchOr(patterns=patterns):
                found = [self._matches(each, subject) for each in patterns]
                return True if True in found else None if None in found else False
            case ast.MatchAs(pattern=None):
                return True
        return None

    def _try(self, node: ast.Try | ast.TryStar, level: int) -> None:
        catching = [handler for handler in node.handlers if self._catches(handler.type)]
        goes_on = any(not self._raises(handler.body) for handler in catching)
        inner = GUARDED if goes_on else level
        self.block(node.body, inner)
        for handler in node.handlers:
            # The alternatives are as optional as the first choice.
            self.block(handler.body, inner if handler in catching else min(level, PERHAPS))
        self.block(node.orelse, inner)
        self.block(node.finalbody, level)

    def _raises(self, body: Sequence[ast.stmt]) -> bool:
        return any(isinstance(each, ast.Raise) or self._exits(each) for each in body)

    # --- guards -----------------------------------------------------------------------------

    def _catches(self, caught: ast.expr | None) -> bool:
        if caught is None:
            return True
        if isinstance(caught, ast.Starred):
            return self._catches(caught.value)
        if isinstance(caught, ast.Tuple):
            return any(map(self._catches, caught.elts))
        name = self._there.dotted(caught)
        if isinstance(kinds := self._there.names.get(name), tuple):
            return bool(_CATCHES & set(kinds))
        return name.rpartition(".")[2] in _CATCHES

    def _suppresses(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Call)
            and self._there.dotted(node.func).rpartition(".")[2] == "suppress"
            and any(map(self._catches, node.args))
        )

    def _asks_for_modules(self, test: ast.expr) -> bool:
        """Whether a condition is that a module can be found, or was imported."""
        for node in ast.walk(test):
            if isinstance(node, ast.Call) and self._there.dotted(node.func).endswith(_SPECS):
                return True
            if isinstance(node, ast.Name) and node.id in self._probed:
                return True
            if isinstance(node, ast.Attribute) and self._there.dotted(node) == "sys.modules":
                return True
        return False

    def _assigned(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                return
        if self._asks_for_modules(value):
            self._probed.add(name)
        for conditions in (self._there, self._here):
            if name in conditions.names:  # said twice: it may be either
                conditions.names[name] = UNKNOWN
            elif isinstance(value, ast.Tuple):
                conditions.names[name] = tuple(
                    conditions.dotted(item).rpartition(".")[2] for item in value.elts
                )
            else:
                conditions.names[name] = conditions.value(value)

    # --- imports ----------------------------------------------------------------------------

    def _add(self, module: str, names: tuple[str, ...], line: int, level: int) -> None:
        if module:
            self.found.append(Import(module, names, line, level))

    def _absolute(self, module: str, level: int) -> str:
        """An import's module; empty if it leads out of what there is."""
        if not level:
            return module
        parents = self.package.split(".") if self.package else []
        if level > len(parents):
            return ""
        return ".".join([*parents[: len(parents) - level + 1], *filter(None, [module])])

    def _expressions(self, nodes: Iterable[ast.expr], level: int) -> None:
        """Modules that are imported by calls: ``importlib.import_module("name")``."""
        for root in nodes:
            for node in ast.walk(root):
                if isinstance(node, ast.Call):
                    self._call(node, level)
                elif isinstance(node, ast.List | ast.Tuple):
                    self._command(node)

    def _call(self, node: ast.Call, level: int) -> None:
        name = self._there.dotted(node.func)
        if name not in (_IMPORTERS | _RUNNERS) or not node.args:
            return
        text, whole = _beginning(node.args[0])
        if not text:
            return
        stripped = text.lstrip(".")
        module = self._absolute(stripped, len(text) - len(stripped)) if text[0] == "." else text
        if not whole:
            package, _, rest = module.rpartition(".")
            if package and not rest:
                self._add(package, (ALL,), node.lineno, GUARDED)
        elif name in _RUNNERS:
            self._add(module, ("__main__",), node.lineno, level)
        else:
            self._add(module, (), node.lineno, level)

    def _command(self, node: ast.List | ast.Tuple) -> None:
        """``[sys.executable, "-m", "name", ...]``"""
        if not node.elts or self._there.dotted(node.elts[0]) != "sys.executable":
            return
        words = [each.value if isinstance(each, ast.Constant) else None for each in node.elts]
        if "-m" in words[:-1] and isinstance(module := words[words.index("-m") + 1], str):
            self._add(module, ("__main__",), node.lineno, GUARDED)


def _expressions_of(statement: ast.stmt) -> list[ast.expr]:
    return [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.expr)]


def _beginning(node: ast.expr) -> tuple[str, bool]:
    """What a text begins with, and whether that is all of it."""
    match node:
        case ast.Constant(value=str() as text):
            return text, True
        case ast.JoinedStr(values=[ast.Constant(value=str() as text), *_]):
            return text, False
        case ast.BinOp(left=left, op=ast.Add()):
            return _beginning(left)[0], False
        case ast.BinOp(left=ast.Constant(value=str() as text), op=ast.Mod()):
            return text.partition("%")[0], False
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str() as text), attr="format")):
            return text.partition("{")[0], False
    return "", False
