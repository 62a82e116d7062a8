"""A worker's output as text: whole lines, each behind a tag, fit for a terminal.

Colours pass, but nothing else that a terminal obeys (see `devbridge.printable`); undecodable bytes
become ``\\xff``, and of a progress bar the last state is left. Pure but for what it remembers.
"""

from __future__ import annotations

import codecs
from typing import Final

from devbridge import printable

LONGEST_LINE: Final = 64 * 1024
"""Characters after which a line that has not ended is shown, in pieces."""


class Lines:
    """Turns a stream of bytes into whole, tagged lines. Pure but for what it remembers."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._partial = ""
        self._suspicious = False
        """Something came, not shown yet, that is not shown as it is."""

    @property
    def pending(self) -> bool:
        """Whether a line has begun that has not ended."""
        return bool(self._partial)

    def feed(self, data: bytes, tag: str) -> str:
        """The lines that `data` completes, each behind `tag`, with newlines; or nothing."""
        suspicious = self._suspicious or printable.suspicious(data)
        text = self._partial + self._decoder.decode(data)
        cut = text.rfind("\n") + 1
        if len(text) - cut > LONGEST_LINE:
            cut = len(text)
        self._partial = text[cut:]
        # The decoder may hold the beginning of a character.
        held = bool(self._decoder.getstate()[0])
        self._suspicious = held or (suspicious and bool(self._partial))
        return _tagged(text[:cut], tag, suspicious=suspicious)

    def flush(self, tag: str) -> str:
        """What has no end yet, as a line. A colour of which only a part has come is kept back."""
        cut = printable.cut_colour(self._partial)
        text, self._partial = self._partial[:cut], self._partial[cut:]
        return _tagged(text, tag, suspicious=self._suspicious)

    def end(self, tag: str) -> str:
        """What is left when nothing more will come, though it may end within a character."""
        text, self._partial = self._partial + self._decoder.decode(b"", final=True), ""
        return _tagged(text, tag, suspicious=self._suspicious)


def _tagged(text: str, tag: str, *, suspicious: bool) -> str:
    if not text:
        return ""
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    if suspicious:
        text = printable.shown(text)
    if not text.endswith("\n"):
        text += "\n"
    # All but the last newline begin another line; each copy of the text counts here.
    return tag + text.replace("\n", "\n" + tag, text.count("\n") - 1)
