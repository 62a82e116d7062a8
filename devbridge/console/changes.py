"""What has changed, for pages that come and go: which things, in the order of their last change.

Pure. What is told of a thing is looked up when a page is told of it, so a page that was away hears
of each thing once, as it is now.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

MOST: Final = 2000
"""Things that are remembered. Who has missed more loads everything anew."""


class Changes:
    """The last change of each thing.

    Args:
        instance: tells these from those of a console that was here before.
    """

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.number = 0
        """That of the last change."""
        self._last: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0

    def add(self, thing: str) -> None:
        """It has changed now."""
        self.number += 1
        self._last.pop(thing, None)
        self._last[thing] = self.number
        if len(self._last) > MOST:
            _, self._forgotten = self._last.popitem(last=False)

    def since(self, number: int) -> Sequence[str] | None:
        """What has changed after that change, in order; None: nobody knows any more."""
        if number < self._forgotten:
            return None
        newer: list[str] = []
        for thing in reversed(self._last):
            if self._last[thing] <= number:
                break
            newer.append(thing)
        return newer[::-1]

    def event_id(self, number: int) -> str:
        """What a page is told that it knows."""
        return f"{self.instance}-{number}"

    def known(self, event_id: str) -> int | None:
        """The number of the change that a page knows last; None: it is none of these."""
        instance, _, number = event_id.rpartition("-")
        known = instance == self.instance and number.isascii() and number.isdigit()
        return int(number) if known and int(number) <= self.number else None
