"""What a package's ``package.json`` says; nothing where there is none, or it cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

FILE: Final = "package.json"
INSTALLED: Final = ("dependencies", "devDependencies", "optionalDependencies")
"""Where a project names what is installed for it."""


def manifest(folder: Path) -> Mapping[str, Any]:
    """The document of a package's folder."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def text(folder: Path, key: str) -> str:
    """One of its texts, such as ``version``; empty if there is none."""
    return str(manifest(folder).get(key, ""))


def names(folder: Path, package: str, kinds: Sequence[str] = INSTALLED) -> bool:
    """Whether it names a package among what it depends on."""
    found = manifest(folder)
    return any(isinstance(found.get(kind), dict) and package in found[kind] for kind in kinds)
