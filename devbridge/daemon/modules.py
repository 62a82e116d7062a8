"""What a worker reports: which modules its handler imported, and what that has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devbridge.daemon.signatures import Entries, Watched


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
