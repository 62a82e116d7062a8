"""Where the lines of a long text are: how many line ends come before each of its blocks.

A line is found by a bisection and a look at one block, so a million of them take as long as ten;
and a text that has grown is counted on from where it ended. Pure: the bytes are read by others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

BLOCK: Final = 1 << 16
LONGEST: Final = 32 * 1024
"""Characters of a line that are shown."""
MOST: Final = 4 << 20
"""Bytes that are read for one answer, unless a single line has more."""

Read = Callable[[int, int], bytes]
"""Gives at most so many bytes from a place on: the place first."""


class LineIndex:
    """Of one text, which may grow at its end."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes that were counted."""
        self._ends = 0
        """Line ends in them."""
        self._before: list[int] = []
        """Line ends before each block."""
        self._open = False
        """Something comes after the last line end."""

    @property
    def total(self) -> int:
        """How many lines there are, one that is not ended included."""
        return self._ends + self._open

    def grow(self, read: Read, size: int) -> None:
        """Count on, to that size."""
        while self.size < size:
            if self.size % BLOCK == 0:
                self._before.append(self._ends)
            room = BLOCK - self.size % BLOCK
            data = read(self.size, min(room, size - self.size))
            if not data:
                return
            self.size += len(data)
            self._ends += data.count(b"\n")
            self._open = not data.endswith(b"\n")

    def lines(self, start: int, count: int, read: Read) -> list[str]:
        """Lines from `start` on, as many as there are and as fit into an answer; at least one."""
        start, end = max(start, 0), min(start + count, self.total)
        if start >= end:
            return []
        begin = self.offset(start, read)
        until = self.size if end >= self.total else self.offset(end, read)
        if until - begin <= MOST:
            data = read(begin, until - begin)
        else:
            data = read(begin, MOST)
            whole = data.rfind(b"\n") + 1
            data = data[:whole] if whole else data[: 4 * LONGEST]
        return [_shown(line) for line in data.removesuffix(b"\n").split(b"\n")]

    def offset(self, line: int, read: Read) -> int:
        """Where a line begins."""
        if line <= 0:
            return 0
        block = max(0, bisect_left(self._before, line) - 1)
        place = block * BLOCK
        data, left, at = read(place, BLOCK), line - self._before[block], -1
        for _ in range(left):
            at = data.find(b"\n", at + 1)
        return place + at + 1

    def line_at(self, place: int, read: Read) -> int:
        """The line that has the byte at a place."""
        block = place // BLOCK
        return self._before[block] + read(block * BLOCK, place - block * BLOCK).count(b"\n")

    def find(self, text: str, start: int, read: Read, *, back: bool = False) -> int | None:
        """The line that has a text, from `start` on or, `back`, up to it; ASCII letters are the
        same in either case. None: no line has it."""
        sought = text.encode("utf-8", "replace").lower()
        if not sought or b"\n" in sought:
            return None
        at = self._back(sought, start, read) if back else self._on(sought, start, read)
        return None if at is None else self.line_at(at, read)

    def _on(self, sought: bytes, start: int, read: Read) -> int | None:
        place = self.size if start >= self.total else self.offset(start, read)
        while place < self.size:
            # What goes over the end of a piece begins in it, and is read with it.
            data = read(place, min(_PIECE + len(sought) - 1, self.size - place)).lower()
            if (at := data.find(sought)) >= 0:
                return place + at
            place += _PIECE
        return None

    def _back(self, sought: bytes, start: int, read: Read) -> int | None:
        end = self.size if start + 1 >= self.total else self.offset(start + 1, read)
        while end > 0:
            place = max(0, end - _PIECE)
            data = read(place, min(end + len(sought) - 1, self.size) - place).lower()
            if (at := data.rfind(sought)) >= 0:
                return place + at
            end = place
        return None


_PIECE: Final = 1 << 20


def _shown(line: bytes) -> str:
    text = line[: 4 * LONGEST].decode("utf-8", "replace")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
