"""What pip says while it works, as a task's progress."""

from __future__ import annotations

from typing import Final

from devbridge.progress import Task

_BEGINS: Final = ("Collecting ", "Processing ", "Ignoring ", "Requirement already ")
_INSTALLS: Final = "Installing collected packages"


class Collected:
    """Follows the lines of ``pip install``: it names each package when it begins with it."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._begun = 0

    def saw(self, line: str) -> None:
        """One line of pip's output."""
        if line.startswith(_BEGINS):
            self._begun += 1
            self._task.done = self._begun - 1
        elif line.startswith(_INSTALLS):
            # How far that is, it does not say.
            self._task.verb, self._task.total = "unpack", 0
