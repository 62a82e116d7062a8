"""How fast time passes for what is limited by it: less than a minute is one, in tests."""

from __future__ import annotations

import os


def minute() -> float:
    """Seconds of a minute; less in tests of timeouts."""
    return float(os.environ.get("DEVBRIDGE_CODEBUILD_MINUTE", "60"))


def seconds(number: float) -> float:
    """So many seconds, at the pace of `minute`."""
    return number * minute() / 60
