"""Find installed distributions by what they let one import. Standard library only.

Runs in this process for this interpreter, and as a script in the app's own interpreter: the names
are its arguments, the answer is JSON on stdout.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"extra\s*==\s*[\"']([^\"']+)[\"']")
_KEPT = ("METADATA", "entry_points.txt", "top_level.txt")


def canonical(name: str) -> str:
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def scan(names: list[str], excluded: list[str], optional: list[str]) -> dict[str, Any]:
    """The distributions that provide the importable `names`, with all that they require.

    A requirement with an environment marker is taken if it is installed: then it was meant for
    this environment.

    Args:
        excluded: canonical names of distributions that are there anyway.
        optional: importable names too, but those that are not there, or not whole, are left out.
    """
    _providers.cache_clear()
    answer = _scan(names, excluded)
    found = {item["name"]: item for item in answer["distributions"]}
    for name in optional:
        more = _scan([name], excluded)
        if not more["missing"] and not more["required"]:
            found.update((item["name"], item) for item in more["distributions"])
    return {**answer, "distributions": [found[name] for name in sorted(found)]}


def _scan(names: list[str], excluded: list[str]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    required: list[list[str]] = []
    queue: list[tuple[str, frozenset[str]]] = []
    for top in names:
        owners = _owners(top)
        queue.extend((owner, frozenset()) for owner in owners)
        if not owners or all(_editable(owner) for owner in owners):
            files = _tree(top)
            if files:
                found[f"({top})"] = {"name": top, "version": "", "files": files}
            elif not owners:
                missing.append(top)
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        item = queue.pop()
        name, extras = item
        if item in seen or name in excluded:
            continue
        seen.add(item)
        distribution = metadata.distribution(name)
        files = [] if _editable(name) else _files(distribution)
        found[name] = {"name": name, "version": distribution.version, "files": files}
        for requirement in distribution.requires or ():
            spec, _, marker = requirement.partition(";")
            wanted = _EXTRA.search(marker)
            if wanted and wanted[1] not in extras:
                continue
            match = _NAME.match(spec)
            if match is None:
                continue
            other = canonical(match[1])
            try:
                metadata.distribution(other)
            except metadata.PackageNotFoundError:
                if not marker and other not in excluded:
                    required.append([name, match[1]])
                continue
            queue.append((other, frozenset(e.strip() for e in (match[2] or "").split(",") if e)))
    return {
        "distributions": [found[key] for key in sorted(found)],
        "missing": missing,
        "required": required,
    }


def _owners(top: str) -> list[str]:
    try:
        files = metadata.distribution(top).files or ()
    except metadata.PackageNotFoundError:
        files = ()
    if any(file.parts[0] in (top, f"{top}.py") for file in files):
        return [canonical(top)]
    return sorted({canonical(name) for name in _providers().get(top, ())})


@functools.cache
def _providers() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _editable(name: str) -> bool:
    text = metadata.distribution(name).read_text("direct_url.json")
    return bool(text and json.loads(text).get("dir_info", {}).get("editable"))


def _files(distribution: metadata.Distribution) -> list[list[str]]:
    return [
        [file.as_posix(), str(Path(str(file.locate())).resolve())]
        for file in distribution.files or ()
        if _wanted(PurePosixPath(file)) and Path(str(file.locate())).is_file()
    ]


def _wanted(file: PurePosixPath) -> bool:
    if file.is_absolute() or {"..", "__pycache__"} & set(file.parts):
        return False
    if file.suffix in (".pyc", ".pth"):
        return False
    return not file.parts[0].endswith(".dist-info") or file.name in _KEPT


def _tree(top: str) -> list[list[str]]:
    """The files of a package that is importable but that no distribution lists."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    folders = list(spec.submodule_search_locations or ())
    if not folders:
        origin = Path(spec.origin or "")
        return [[origin.name, str(origin)]] if origin.is_file() else []
    return sorted(
        [(PurePosixPath(top) / path.relative_to(folder).as_posix()).as_posix(), str(path)]
        for folder in map(Path, folders)
        for path in folder.rglob("*")
        if path.is_file() and _wanted(PurePosixPath(path.relative_to(folder).as_posix()))
    )


if __name__ == "__main__":
    json.dump(scan(*(argument.split() for argument in sys.argv[1:])), sys.stdout)
