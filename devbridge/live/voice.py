"""How `devbridge dev` speaks with the developer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from devbridge.palette import Style


class Voice:
    """Says lines: on stdout, or on the daemon's terminal while there is one.

    Args:
        say: takes a line; may be replaced at any time.
        warn: takes a warning, which goes to stderr.
        confirm: takes a question, and what is not done without an answer. Returns if that is yes,
            and else raises.
        colour: whether what is said may have colours.
        brief: whether a terminal's last line shows how far what takes time has come, so that the
            steps need not stay.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        warn: Callable[[str], None],
        confirm: Callable[[str, str], None],
        colour: bool,
        brief: bool = False,
    ) -> None:
        self.say = say
        self.warn: Final = warn
        self.confirm: Final = confirm
        self.style: Final = Style(colour)
        self.brief: Final = brief
        self._said: set[str] = set()

    def __call__(self, text: str) -> None:
        """Say a line; what it quotes may have more."""
        self.say(text)

    def once(self, text: str) -> None:
        """Say it, unless it was said like this before."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)
