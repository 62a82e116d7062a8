"""How long a worker was halted by debuggers: its deadline is so much later.

The worker's code may ask at any time what is left of its time, also while a debugger evaluates that
in the halted process; so it reads it from a file, and nobody must answer.
"""

from __future__ import annotations

import contextlib
from pathlib import Path


class Halts:
    """Of one worker.

    Args:
        note: the file: see `devbridge.workers.base.WorkerSpec.debug`.
    """

    def __init__(self, note: Path) -> None:
        self.note = note
        self._total = 0.0
        self._since = 0.0

    def add(self, halted: bool, now: float) -> None:
        """It is halted from now on, or goes on; `now` is in seconds since the epoch."""
        if not halted and self._since:
            self._total += now - self._since
        self._since = (self._since or now) if halted else 0.0
        new = self.note.with_name(f"{self.note.name}.new")
        with contextlib.suppress(OSError):  # its folder may be gone
            new.write_text(f"{self._total * 1e3:.0f} {self._since * 1e3:.0f}", encoding="ascii")
            new.replace(self.note)

    def close(self) -> None:
        """The worker is gone."""
        with contextlib.suppress(OSError):
            self.note.unlink()
