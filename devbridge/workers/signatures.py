"""What tells one version of a file, or of a folder's entries, from another."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devbridge.sources.folder import signed

RACY: Final = 1.0
"""Seconds for which a folder's time of change may hide further changes: clocks of file systems are
coarse."""
_NOISE: Final = ("__pycache__",)


@dataclass(frozen=True, slots=True)
class Entries:
    """A folder's entries: those that are modules of these names, or all that are no editor's."""

    folder: Path
    names: frozenset[str] | None = None


Signature = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Declarations:
    """The jobs that are declared in a folder, and in those below it."""

    folder: Path
    seen: Signature | None = field(default=None, compare=False)
    """What they were when the app was loaded."""


Watched = Path | Entries | Declarations
"""What may be out of date."""


def sign(file: Path) -> Signature | None:
    """A file's: time of change in ns, size and inode; None if there is none.

    The inode tells a file from the one that has replaced it with its time kept.
    """
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def modified(signature: Signature | None) -> float:
    """When the file was changed, in seconds since the epoch; 0 if that is not known."""
    first = signature[0] if signature else 0
    return first / 1e9 if isinstance(first, int) else 0.0


class Looker:
    """Signs what is watched; remembers folders' entries for as long as they have not changed."""

    def __init__(self) -> None:
        self._listings: dict[Path, tuple[int, tuple[str, ...]]] = {}
        self._concerned: dict[Entries, tuple[tuple[str, ...], Signature]] = {}
        """What was found of a folder's entries, and of which that was."""

    def __call__(self, item: Watched) -> Signature | None:
        """What tells the file, or the folder's entries, of now from others."""
        if isinstance(item, Path):
            return sign(item)
        if isinstance(item, Declarations):
            return signed(item.folder)
        entries = self._list(item.folder)
        known = self._concerned.get(item)
        if known is None or known[0] is not entries:
            found = tuple(name for name in entries if _concerns(name, item.names))
            known = self._concerned[item] = entries, found
        return known[1]

    def _list(self, folder: Path) -> tuple[str, ...]:
        try:
            changed = folder.stat().st_mtime_ns
            known = self._listings.get(folder)
            if known is not None and known[0] == changed:
                return known[1]
            entries = tuple(sorted(entry.name for entry in folder.iterdir()))
        except OSError:
            return ()
        if changed / 1e9 < time.time() - RACY:
            self._listings[folder] = (changed, entries)
        else:
            self._listings.pop(folder, None)
        return entries


def _concerns(entry: str, names: frozenset[str] | None) -> bool:
    if names is None:
        return not entry.startswith((".", "#")) and not entry.endswith("~") and entry not in _NOISE
    return entry.partition(".")[0] in names
