"""How numbers and names are written in sentences. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

NAMED: Final = 6
"""How many names a line has; of others it has the number."""


def few(names: Sequence[str]) -> str:
    """These names, or the first of them and how many more there are."""
    if len(names) <= NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def many(count: int, one: str, more: str = "") -> str:
    """A number of something: ``1 run``, ``1,204 runs``.

    Args:
        one: what it is called in the singular, with whatever follows: ``run was``.
        more: the same in the plural; by default with an ``s``.
    """
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"
