"""What the bridge decides about its connection, and what it says of it. Pure: times come in.

Wall-clock times are seconds since the epoch; the monotonic clock may or may not go on while the
machine sleeps.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from devbridge.protocol.messages import Presence
from devbridge.transport.base import Disconnected
from devbridge.words import many

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
NAP: Final = 3.0
"""Seconds that a tick may come late before it counts as sleep of the machine or the process."""
DAY: Final = 20 * 3600.0
"""Seconds after which an orderly end of the connection is the broker's limit and no incident: AWS
IoT ends a WebSocket connection after 24 hours."""
SETTLED: Final = 0.5
"""Seconds without a further request after which what had waited has arrived."""
LONGEST_SETTLING: Final = 2.0
WARNING_INTERVAL: Final = 60.0
MAX_REASONS: Final = 20
"""Kinds of useless messages that are told apart; whoever may write to the topic can invent some."""
_LONGEST_DETAIL: Final = 200


def pause(attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Seconds before the reconnect number `attempt` (from 0): doubling, between half and full."""
    most = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt, 16))
    return most / 2 + most / 2 * jitter()


def is_renewal(ended: Disconnected, lasted: float) -> bool:
    """Whether this end was due: connect again at once and make no fuss."""
    return ended.orderly and not ended.taken_over and lasted >= DAY


def started_after(own: Presence, other: Presence) -> bool:
    """Whether another daemon, started after this one, has the stage now."""
    return other.online and other.daemon_id != own.daemon_id and other.since > own.since


class Slumber:
    """Notices that the machine slept, or the process was stopped."""

    def __init__(self, wall: float, monotonic: float) -> None:
        self.restart(wall, monotonic)

    def restart(self, wall: float, monotonic: float) -> None:
        """Until now nobody has looked, and it does not matter."""
        self._wall, self._monotonic = wall, monotonic

    def noticed(self, wall: float, monotonic: float, expected: float) -> float:
        """How many seconds were slept since the last call, of which `expected` were waited for; 0
        if none. A wall clock that is set forward looks the same, and harms as little."""
        passed = max(wall - self._wall, monotonic - self._monotonic)
        self.restart(wall, monotonic)
        late = passed - expected
        return late if late >= NAP else 0.0


class Arrivals:
    """Counts the requests that had waited for the connection that was made at `connected_at`."""

    def __init__(self, connected_at: float) -> None:
        self._connected_at = connected_at
        self._last = connected_at
        self._requests: set[str] = set()

    def arrived(self, request_id: str, sent_at: float, now: float) -> None:
        """A request has come at `now`; it had waited if it was sent before the connection was
        made. A repetition is not counted again."""
        if sent_at < self._connected_at:
            self._requests.add(request_id)
            self._last = now

    def due(self) -> float:
        """When to say how many, as far as is known now."""
        return min(self._last + SETTLED, self._connected_at + LONGEST_SETTLING)

    def text(self, now: float) -> str:
        """``3 requests were waiting``; nothing when none was."""
        count = len(self._requests)
        if not count:
            return ""
        more = "" if now >= self._last + SETTLED else " or more"
        noun, verb = ("request", "was") if count == 1 and not more else ("requests", "were")
        return f"{count}{more} {noun} {verb} waiting"


@dataclass(slots=True)
class _Reason:
    told_at: float
    untold: int = 0
    detail: str = ""


class Warnings:
    """Of each kind of useless message one line a minute, with how many there were."""

    def __init__(self) -> None:
        self._reasons: dict[str, _Reason] = {}

    def add(self, detail: str, now: float) -> str | None:
        """Count one; the line to say now, if there is one."""
        detail = detail[:_LONGEST_DETAIL]
        kind = re.sub(r"\d+", "", detail.partition(":")[0])
        if kind not in self._reasons and len(self._reasons) >= MAX_REASONS:
            kind = "other"
        reason = self._reasons.get(kind)
        if reason is None:
            self._reasons[kind] = _Reason(now)
            return f"a message from the bridge was dropped: {detail}"
        reason.untold += 1
        reason.detail = detail
        return self._tell(kind, reason, now)

    def tick(self, now: float) -> list[str]:
        """The lines that are due; call it every few seconds."""
        lines = [self._tell(kind, reason, now) for kind, reason in list(self._reasons.items())]
        return [line for line in lines if line is not None]

    def _tell(self, kind: str, reason: _Reason, now: float) -> str | None:
        if now - reason.told_at < WARNING_INTERVAL:
            return None
        if not reason.untold:
            del self._reasons[kind]
            return None
        count, reason.untold, reason.told_at = reason.untold, 0, now
        dropped = many(
            count, "more message from the bridge was", "more messages from the bridge were"
        )
        return f"{dropped} dropped, the last one: {reason.detail}"
