"""Whether what comes over the bridge has just been sent. Pure: times come in.

Nobody waits for the answer to a call for long, and who was told that nobody is there must not have
it carried out later. No clock of another machine says how old a call is; but the broker answers a
ping after all that it has sent before.
"""

from __future__ import annotations

from typing import Final

TICK: Final = 0.5
"""Seconds between looks at the clocks."""
STALE: Final = 1.5
"""Seconds that a call may have waited somewhere on its way. Its stub waits for 2."""


class Freshness:
    """Decides whether a call that comes now over a connection is believed to be fresh.

    After this process was stopped, or the machine slept, what comes may be old until the broker has
    answered a ping; and likewise while the last ping waits for its answer behind other things.
    `monotonic` may stand still while the machine sleeps, `wall` may be set: both count.
    """

    def __init__(self, monotonic: float, wall: float) -> None:
        self._looked = (monotonic, wall)
        self._doubted = False
        self._pings: list[tuple[float, bool]] = []
        """When each was sent that was not answered, and whether it ends a doubt."""
        self._came = False

    def look(self, monotonic: float, wall: float) -> bool:
        """Time has passed, `TICK` seconds if all is well; True: send a ping now."""
        self._notice(monotonic, wall)
        self._looked = (monotonic, wall)
        came, self._came = self._came, False
        return self._wants_ping() or (came and not self._pings)

    def _notice(self, monotonic: float, wall: float) -> None:
        passed = max(monotonic - self._looked[0], wall - self._looked[1])
        if passed >= STALE:
            self._doubted = True
            self._pings = [(at, False) for at, _ in self._pings]

    def _wants_ping(self) -> bool:
        return self._doubted and not any(ends for _, ends in self._pings)

    def pinged(self, monotonic: float) -> None:
        """A ping was sent."""
        self._pings.append((monotonic, self._doubted))

    def ponged(self) -> None:
        """The broker has answered the first of those that it has not answered."""
        if self._pings:
            _, ends = self._pings.pop(0)
            self._doubted = self._doubted and not ends

    def is_fresh(self, monotonic: float, wall: float) -> bool:
        """Whether a call that has come now is."""
        self._notice(monotonic, wall)
        self._came = True
        return not self._doubted and not (self._pings and monotonic - self._pings[0][0] >= STALE)
