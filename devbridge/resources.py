"""What `bind` gave, read back at run time: ``Table.notes.table_name``.

Standard library only: it is part of every function's zip.
"""

from __future__ import annotations

import os

from devbridge.errors import NotFound


def variable(kind: str, prop: str, name: str) -> str:
    """The environment variable that carries one property of a bound resource."""
    return f"DEVBRIDGE_{kind}_{prop}_{name.replace('-', '_')}"


def bound(kind: str, prop: str, name: str) -> str:
    """The property's value in this process.

    Raises:
        NotFound: this function or job does not bind that resource.
    """
    value = os.environ.get(variable(kind, prop, name))
    if value:
        return value
    known = variable(kind, prop, "")
    names = sorted(key[len(known) :] for key in os.environ if key.startswith(known))
    raise NotFound(
        f"{kind} {name!r} is not bound here",
        where=f"environment variable {variable(kind, prop, name)}",
        remedy=f"add it to `bind` in app.py; bound are: {', '.join(names) or 'none'}",
    )


class BoundTable:
    """A bound DynamoDB table."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def table_name(self) -> str:
        """The deployed table's name.

        Raises:
            NotFound: the table is not bound here.
        """
        return bound("Table", "tableName", self._name)


class _Tables(type):
    def __getattr__(cls, name: str) -> BoundTable:
        if name.startswith("__"):
            raise AttributeError(name)
        return BoundTable(name)


class Table(metaclass=_Tables):
    """The bound tables by name, with '_' for '-': ``Table.notes.table_name``."""
