"""The palette: how devbridge colours what it prints, on the command line and in `devbridge dev`.

ECMA-48 colours (SGR) of the terminal's own palette, so that they go with any background.
"""

from __future__ import annotations

import os
from typing import Final, TextIO

RUNS: Final = (36, 35, 33, 32, 34, 96, 95, 93, 92, 94)
"""The colours that tell runs apart; none of them is the red of an error."""
REMEMBERED: Final = 1000
"""Runs whose colours are known."""


def coloured(stream: TextIO) -> bool:
    """Whether what is printed here is to have colours: a terminal that knows them, and not refused.

    `NO_COLOR` as https://no-color.org has it: an empty one says nothing.
    """
    return stream.isatty() and not os.environ.get("NO_COLOR") and not dumb()


def dumb() -> bool:
    """Whether the terminal, if there is one, knows neither colours nor lines that are rewritten."""
    return os.environ.get("TERM", "dumb") == "dumb"


class Turns:
    """Gives each run a colour, which it keeps: those that are shown one after the other differ."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}
        self._next = 0

    def __call__(self, name: str) -> int:
        """The SGR code of who has this name, of which the latest are remembered."""
        if name not in self._given:
            if len(self._given) == REMEMBERED:
                del self._given[next(iter(self._given))]
            self._given[name] = RUNS[self._next % len(RUNS)]
            self._next += 1
        return self._given[name]


class Style:
    """How text looks; nothing is added where colours are off."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, *codes: int) -> str:
        """`text` in these SGR codes."""
        if not self.colour or not codes:
            return text
        return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m"

    def bold(self, text: str) -> str:
        """What the eye is to find."""
        return self(text, 1)

    def dim(self, text: str) -> str:
        """What may be overlooked."""
        return self(text, 2)

    def good(self, text: str) -> str:
        """Green: it went well, or is well again; a resource that will be added."""
        return self(text, 32)

    def bad(self, text: str) -> str:
        """Red: an error; a resource that will be removed."""
        return self(text, 31)

    def warn(self, text: str) -> str:
        """Yellow: it goes on, but should be looked at; a resource that will be changed."""
        return self(text, 33)

    def error(self, text: str) -> str:
        """Bold red: the word that an error's message begins with."""
        return self(text, 31, 1)

    def warning(self, text: str) -> str:
        """Bold yellow: the word that a warning begins with."""
        return self(text, 33, 1)

    def active(self, text: str) -> str:
        """Cyan: it is under way."""
        return self(text, 36)

    def replaced(self, text: str) -> str:
        """Magenta: a resource that will be replaced by another."""
        return self(text, 35)


ALWAYS: Final = Style(True)
"""For `click.echo`, which takes colours away where there is no terminal."""
