"""The files that `copy_files` adds to a zip, whatever the code's language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from devbridge import files
from devbridge.constructs import Function, Job
from devbridge.constructs.files import selected
from devbridge.errors import BuildError


def copied(
    code: Function | Job, warn: Callable[[str], None], left: Callable[[str], None]
) -> dict[str, Path]:
    """The files by their names in the zip.

    Args:
        warn: is told what may be wrong.
        left: is told what has been left out.

    Raises:
        BuildError: one of them is no file.
    """
    taken = selected(code.app.root, code.copy_files)
    for line in files.said(taken.left):
        left(f"{code}: {line}")
    if taken.problem:
        warn(f"{code}: copy_files: {taken.problem}: what is ignored may be packed")
    for name, path in taken.files.items():
        # To open a named pipe would wait for ever.
        if not path.is_file():
            raise BuildError(
                f"{code}: copy_files: {name!r} is not a file, nor a link to one",
                where=str(path),
                remedy="delete it, or name the files that are to be copied",
            )
    return taken.files
