"""What a module imports, read from its source. Pure."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_CATCHES: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


@dataclass(frozen=True, slots=True)
class Import:
    """One import: ``import module`` or ``from module import names``, made absolute."""

    module: str
    names: tuple[str, ...]
    line: int
    optional: bool
    """It is in a ``try`` that catches its failure."""

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


@functools.lru_cache(maxsize=4096)
def imports_of(source: bytes, *, filename: str, package: str) -> tuple[Import, ...]:
    """The imports of one module, also those in functions; not those only for type checkers.

    Args:
        filename: for the SyntaxError.
        package: dotted name of the package that the module is in, for relative imports.

    Raises:
        SyntaxError: the source does not parse.
    """
    visitor = _Imports(package)
    visitor.visit(ast.parse(source, filename=filename))
    return tuple(visitor.found)


class _Imports(ast.NodeVisitor):
    def __init__(self, package: str) -> None:
        self.package = package
        self.found: list[Import] = []
        self.guards = 0

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.found.append(Import(alias.name, (), node.lineno, self.guards > 0))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            parents = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
            module = ".".join([*filter(None, parents), *filter(None, [module])])
        if module:
            names = tuple(alias.name for alias in node.names)
            self.found.append(Import(module, names, node.lineno, self.guards > 0))

    def visit_If(self, node: ast.If) -> None:
        if not _is_type_checking(node.test):
            self._visit_all(node.body)
        self._visit_all(node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        catches = any(_catches_import_error(handler.type) for handler in node.handlers)
        self.guards += catches
        self._visit_all(node.body)
        # The alternatives are as optional as the first choice.
        for handler in node.handlers:
            self._visit_all(handler.body)
        self.guards -= catches
        self._visit_all([*node.orelse, *node.finalbody])

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _catches_import_error(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    elements = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(element, ast.Name) and element.id in _CATCHES for element in elements)
