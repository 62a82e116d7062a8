"""A part of a log, for who reads it in pieces: its end, what follows a line, what has a text.

Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from devbridge.printable import Cleaner, without_colours
from devbridge.redaction import redacted

WIDTH: Final = 2000
"""Characters of a line that are shown."""
_HELD: Final = 1 << 18
"""Bytes of a line that are kept while its end has not come."""
MOST: Final = 40_000
"""Characters that are shown at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a log, each with its number, from 1 on."""

    lines: tuple[tuple[int, str], ...]
    total: int
    """Lines that the log has."""
    found: int | None = None
    """Lines that have what was looked for, if anything was."""

    def text(self) -> str:
        """As it is shown."""
        return "\n".join([self._head(), *(f"{number}: {line}" for number, line in self.lines)])

    def _head(self) -> str:
        of = f"of {self.total:,} line{'' if self.total == 1 else 's'}"
        if self.found is not None:
            shown = f", the last {len(self.lines)} of them" if len(self.lines) < self.found else ""
            return f"{self.found:,} {of} {'has' if self.found == 1 else 'have'} it{shown}"
        if not self.lines:
            return f"none {of}"
        return f"lines {self.lines[0][0]}-{self.lines[-1][0]} {of}"


def part(
    chunks: Iterable[bytes], count: int, *, find: str | None = None, start: int | None = None
) -> Part:
    """The last `count` lines of a log; those from number `start` on; or the last that have a text.

    Args:
        find: the text; upper and lower case are the same.
    """
    wanted, found, total = None if find is None else find.casefold(), 0, 0
    kept: deque[tuple[int, str]] = deque(maxlen=None if start is not None else count)
    for total, line in enumerate(_lines(chunks), 1):
        if wanted is not None and wanted not in line.casefold():
            continue
        if start is not None and (total < start or len(kept) == count):
            continue
        found += 1
        kept.append((total, line if len(line) <= WIDTH else f"{line[:WIDTH]}…"))
    size = sum(len(line) + 8 for _, line in kept)
    while size > MOST and len(kept) > 1:
        _, line = kept.pop() if start is not None else kept.popleft()
        size -= len(line) + 8
    return Part(tuple(kept), total, None if wanted is None else found)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines as they may be shown: of what a progress bar has written, its last state."""
    written: list[bytes] = []
    clean, rest = Cleaner(written.append), b""
    for chunk in chunks:
        clean(chunk)
        *whole, rest = (rest + b"".join(written)).split(b"\n")
        written.clear()
        rest = _last_state(rest)[:_HELD]
        yield from map(_shown, whole)
    clean.end()
    rest += b"".join(written)
    if rest:
        yield _shown(rest)


def _last_state(line: bytes) -> bytes:
    """What a terminal would show of it: what follows the last carriage return that does not end
    it."""
    return line[line.rstrip(b"\r").rfind(b"\r") + 1 :]


def _shown(line: bytes) -> str:
    return redacted(without_colours(_last_state(line).decode("utf-8", "replace").rstrip("\r")))
