"""What a setting may be: each takes what was given and returns what it means. Pure.

Raises, all of them: NotAllowedError.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from devbridge.durations import parsed, spelled


class NotAllowedError(Exception):
    """A value that is not allowed; the text says what is."""


def text(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise NotAllowedError("a text")
    return value


def flag(value: object) -> bool:
    """True or False, or what the environment has for them."""
    if isinstance(value, str):
        value = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
            value.lower()
        )
    if not isinstance(value, bool):
        raise NotAllowedError("true or false")
    return value


def number(value: object) -> float:
    """A number, or what reads as one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise NotAllowedError("a number")
    try:
        return float(value)
    except ValueError:
        raise NotAllowedError("a number") from None


def within(
    low: float, high: float, what: str = "a number of seconds", kind: type[float] = float
) -> Callable[[object], float]:
    """A number from `low` to `high`."""

    def check(value: object) -> float:
        allowed = f"{what} from {low} to {high}"
        try:
            found = number(value)
        except NotAllowedError:
            raise NotAllowedError(allowed) from None
        if not low <= found <= high or kind(found) != found:
            raise NotAllowedError(allowed)
        return kind(found)

    return check


def whole(low: int, high: int) -> Callable[[object], float]:
    """A whole number from `low` to `high`."""
    return within(low, high, "a whole number", int)


def one_of(*choices: str, true: str = "") -> Callable[[object], str]:
    """One of the choices. `true`: the one that true stands for, as false does for none."""

    def check(value: object) -> str:
        with contextlib.suppress(NotAllowedError):
            if true:
                return true if flag(value) else ""
        if value not in choices:
            raise NotAllowedError(" or ".join(f'"{choice}"' for choice in choices))
        return str(value)

    return check


_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])i?B", re.IGNORECASE)
_UNITS: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(low: int, allowed: str) -> Callable[[object], int]:
    """A size of `low` bytes or more: ``"64 MB"``."""

    def check(value: object) -> int:
        match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        count = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
        if count < low:
            raise NotAllowedError(allowed)
        return count

    return check


def time(limits: tuple[timedelta, timedelta]) -> Callable[[object], timedelta]:
    """A length of time within limits: ``"10s"``, ``"2 hours"``."""

    def check(value: object) -> timedelta:
        found = parsed(value, limits)
        if found is None:
            first, last = map(spelled, limits)
            raise NotAllowedError(f'a time from {first} to {last}, such as "10s" or "2 hours"')
        return found

    return check
