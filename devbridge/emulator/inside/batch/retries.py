"""Whether Batch tries a job again that has failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt has ended."""

    status_reason: str
    exit_code: int | None = None
    """None: there was no exit, for its container never started or its host is gone."""
    reason: str = ""
    """The container's own."""
    final: bool = False
    """Whether it is never tried again: it took too long, or was terminated."""

    @property
    def succeeded(self) -> bool:
        """Whether that was the end of the job's work."""
        return self.exit_code == 0 and not self.final


def again(strategy: Mapping[str, Any], attempt: int, end: End) -> bool:
    """Whether another attempt follows the one with that number, counted from 1."""
    if end.succeeded or end.final or attempt >= int(strategy.get("attempts") or 1):
        return False
    for condition in strategy.get("evaluateOnExit") or ():
        if _fits(condition, end):
            return str(condition["action"]).upper() == "RETRY"
    return True


def _fits(condition: Mapping[str, Any], end: End) -> bool:
    code = "" if end.exit_code is None else str(end.exit_code)
    values = {"onExitCode": code, "onReason": end.reason, "onStatusReason": end.status_reason}
    return all(
        matches(str(condition[name]), value) for name, value in values.items() if name in condition
    )


def matches(pattern: str, value: str) -> bool:
    """Whether a value is what a condition or a filter says: patterns end with a star at most, and
    case does not count."""
    pattern, value = pattern.lower(), value.lower()
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
