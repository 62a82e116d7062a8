"""Whether anybody has changed a dictionary, without looking at what is in it.

CPython up to 3.13 counts the changes of all dictionaries, and each one keeps the count of its own
last change. To compare contents instead is to count references to them, and so to copy, in a fork,
the memory of all that a module has.
"""

from __future__ import annotations

import functools
import gc
from array import array
from collections.abc import Iterable
from ctypes import c_uint64
from typing import Any

_OFFSET = 24
"""Of the count in a dictionary: behind the object's head and the number of its entries."""
_read = c_uint64.from_address


class Versions:
    """Of some dictionaries that stay, as they are when this is made."""

    def __init__(self, dictionaries: Iterable[dict[str, Any]]) -> None:
        self._numbers = array("Q")
        for each in dictionaries if are_counted() else ():
            address = id(each) + _OFFSET
            self._numbers.extend((address, _read(address).value))

    def are_same(self) -> bool:
        """Whether none was changed since; False where that is not known."""
        numbers = iter(self._numbers)
        for address, then in zip(numbers, numbers, strict=True):
            if _read(address).value != then:
                return False
        return bool(self._numbers)


def namespace_of(cls: type) -> dict[str, Any]:
    """The dictionary behind a class's `__dict__`, which must not be written to."""
    found: list[Any] = gc.get_referents(vars(cls))
    (namespace,) = found
    assert isinstance(namespace, dict)  # noqa: S101 - narrows the type
    return namespace


@functools.cache
def are_counted() -> bool:
    """Whether this interpreter counts: told by what a dictionary of ours has there."""
    probe: dict[str, Any] = {"a": 1}
    address = id(probe) + _OFFSET
    if probe.__sizeof__() < _OFFSET + 8:
        return False
    seen = [_read(address).value]
    for change in (lambda: probe.update(a=2), lambda: probe.update(b=3), lambda: probe.pop("a")):
        change()
        seen.append(_read(address).value)
    probe.get("b")
    return len(set(seen)) == len(seen) and _read(address).value == seen[-1]
