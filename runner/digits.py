"""Decimals in results: written as numbers, digit by digit, as `devbridge.payload.digits` does where
a handler uses devbridge."""

from __future__ import annotations

import os
import sys
from typing import Any

MAX_DIGITS = 4300
"""Of an integer, that Python reads unless it is told otherwise."""
TOO_LONG = f"an integer of more than {MAX_DIGITS:,} digits, which Python does not read"
AS_TEXT = "return it as text: hex(number), which int(text, 16) reads"


class Digits:
    """The `default` of one `json.dumps`, and what makes its text JSON."""

    def __init__(self) -> None:
        self._mark = ""

    def __call__(self, value: object) -> str:
        """What stands for a value that json does not know.

        Raises:
            TypeError: it is no Decimal.
            ValueError: it is no number of JSON's.
        """
        if not is_decimal(value):
            raise TypeError
        return self.marked(number(value))

    def marked(self, number: str) -> str:
        """What stands for a number whose digits are these."""
        self._mark = self._mark or os.urandom(16).hex()
        return self._mark + number

    def written(self, text: str) -> str:
        """The text with its numbers."""
        if not self._mark:
            return text
        import re  # not needed by most handlers

        return re.sub(f'"{self._mark}([^"]*)"', r"\1", text)

    def with_text_keys(self, value: Any) -> Any:
        """The value with text for keys that are Decimals: json.dumps asks nobody about keys."""
        if isinstance(value, dict):
            return {
                number(key) if is_decimal(key) else key: self.with_text_keys(item)
                for key, item in value.items()
            }
        return list(map(self.with_text_keys, value)) if isinstance(value, (list, tuple)) else value


def is_decimal(value: object) -> bool:
    """Whether it is a Decimal; who has one has imported its module."""
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(value, decimal.Decimal)


def number(value: Any) -> str:
    """A Decimal as a number of JSON's: an integer if it has no decimal places, with all its digits
    otherwise.

    Raises:
        ValueError: it has a `problem`.
    """
    if why := problem(value):
        raise ValueError(why)
    return format(value, "f") if value.as_tuple().exponent >= 0 else str(value)


def problem(value: Any) -> str:
    """Why a Decimal is no number that is read from JSON as what it is; nothing if it is one."""
    if not value.is_finite():
        return f"{value}, which JSON does not have"
    if value.as_tuple().exponent >= 0:
        return TOO_LONG if value.adjusted() >= MAX_DIGITS else ""
    return "" if abs(float(value)) < float("inf") else f"{value}, larger than every float"


def is_long(value: int) -> bool:
    """Whether Python would not read an integer that is written in JSON."""
    return value.bit_length() > MAX_DIGITS * 3 and abs(value) >= 10**MAX_DIGITS
