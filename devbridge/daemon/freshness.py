"""Whether what comes over the bridge has just been sent. Pure: times come in.

Nobody waits for the answer to a call for long, and who was told that nobody is there must not have
it carried out later. No clock of another machine says how old a call is; but what the broker sends
after its answer to a ping is younger than that ping.
"""

from __future__ import annotations

from collections import deque
from typing import Final

TICK: Final = 0.5
"""Seconds between looks at the clocks."""

Moment = tuple[float, float]
"""By the monotonic clock, which may stand still while the machine sleeps; and by the wall's, which
may be set. What has passed by either has passed."""


class Freshness:
    """Decides whether a call that comes now over a connection is believed to be fresh.

    An idle line is taken to hold nothing back: pings are sent while calls come, and after this
    process was stopped or the machine has slept.
    """

    def __init__(self, since: Moment, stale: float) -> None:
        """
        Args:
            since: when the connection was made.
            stale: seconds that a call may have waited somewhere on its way.
        """
        self._stale = stale
        self._proved = since
        """Whatever comes now was sent since."""
        self._looked = since
        self._pings: deque[Moment] = deque()
        """When each was sent that was not answered."""
        self._pinged = (float("-inf"), float("-inf"))
        self._came = False

    def look(self, now: Moment) -> bool:
        """Time has passed, `TICK` seconds if all is well; True: send a ping now."""
        paused, self._looked = _passed(self._looked, now) >= self._stale, now
        if self._came or paused:
            # Of many calls that come late at once, one asks for a ping.
            due = _passed(self._pinged, now) >= TICK / 2
            self._came = not due
            return due
        if not self._pings:
            self._proved = now
        return False

    def pinged(self, now: Moment) -> None:
        """A ping was sent."""
        self._pings.append(now)
        self._pinged = now

    def ponged(self) -> None:
        """The broker has answered the first of those that it has not answered."""
        if self._pings:
            self._proved = self._pings.popleft()

    def is_fresh(self, now: Moment) -> bool:
        """Whether a call that has come now is."""
        self._came = True
        return _passed(self._proved, now) < self._stale


def _passed(since: Moment, now: Moment) -> float:
    return max(now[0] - since[0], now[1] - since[1])
