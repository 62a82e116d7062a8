"""How fast one connection may publish. Pure: times come in, by any clock that does not go back."""

from __future__ import annotations

from typing import Final

from devbridge.transport.base import Endpoint

OVERHEAD: Final = 32
"""Bytes of a published message beside its topic and payload, at most."""
_KIB: Final = 1024


class _Bucket:
    """`burst` at once, `rate` a second in the long run; so in any second `burst + rate`."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._filled: float | None = None

    def wait(self, amount: float, now: float) -> float:
        if self._filled is not None:
            gained = max(0.0, now - self._filled) * self._rate
            self._level = min(self._burst, self._level + gained)
        self._filled = now
        return max(0.0, (min(amount, self._burst) - self._level) / self._rate)

    def take(self, amount: float) -> None:
        self._level -= min(amount, self._burst)


class Pacer:
    """The quotas of one connection to AWS IoT: 100 publishes and 512 KiB in any second.

    A burst comes on top of a steady rate, and together they stay below the quota. The burst is
    small for messages, because the network may squeeze a second's messages into less; for bytes
    it is what a frame of the largest size needs.
    """

    def __init__(
        self,
        *,
        rate: float = 75.0,
        burst: float = 20.0,
        byte_rate: float = 384.0 * _KIB,
        byte_burst: float = 128.0 * _KIB,
    ) -> None:
        """Messages and bytes, per second and at once."""
        self._messages = _Bucket(rate, burst)
        self._bytes = _Bucket(byte_rate, byte_burst)

    def wait(self, size: int, now: float) -> float:
        """0 when a message of so many bytes may be published now, which is then taken as done;
        otherwise in how many seconds to ask again."""
        wait = max(self._messages.wait(1, now), self._bytes.wait(size, now))
        if wait < 1e-6:  # less than what a sum of floats is wrong by
            self._messages.take(1)
            self._bytes.take(size)
            return 0.0
        return wait


def pacer_for(endpoint: Endpoint) -> Pacer | None:
    """AWS has quotas; the embedded cloud has none."""
    return Pacer() if endpoint.dial is None else None


def published_size(topic: str, payload: bytes) -> int:
    """The bytes that publishing this takes."""
    return len(topic.encode()) + len(payload) + OVERHEAD
