"""The third-party modules that handlers import, remembered so that the next start is warm."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from devbridge.config import private_file


class Preload:
    """A list of module names, in import order, and the file that keeps it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names: list[str] = _read(path)

    def learn(self, names: Iterable[str]) -> bool:
        """Add what is new; False when nothing is."""
        new = [name for name in names if name not in self.names]
        if not new:
            return False
        self.names += new
        with contextlib.suppress(OSError), os.fdopen(private_file(self._path), "w") as file:
            json.dump(self.names, file)
        return True


def _read(path: Path) -> list[str]:
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
