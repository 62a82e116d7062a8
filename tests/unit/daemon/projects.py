"""An app's folder, whose files' times are told and not measured."""

from __future__ import annotations

import os
from pathlib import Path

LONG_AGO = 1_000_000_000.0


class Project:
    """Two jobs, and a file that both import."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = LONG_AGO
        self.app = self.save("app.py")
        self.a = self.save("jobs/a.py")
        self.b = self.save("jobs/b.py")
        self.shared = self.save("lib/shared.py")

    def save(self, name: str) -> Path:
        """As vim does it: a new file under a new name, then a rename."""
        self.now += 10
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.swp")
        draft.write_text(f"# {self.now}\n")
        os.utime(draft, (self.now, self.now))
        draft.replace(path)
        return path
