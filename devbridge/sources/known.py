"""The languages that handlers can be written in, as far as loading app.py must know them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from devbridge.sources.base import Source
from devbridge.sources.node import NodeSource
from devbridge.sources.python import PythonSource
from devbridge.sources.runtimes import Name, language_of

SOURCES: Final[Mapping[Name, Source]] = {"python": PythonSource(), "nodejs": NodeSource()}
SUFFIXES: Final = frozenset(suffix for each in SOURCES.values() for suffix in each.suffixes)
"""Those of files with code, in any language."""


INSTALLED: Final = frozenset({"site-packages", "dist-packages", "node_modules"})
"""The folders that package managers put into: what is below them is somebody else's."""


def source_of(runtime: str | None) -> Source | None:
    """The language of a runtime, as a construct names it; None for a container."""
    language = language_of(runtime)
    return SOURCES[language] if language else None


def is_code(path: Path) -> bool:
    """Whether a file has code, in any language."""
    return path.suffix in SUFFIXES


def is_installed(path: Path) -> bool:
    """Whether a file is an installed package's."""
    return not INSTALLED.isdisjoint(path.parts)


def changed(file: Path) -> None:
    """Take away what was kept of a file that is another one now."""
    for source in SOURCES.values():
        if file.suffix in source.suffixes:
            source.changed(file)
