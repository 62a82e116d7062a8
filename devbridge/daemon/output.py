"""A worker's output: whole lines, each behind a tag, fit for a terminal.

Colours pass, but nothing else that a terminal obeys (see `devbridge.printable`); undecodable bytes
become ``\\xff``, and of a progress bar the last state is left. Pure but for what it remembers.

Bytes stay bytes, as a job may print hundreds of megabytes a second: only what cannot be shown as it
is becomes text, which is mended.
"""

from __future__ import annotations

import codecs
from typing import Final

from devbridge import printable

LONGEST_LINE: Final = 64 * 1024


class Lines:
    """Turns a stream of bytes into whole, tagged lines. Pure but for what it remembers.

    Args:
        longest: bytes after which a line that has not ended is shown, in pieces.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._partial = b""

    @property
    def pending(self) -> bool:
        """Whether a line has begun that has not ended."""
        return bool(self._partial)

    def feed(self, data: bytes, tag: bytes) -> bytes:
        """The lines that `data` completes, each behind `tag`, with newlines; or nothing."""
        ended, newline, self._partial = (self._partial + data).rpartition(b"\n")
        shown = _tagged(ended, tag) if newline else b""
        if len(self._partial) > self._longest:
            shown += self.flush(tag)
        return shown

    def flush(self, tag: bytes) -> bytes:
        """What has no end yet, as a line. A character or a colour of which only a part has come is
        kept back."""
        cut = _uncut(self._partial)
        begun, self._partial = self._partial[:cut], self._partial[cut:]
        return _tagged(begun, tag) if begun else b""

    def end(self, tag: bytes) -> bytes:
        """What is left when nothing more will come, though it may end within a character."""
        begun, self._partial = self._partial, b""
        return _tagged(begun, tag) if begun else b""


def _uncut(data: bytes) -> int:
    """Of how many bytes the end cuts neither a character nor a colour in two."""
    tail = data[-printable.LONGEST_COLOUR :]
    whole = codecs.utf_8_decode(tail, "replace")[1]
    # One character for each byte: the beginning of a colour is ASCII.
    return len(data) - len(tail) + printable.cut_colour(tail[:whole].decode("latin-1"))


def _tagged(lines: bytes, tag: bytes) -> bytes:
    """Lines, the last one without its newline."""
    if not printable.plain(lines):
        lines = _mended(lines)
    # Each copy of them counts here.
    return b"".join((tag, lines.replace(b"\n", b"\n" + tag), b"\n"))


def _mended(lines: bytes) -> bytes:
    text = lines.decode("utf-8", "backslashreplace")
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return printable.shown(text).encode()
