"""How many requests an Api takes."""

from __future__ import annotations

from dataclasses import dataclass

from devbridge.constructs import values
from devbridge.sources.base import Problem


@dataclass(frozen=True, slots=True)
class Throttle:
    """The most requests that API Gateway lets through to an Api; others are answered with 429.

    Args:
        rate_limit: requests a second, over time.
        burst_limit: requests at once.
    """

    rate_limit: float
    burst_limit: int


def throttle_problem(throttle: object) -> Problem | None:
    """What of a `throttle` is not allowed, and what is."""
    if throttle is None:
        return None
    if not isinstance(throttle, Throttle):
        return repr(throttle), "Throttle(rate_limit=100, burst_limit=200), or None"
    rate, burst, (low, high) = throttle.rate_limit, throttle.burst_limit, values.RATE
    if type(rate) not in (int, float) or not low < rate <= high:
        return f"rate_limit {rate!r}", f"a number above {low}, {high:,} at most"
    if type(burst) is not int or not low < burst <= high:
        return f"burst_limit {burst!r}", f"a whole number from 1 to {high:,}"
    return None
