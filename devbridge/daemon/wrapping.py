"""Lines that are wider than the terminal, wrapped between words below their own beginning.

By hand: `textwrap` counts characters, not columns, and breaks what has colours. A word that is
wider than the terminal is left to it: what is copied, a URL or a path, is whole. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from devbridge.printable import RESET, without_colours

NARROWEST: Final = 20
"""Columns that a wrapped line must have beside its indentation; else nothing is wrapped."""
_TAB: Final = 8
_WORDS: Final = re.compile("([ \t]*)([^ \t]+)")
"""Each with the blanks before it."""
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]")
_COLOURS: Final = re.compile("\x1b\\[[0-9;:]*m")
_COLOURS_KEPT: Final = 8
"""Colours in force that a wrapped line begins with, the last ones: few lines have more."""
_WIDE: Final = ("W", "F")
_NO_WIDTH: Final = ("Mn", "Me", "Cf")


def columns(text: str) -> int:
    """How many columns a text takes that has no tabs; colours take none.

    Two for what Unicode calls wide (UAX #11), none for what combines with the character before.
    """
    if "\x1b" in text:
        text = without_colours(text)
    if text.isascii():
        return len(text)
    others = _NOT_ASCII.findall(text)
    return len(text) - len(others) + sum(map(_columns, others))


def wrapped(text: str, width: int, hang: int) -> str:
    """Lines, none of them wider than `width` columns where it has a place to be broken.

    Args:
        hang: columns by which what was wrapped is indented.
    """
    if width - hang < NARROWEST or (text.isascii() and _all_fit(text, width)):
        return text
    return "\n".join(_wrapped(line, width, hang) for line in text.split("\n"))


def _all_fit(text: str, width: int) -> bool:
    return "\t" not in text and max(map(len, text.split("\n"))) <= width


def _fits(line: str, width: int) -> bool:
    if line.isascii() and "\x1b" not in line:
        return len(line.expandtabs(_TAB)) <= width
    return "\t" not in line and columns(line) <= width


def _begun(line: str, width: int) -> str:
    """The words of a line that fit, if that can be seen at once: a job may print many lines."""
    if not line.isascii() or "\t" in line or "\x1b" in line:
        return ""
    return line[: max(line.rfind(" ", 0, width + 1), 0)].rstrip(" ")


def _wrapped(line: str, width: int, hang: int) -> str:
    if _fits(line, width):
        return line
    begun = _begun(line, width)
    shown, column = [begun], len(begun)
    colours: list[str] = []
    for gap, word in _WORDS.findall(line, len(begun)):
        begins = _after(gap, column) if "\t" in gap else column + len(gap)
        wide = columns(word)
        if begins + wide > width and column > hang and hang + wide <= width:
            shown += [RESET if colours else "", "\n", " " * hang, *colours, word]
            column = hang + wide
        else:
            shown += [gap, word]
            column = (begins + wide) % width if begins + wide > width else begins + wide
        if "\x1b" in word:
            for colour in _COLOURS.findall(word):
                colours = [] if colour in (RESET, "\x1b[m") else [*colours, colour][-_COLOURS_KEPT:]
    return "".join(shown)


def _after(gap: str, column: int) -> int:
    for blank in gap:
        column += 1 if blank == " " else _TAB - column % _TAB
    return column


def _columns(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
