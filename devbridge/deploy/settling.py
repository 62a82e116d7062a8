"""Settling: which of a stack's resources are under way, and how many have settled."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from devbridge.progress import Task

_DONE: Final = ("COMPLETE", "FAILED", "SKIPPED")


class Settling:
    """Shows in a task what a stack's events tell: of what is under way, the one that began first.

    Args:
        labels: logical id -> construct.
        wanted: the logical ids that matter.
    """

    def __init__(self, task: Task, labels: Mapping[str, str], wanted: Container[str]) -> None:
        self._task = task
        self._labels = labels
        self._wanted = wanted
        self._going: dict[str, tuple[float, str, str]] = {}
        """Logical id -> when it began, the verb, and what."""
        self._settled: set[str] = set()

    def saw(self, event: Mapping[str, Any], now: float) -> None:
        """One of the stack's events, seen at this time of the monotonic clock."""
        name = event["LogicalResourceId"]
        if name not in self._wanted:
            return
        verb, _, state = event["ResourceStatus"].partition("_")
        what = f"{event['ResourceType']}  {self._labels.get(name, name)}"
        if state.endswith(_DONE):
            self._settled.add(name)
            self._going.pop(name, None)
        else:
            self._going.setdefault(name, (now, verb.lower(), what))
        oldest = min(self._going.values(), default=(now, verb.lower(), what))
        task = self._task
        task.done = len(self._settled)
        task.since, task.verb, task.what = oldest
