"""Where a FileSystem's files are on this machine: under `devbridge dev`, and on the embedded cloud,
which runs no file systems."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from devbridge.constructs import Bindable, FileSystem
from devbridge.folders import STATE_DIR, private_dir
from devbridge.resources import variable


def folder_of(files: FileSystem, stage: str) -> Path:
    """The folder, which is made if it is missing. What is in it stays when a stage is removed."""
    return private_dir(files.app.root / STATE_DIR / "file-systems" / stage / files.name)


def folders(bind: Iterable[Bindable], stage: str) -> dict[str, str]:
    """The variables that tell code where the file systems are that it binds."""
    return {
        variable(files.type, "path", files.name): str(folder_of(files, stage))
        for files in bind
        if isinstance(files, FileSystem)
    }
