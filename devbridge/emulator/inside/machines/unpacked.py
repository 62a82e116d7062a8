"""What containers share: the folder where a job's packages are unpacked once for all of them.

To make and to remove thousands of files for each container would take longer than most jobs do.
What one of them has changed there, the next ones do not see, as if each had its own.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Final

_COMPILED: Final = "__pycache__"
_lock = threading.Lock()


def shared() -> Path:
    """A folder in which all that is unpacked is as it was. Those who use another one keep it."""
    with _lock:
        every = Path(tempfile.gettempdir(), "unpacked")
        every.mkdir(mode=0o700, exist_ok=True)
        number = max((int(each.name) for each in every.iterdir()), default=0)
        folder = every / str(number)
        if folder.exists() and not all(map(is_whole, folder.glob("*.lock"))):
            folder = every / str(number + 1)
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def is_whole(lock: Path) -> bool:
    """Whether what was unpacked beside this file, which says how many files that are, still has
    them all, none of them changed later. So has what is not unpacked yet."""
    count = lock.read_text("utf-8")
    if not count:
        return True
    at, found = lock.stat().st_mtime, 0
    for folder, folders, files in os.walk(lock.with_suffix("")):
        if _COMPILED in folders:
            folders.remove(_COMPILED)
        found += len(files)
        if any(os.lstat(os.path.join(folder, name)).st_mtime > at for name in files):  # noqa: PTH118
            return False
    return found == int(count)
