"""Files by which the daemon and a worker tell each other what nobody may have to answer."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from devbridge.pids import lives

HALTED: Final = "halted"
"""How long debuggers have halted the worker."""
IMPORT: Final = "import"
"""At which line the worker is, if its import takes long."""


def note(folder: Path, kind: str, worker_id: str) -> Path:
    """The file of a worker of this process."""
    return folder / f"{kind}-{os.getpid()}-{worker_id}"


def sweep(folder: Path) -> None:
    """Delete what daemons that were killed have left behind."""
    for kind in (HALTED, IMPORT):
        for path in folder.glob(f"{kind}-*-*"):
            pid = path.name.split("-")[1]
            if pid.isdigit() and not lives(int(pid)):
                with contextlib.suppress(OSError):  # another daemon sweeps, too
                    path.unlink()
