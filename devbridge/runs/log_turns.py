"""Which log group is asked next, and when. Pure: the time goes in, by any clock in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

QUICK: Final = 0.5
"""Seconds from question to question while something happens: with these, one who follows takes 2 of
the 5 questions a second that FilterLogEvents answers to all of an account in a region, for
`LIVELY` seconds at a time."""
LIVELY: Final = 30.0
"""Seconds for which something happens, once it does."""
IDLE: Final = (1.0, 2.0)
"""The pause when nothing happens: at first, and from two minutes on."""
RARELY: Final = 10.0
"""The pause while there is nothing but groups that hardly ever have anything."""
MOST: Final = 30.0
"""The longest pause after refusals."""
_HOT, _COLD, _RARE = 1, 3, 9
"""How long a group's turn takes to come again, in turns of others."""


class Turns:
    """Takes turns among groups: who has printed lately comes more often."""

    def __init__(self, now: float) -> None:
        self._alive = now
        """When something has happened last."""
        self._refused = 0.0
        """The pause that refusals have made."""
        self._groups: dict[str, bool] = {}
        self._due: dict[str, float] = {}
        self._printed: dict[str, float] = {}
        self._asked = now - QUICK

    def keep(self, groups: Mapping[str, bool], now: float) -> None:
        """These are the groups from now on. The value: it hardly ever has anything."""
        if any(name not in self._groups for name in groups):
            self.happened(now)
        first = min(self._due.values(), default=0.0)
        self._due = {name: self._due.get(name, first) for name in groups}
        self._groups = dict(groups)

    def happened(self, now: float) -> None:
        """Something was called, or deployed: there may be news soon."""
        self._alive = max(self._alive, now)

    def next(self) -> tuple[str, float] | None:
        """Whose turn it is, and when; None: there are no groups."""
        if not self._due:
            return None
        name = min(self._due, key=lambda each: self._due[each])
        return name, self._asked + self.pause(self._asked)

    def pause(self, now: float) -> float:
        """The seconds between two questions."""
        quiet = now - self._alive
        pause = QUICK if quiet < LIVELY else min(max(quiet / 60, IDLE[0]), IDLE[1])
        if all(self._groups.values()) and quiet >= LIVELY:
            pause = RARELY
        return max(pause, self._refused)

    def answered(self, name: str, now: float, *, found: bool, more: bool = False) -> None:
        """It has answered: with something, or there is another page."""
        self._asked = now
        self._refused = self._refused / 2 if self._refused > QUICK else 0.0
        if found:
            self.happened(now)
            self._printed[name] = now
        if not more:
            self._pass_on(name, now)

    def refused(self, name: str, now: float) -> None:
        """It could not be asked: it may be too often, or not possible now."""
        self._asked = now
        self._refused = min(max(2 * self._refused, 1.0), MOST)
        self._pass_on(name, now)

    def _pass_on(self, name: str, now: float) -> None:
        rare = self._groups.get(name, False)
        hot = now - self._printed.get(name, -LIVELY) < LIVELY
        if name in self._due:
            self._due[name] += _HOT if hot else _RARE if rare else _COLD
