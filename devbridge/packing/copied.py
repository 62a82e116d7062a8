"""The files that `copy_files` adds to a zip, whatever the code's language."""

from __future__ import annotations

from pathlib import Path

from devbridge import files
from devbridge.constructs import Function, Job
from devbridge.constructs.files import selected
from devbridge.errors import BuildError
from devbridge.packing.assets import Remarks


def copied(code: Function | Job, remarks: Remarks) -> dict[str, Path]:
    """The files by their names in the zip.

    Args:
        remarks: gets what has been left out, and what may be wrong.

    Raises:
        BuildError: one of them is no file.
    """
    taken = selected(code.app.root, code.copy_files)
    for line in files.said(taken.left):
        remarks.leave(f"{code}: {line}")
    if taken.problem:
        remarks.warn(f"{code}: copy_files: {taken.problem}: what is ignored may be packed")
    for name, path in taken.files.items():
        # To open a named pipe would wait for ever.
        if not path.is_file():
            raise BuildError(
                f"{code}: copy_files: {name!r} is not a file, nor a link to one",
                where=str(path),
                remedy="delete it, or name the files that are to be copied",
            )
    return taken.files
