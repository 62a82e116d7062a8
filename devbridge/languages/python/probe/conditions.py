"""What a condition is where the code will run: true, false, or not known. Pure."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

UNKNOWN: Final = object()

_COMPARE: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}
_METHODS: Final = frozenset({"startswith", "endswith", "lower", "upper", "casefold"})


def facts(platform: str, version: Sequence[int], machine: str) -> dict[str, object]:
    """What modules can ask about a Python, by the dotted names that they ask with."""
    windows, mac = platform == "win32", platform == "darwin"
    found: dict[str, object] = {
        "sys.platform": platform,
        "os.name": "nt" if windows else "posix",
        "platform.system()": "Windows" if windows else "Darwin" if mac else "Linux",
        "platform.machine()": machine,
        "platform.python_implementation()": "CPython",
        "sys.implementation.name": "cpython",
        "sys.version_info": (*version[:2], 99),
        "sys.version_info.major": version[0],
        "sys.version_info.minor": version[1],
        "sys.hexversion": version[0] << 24 | version[1] << 16 | 0xFF00,
        "sys.maxsize": 2**63 - 1,
        "sys.byteorder": "little",
        "sys.flags.optimize": 0,
        "typing.TYPE_CHECKING": False,
        "typing_extensions.TYPE_CHECKING": False,
        "six.PY2": False,
        "six.PY3": True,
        "__debug__": True,
        "__name__": "imported",
    }
    return found


class Conditions:
    """Works out conditions of one module."""

    def __init__(self, known: Mapping[str, object], aliases: Mapping[str, str]) -> None:
        """
        Args:
            known: as `facts` gives them.
            aliases: what the module calls what it has imported -> the dotted name of that.
        """
        self._known = known
        self._aliases = aliases
        self.names: dict[str, object] = {}
        """What the module's own names are, as far as that is known."""

    def truth(self, node: ast.expr) -> bool | None:
        """None: it is not known."""
        value = self.value(node)
        return None if value is UNKNOWN else bool(value)

    def value(self, node: ast.expr) -> object:
        """What an expression is; UNKNOWN where that cannot be told."""
        try:
            return self._value(node)
        except Exception:  # whatever operators raise for what they are given
            return UNKNOWN

    def dotted(self, node: ast.expr) -> str:
        """The name behind an expression: ``typing.TYPE_CHECKING`` for ``t.TYPE_CHECKING``."""
        if isinstance(node, ast.Name):
            return self._aliases.get(node.id, node.id)
        if isinstance(node, ast.Attribute) and (base := self.dotted(node.value)):
            return f"{base}.{node.attr}"
        return ""

    def _value(self, node: ast.expr) -> object:
        found: object = UNKNOWN
        match node:
            case ast.Constant():
                found = node.value
            case ast.Name(id=name) if name in self.names:
                found = self.names[name]
            case ast.Name() | ast.Attribute():
                found = self._known_name(node)
            case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
                values = tuple(map(self._value, items))
                found = UNKNOWN if UNKNOWN in values else values
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                truth = self.truth(operand)
                found = UNKNOWN if truth is None else not truth
            case ast.BoolOp(op=op, values=operands):
                found = self._both([self.truth(each) for each in operands], isinstance(op, ast.Or))
            case ast.Compare(left=left, ops=ops, comparators=rest):
                found = self._compared([left, *rest], ops)
            case ast.Subscript():
                found = self._part(node)
            case ast.Call():
                found = self._called(node)
        return found

    def _known_name(self, node: ast.expr) -> object:
        name = self.dotted(node)
        # A name that a type checker sets is nobody else's.
        if name.rpartition(".")[2] in ("TYPE_CHECKING", "MYPY"):
            return False
        return self._known.get(name, UNKNOWN)

    def _part(self, node: ast.Subscript) -> object:
        whole: Any = self._value(node.value)
        if isinstance(node.slice, ast.Slice):
            ends = (node.slice.lower, node.slice.upper, node.slice.step)
            return whole[slice(*(self._value(each) if each else None for each in ends))]
        return whole[self._value(node.slice)]

    def _called(self, node: ast.Call) -> object:
        values = [self._value(each) for each in node.args]
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            text = self._value(node.func.value)
            if isinstance(text, str) and UNKNOWN not in values:
                return getattr(text, node.func.attr)(*values)
        if isinstance(node.func, ast.Name) and node.func.id == "bool" and UNKNOWN not in values:
            return bool(*values)
        return UNKNOWN if values else self._known.get(f"{self.dotted(node.func)}()", UNKNOWN)

    @staticmethod
    def _both(values: Sequence[bool | None], either: bool) -> object:
        if either in values:
            return either
        return UNKNOWN if None in values else not either

    def _compared(self, sides: Sequence[ast.expr], ops: Sequence[ast.cmpop]) -> object:
        values = list(map(self._value, sides))
        if UNKNOWN in values:
            return UNKNOWN
        pairs = zip(values, ops, values[1:], strict=False)
        return all(_COMPARE[type(op)](left, right) for left, op, right in pairs)
