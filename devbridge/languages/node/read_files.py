"""Which files a bundle was made from: what to watch, as a worker reports it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from devbridge.files import NODE
from devbridge.languages.node.bundles import Asked
from devbridge.languages.node.graph import Graph, package_of
from devbridge.languages.node.loaded import Left

_EXTENDS: Final = re.compile(r'"extends"\s*:\s*(\[[^\]]*\]|"[^"]*")')
_TEXT: Final = re.compile(r'"([^"]*)"')
_DEEP: Final = 8
"""How many files one may extend after another."""


def read_files(asked: Asked, graph: Graph, left: Left) -> dict[str, Any]:
    """The body that a worker posts to ``/devbridge/modules``."""
    root = f"{asked.root}/"
    paths = {path for path in graph.modules if not path.startswith("(")}
    installed = {path for path in paths if package_of(path)} | left.files
    own = paths - installed
    mine = {path for path in own if path.startswith(root)}
    settings = settings_of(asked, own)
    return {
        "userFiles": sorted(mine),
        "own": sorted((own - mine) | settings),
        "installed": sorted(installed),
        "thirdParty": [],
        "listed": [],
        "lookups": {},
        "recorded": True,
    }


def settings_of(asked: Asked, files: Iterable[str]) -> set[str]:
    """The files that say how others are bundled: ``tsconfig.json``, ``package.json``, plugins."""
    found: set[Path] = set()
    for folder in {Path(file).parent for file in files}:
        for each in (folder, *folder.parents):
            found |= {each / "tsconfig.json", each / "package.json"}
            if each == asked.root or (each / ".git").exists():
                break
    if named := asked.options.get("tsconfig"):
        found.add(asked.root / named)
    if named := asked.options.get("plugins"):
        found.add(asked.root / named)
    there = {path for path in found if path.is_file()}
    for path in [*there]:
        if path.suffix == ".json" and path.name != "package.json":
            there.update(_extended(path, _DEEP))
    return {os.path.normpath(path) for path in there}


def _extended(path: Path, deep: int) -> Iterator[Path]:
    """What a ``tsconfig.json`` extends, which may have comments and is not parsed for that."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for found in _EXTENDS.finditer(text):
        for name in _TEXT.findall(found[1]):
            base = path.parent / name if name.startswith(".") else path.parent / NODE / name
            for each in (base, base.with_name(f"{base.name}.json")):
                if each.is_file() and deep:
                    yield each
                    yield from _extended(each, deep - 1)
                    break
