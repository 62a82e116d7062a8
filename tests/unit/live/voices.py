"""A developer who hears everything, and answers as told."""

from __future__ import annotations

from devbridge.errors import NotConfirmed
from devbridge.live.voice import Voice


class Developer:
    """What was said, warned of and asked."""

    def __init__(self, *, colour: bool = False) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.asked: list[str] = []
        self.agrees = True
        self.voice = Voice(
            self.said.append, warn=self.warned.append, confirm=self._answer, colour=colour
        )

    def _answer(self, question: str, what: str) -> None:
        self.asked.append(question)
        if not self.agrees:
            raise NotConfirmed(what)
