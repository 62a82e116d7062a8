"""Reproducible zips: the same files make the same bytes, whenever and wherever they are packed."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
_UNIX: Final = 3
_MODE: Final = 0o100644


@dataclass(frozen=True, slots=True)
class Asset:
    """A zip, named by its content."""

    label: str
    """What it is for, e.g. ``Function 'api-start'``."""
    body: bytes

    @property
    def key(self) -> str:
        """Its key in the asset bucket."""
        return f"{hashlib.sha256(self.body).hexdigest()}.zip"


def make_zip(files: Mapping[str, Path]) -> bytes:
    """A zip of files, by their names inside it: sorted, with fixed times and modes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name].read_bytes())
    return buffer.getvalue()
