"""Source maps as they are deployed: with the sources of the user's own code only."""

from __future__ import annotations

import json
import os
from pathlib import Path

from devbridge.files import NODE
from devbridge.languages.node.own_package import NAME, PACKAGE


def deployed(name: str, body: bytes, root: Path) -> bytes:
    """A file of a bundle; if it is a source map, without the texts of installed packages.

    devbridge's own package, which is bundled from wherever devbridge is, is told as installed: what
    runs the bundle knows by that whose frames are not the user's.

    Args:
        name: of the file, relative to `root`.
        root: the app's folder.
    """
    if not name.endswith(".map") or not body.startswith(b"{"):
        return body
    document = json.loads(body)
    folder = os.path.dirname(root / name)  # noqa: PTH120
    sources = [_told(source, folder, root) for source in document["sources"]]
    document["sources"] = sources
    if "sourcesContent" in document:
        document["sourcesContent"] = [
            None if f"{NODE}/" in source else content
            for source, content in zip(sources, document["sourcesContent"], strict=True)
        ]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _told(source: str, folder: str, root: Path) -> str:
    file = Path(os.path.normpath(os.path.join(folder, source)))  # noqa: PTH118
    if not file.is_relative_to(PACKAGE):
        return source
    return os.path.relpath(root / NODE / NAME / file.relative_to(PACKAGE), folder)
