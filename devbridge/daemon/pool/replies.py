"""The latest replies: a stub whose connection has died under one asks again, at once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from devbridge.protocol.messages import Raised, Responded

Reply = Responded | Raised
KEPT: Final = 10.0
"""Seconds for which a reply is kept. Who has not heard of its request for 2 seconds gives it up."""
MOST: Final = 16 * 1024 * 1024
"""Bytes of all that are kept."""


class Replies:
    """Times are monotonic."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, Reply]] = OrderedDict()
        """By the wire's ids, the oldest first."""
        self._size = 0

    def keep(self, reply: Reply, now: float) -> None:
        """It is sent now."""
        self._kept[reply.request_id] = now, reply
        self._size += _size(reply)
        self._forget(now)

    def find(self, request_id: str, now: float) -> Reply | None:
        """What a request was answered a moment ago."""
        self._forget(now)
        return self._kept.get(request_id, (now, None))[1]

    def _forget(self, now: float) -> None:
        while self._kept:
            request_id, (at, reply) = next(iter(self._kept.items()))
            if now - at < KEPT and self._size <= MOST:
                return
            del self._kept[request_id]
            self._size -= _size(reply)


def _size(reply: Reply) -> int:
    return len((reply.error if isinstance(reply, Raised) else reply.body) or b"")
