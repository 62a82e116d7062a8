"""What a zygote hands down to its forks in one piece, which each unpacks into memory of its own.

Of many small objects a fork copies the page that each of them is on, as soon as it looks at it.
"""

from __future__ import annotations

import marshal
from typing import Any

_FORMAT = 2
"""Later ones intern strings, and so look at those that there are already."""


def pack(value: Any) -> bytes:
    """Tuples, lists, dictionaries, strings and numbers."""
    return marshal.dumps(value, _FORMAT)


def unpack(packed: bytes) -> Any:
    """The same again, as new objects."""
    return marshal.loads(packed)  # noqa: S302 - it is our own
