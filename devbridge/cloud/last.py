"""Which cloud a stage of this folder was last run or deployed on, for commands that are not told.

Kept in the user's cache, not in the app's folder: it must outlive `git clean -xfd`. A command that
was of the embedded cloud never turns to AWS by itself because that has gone.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from devbridge.config import Config
from devbridge.folders import cache_dir, private_dir, write_private


def remember(config: Config, *, local: bool) -> None:
    """Note it. Without a cache that can be written nothing is noted: it is a comfort."""
    with contextlib.suppress(OSError):
        if local:
            private_dir(cache_dir())
            private_dir(_note(config).parent)
            write_private(_note(config), f"{config.root}\n{config.stage}\n")
        else:
            _note(config).unlink(missing_ok=True)


def was_local(config: Config) -> bool:
    """Whether the stage was last on the embedded cloud."""
    try:
        return _note(config).exists()
    except OSError:
        return False


def _note(config: Config) -> Path:
    named = f"{config.root}\0{config.stage}".encode()
    return cache_dir() / "local" / hashlib.sha256(named).hexdigest()[:16]
