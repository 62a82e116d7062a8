"""`copy_files`: files of the app's folder that a job or function finds beside its code."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from devbridge import files
from devbridge.constructs import values
from devbridge.files import CACHES, NODE, Left, Taken
from devbridge.sources.base import Problem

_ALLOWED: Final = (
    "a list of paths or globs below the app's folder, each matching a file, "
    "e.g. ['models/small.bin', 'templates/**/*.html', 'data']"
)


def copied_files(root: Path, patterns: Sequence[str]) -> list[str]:
    """The files that `copy_files` means, relative to the app's folder with '/', sorted."""
    return sorted(selected(root, patterns).files)


def selected(root: Path, patterns: Sequence[str], imported: Sequence[Path] = ()) -> Taken:
    """The files that `copy_files` means, and what of them is left out.

    A pattern is a path or a glob (``**`` is any number of folders); a folder stands for all the
    files below it. Hidden files, keys and what git ignores are only taken where a path names them.

    Args:
        imported: files that are taken though git ignores them.
    """
    named: dict[str, Path] = {}
    rest = Taken()
    for pattern in patterns:
        found, literal = _matching(root, pattern)
        if literal:
            named |= found.files
        else:
            rest.files |= found.files
        rest.left += found.left
    unnamed = Taken({name: path for name, path in rest.files.items() if name not in named})
    checked = files.without_ignored(root, unnamed, {os.path.realpath(path) for path in imported})
    taken = {**checked.files, **named}
    left = [each for each in (*rest.left, *checked.left) if not each.is_in(taken)]
    return Taken(dict(sorted(taken.items())), list(dict.fromkeys(left)), checked.problem)


def copy_problem(root: Path, patterns: object) -> Problem | None:
    """The first pattern that is not allowed or matches nothing, and what is."""
    checked = values.strings(patterns)
    if checked is None:
        return repr(patterns), _ALLOWED
    for pattern in checked:
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts or "\\" in pattern or "\0" in pattern:
            return repr(pattern), _ALLOWED
        found, _ = _matching(root, pattern, ask=False)
        if found.files:
            continue
        if found.left:
            first = found.left[0]
            how = "name it as it is" if first.named else "copy it to where the app is"
            return repr(pattern), f"{_ALLOWED}; {first.name!r} is not taken ({first.why}): {how}"
        return repr(pattern), f"{_ALLOWED}; this one matches no file in {root}"
    return None


def _matching(root: Path, pattern: str, *, ask: bool = True) -> tuple[Taken, bool]:
    """The files that a pattern means, and whether it names them: as files, or by a folder that git
    ignores as a whole, which is only asked if it is to be."""
    parts = PurePosixPath(pattern).parts
    name = "/".join(parts)
    if not CACHES.isdisjoint(parts) or NODE in parts:
        return Taken(), False
    if glob.has_magic(name):
        return _globbed(root, name, parts), False
    path = root / name
    if _leads_out(root, parts):
        return Taken(left=[Left(name, "a link that leads out", named=False)]), False
    if path.is_dir():
        return files.walk(root, name), ask and bool(name) and files.is_ignored(root, name)
    is_file = path.is_file() and not pattern.endswith("/")
    return Taken({name: path} if is_file else {}), True


def _globbed(root: Path, pattern: str, parts: Sequence[str]) -> Taken:
    fixed = parts[: next(index for index, part in enumerate(parts) if glob.has_magic(part))]
    base = "/".join(fixed)
    if not (root / base).is_dir() or _leads_out(root, fixed):
        return Taken()
    found = files.walk(root, base)
    return Taken(
        {name: path for name, path in found.files.items() if files.matches(name, pattern)},
        [each for each in found.left if _concerns(each, pattern)],
    )


def _concerns(left: Left, pattern: str) -> bool:
    deep = left.name.endswith("/") and "**" in pattern
    return deep or files.matches(left.name.rstrip("/"), pattern)


def _leads_out(root: Path, parts: Sequence[str]) -> bool:
    """Whether a path goes through a link that leads out of the app's folder."""
    limit = os.path.realpath(root)
    places = (root.joinpath(*parts[: index + 1]) for index in range(len(parts)))
    return any(files.leaves(place, limit) for place in places)
