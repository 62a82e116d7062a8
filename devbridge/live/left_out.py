"""What deployments of a stage have left out of zips: of interest when it is new."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from devbridge.errors import DevbridgeError
from devbridge.folders import write_private


class LeftOut:
    """The lines that the last deployment had, in a file of the stage."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._now: list[str] = []
        self._before: set[str] = set()
        with contextlib.suppress(OSError, ValueError, TypeError):
            self._before = set(json.loads(path.read_text(encoding="utf-8")))

    def is_new(self, line: str) -> bool:
        """Whether the last deployment did not have it; this one has."""
        self._now.append(line)
        return line not in self._before

    def keep(self) -> None:
        """This deployment has become the last one."""
        if set(self._now) != self._before:
            with contextlib.suppress(OSError, DevbridgeError):  # then it is said once more
                write_private(self._path, json.dumps(self._now))
