"""What a worker reports: which modules its handler imported, and what that has read."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devbridge.workers.signatures import Entries, Watched

_REMEMBERED: Final = 256 * 1024
"""Bytes of a report that may come again."""


@dataclass(frozen=True, slots=True)
class Modules:
    """What a handler really imported, reported by its worker once it has."""

    user_files: frozenset[Path]
    """Files below the app's folder: these are watched."""
    third_party: tuple[str, ...]
    """Installed modules by their full names, in import order, and what botocore read of its data
    (``botocore.data:PATH``): a zygote reads that before it forks."""
    zygote: int | None = None
    """Whose fork the worker is; None: it is a fresh interpreter."""
    problem: str | None = None
    """What the worker found changed, so that its zygote's modules are not what it would have
    imported."""
    stale: str | None = None
    """The same, when it is an installed file."""
    own: frozenset[Path] = frozenset()
    """What else was read or imported, wherever it is: data files, libraries beside the app."""
    installed: frozenset[Path] = frozenset()
    """Files of installed packages that were read or imported."""
    listed: frozenset[Path] = frozenset()
    """Folders whose entries were asked for."""
    lookups: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    """Folder -> modules that were looked for there, found or not."""
    recorded: bool = False
    """Whether more than the modules was recorded: see `runner.reads`."""

    @property
    def watched(self) -> frozenset[Watched]:
        """What makes the worker out of date at once, besides installed packages."""
        listed = {Entries(folder) for folder in self.listed}
        lookups = {Entries(folder, names) for folder, names in self.lookups.items()}
        return self.user_files | self.own | listed | lookups


def that_mend(paths: Iterable[str]) -> Modules:
    """What code that cannot even be built is made of, as far as it is known: the files, and the
    folders in which one is missing, that may mend it."""
    found = {Path(path) for path in paths}
    folders = frozenset(path for path in found if path.is_dir())
    return Modules(
        user_files=frozenset(), third_party=(), own=frozenset(found - folders), listed=folders
    )


def report(body: bytes) -> Modules:
    """What a worker reports, in JSON.

    Raises:
        ValueError, TypeError, LookupError, AttributeError, RecursionError: it is no report.
    """
    return _seen(body) if len(body) <= _REMEMBERED else _parsed(body)


@functools.lru_cache(maxsize=32)
def _seen(body: bytes) -> Modules:
    """The report. After most saves it is the same: hundreds of paths need not be made again, and
    are found to be the same ones at once."""
    return _parsed(body)


def _parsed(body: bytes) -> Modules:
    document = json.loads(body)
    lookups, zygote = document.get("lookups", {}), document.get("zygote")
    return Modules(
        user_files=_paths(document["userFiles"]),
        third_party=tuple(_texts(document["thirdParty"])),
        own=_paths(document.get("own", [])),
        installed=_paths(document.get("installed", [])),
        listed=_paths(document.get("listed", [])),
        lookups={Path(folder): frozenset(_texts(lookups[folder])) for folder in _texts([*lookups])},
        zygote=zygote if isinstance(zygote, int) else None,
        problem=_said(document.get("problem")),
        stale=_said(document.get("stale")),
        recorded=document.get("recorded") is True,
    )


def _said(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _paths(value: object) -> frozenset[Path]:
    return frozenset(map(Path, _texts(value)))


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError("a list is needed")
    if not all(isinstance(text, str) and "\0" not in text for text in value):
        raise TypeError("a list of texts is needed")
    return value
