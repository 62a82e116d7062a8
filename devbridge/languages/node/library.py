"""JavaScript's own types, and what JSON.stringify makes of their values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
ANY: Final = "is `any`: nothing is checked; declare its type"
DATE: Final = "is a Date: JSON has none, and a text arrives; declare a string"
_SCALARS: Final[Mapping[str, Json]] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "true": {"enum": [True]},
    "false": {"enum": [False]},
    "unknown": {},
    "object": {},
    "never": {"not": {}},
    "String": {"type": "string"},
    "Number": {"type": "number"},
    "Boolean": {"type": "boolean"},
    "Object": {},
}
_NOT_THERE: Final = frozenset({"undefined", "void"})
_AS_EMPTY: Final = frozenset(
    {"Map", "ReadonlyMap", "WeakMap", "Set", "ReadonlySet", "WeakSet", "Promise", "PromiseLike"}
    | {"RegExp", "Error", "AggregateError", "bigint"}
)
_BYTES: Final = re.compile(r"(?:Shared)?ArrayBuffer|DataView|Buffer|\w*(?:Int|Uint|Float)\w*Array")


@dataclass(frozen=True, slots=True)
class Known:
    """One of them."""

    schema: Json | None
    """Empty: anything. None: it is left out."""
    note: str = ""
    """What there is to say about it."""
    only_read: bool = False
    """That is to say only of what is read from JSON."""


def left_out(what: str) -> Known:
    """A value that JSON.stringify leaves out, though it is one."""
    return Known(None, f"is a {what}, which JSON leaves out")


def known(name: str) -> Known | None:  # noqa: PLR0911
    """A type by its name, without arguments; None if it is none of them."""
    if name in _SCALARS:
        return Known(_SCALARS[name])
    if name in _NOT_THERE:
        return Known(None)
    if name == "any":
        return Known({}, ANY, only_read=True)
    if name == "Date":
        return Known({"type": "string", "format": "date-time"}, DATE, only_read=True)
    if name in ("symbol", "Function"):
        return left_out(name.lower())
    if name in _AS_EMPTY or _BYTES.fullmatch(name):
        article = "an" if name[0] in "AEI" else "a"
        return Known({}, f"is {article} {name}, which JSON does not have")
    return None
