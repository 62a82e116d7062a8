"""The zip of a Python function: its handler, and what that imports, and nothing else."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devbridge.build.environment import (
    RUNTIME_IMPORTS,
    Distribution,
    Target,
    files_for,
    installed,
)
from devbridge.build.imports import Import, imports_of
from devbridge.build.zips import Asset, make_zip
from devbridge.constructs import Function
from devbridge.errors import BuildError

OWN_ROOT: Final = Path(__file__).resolve().parents[2]
"""The folder that the packages devbridge and stub_lambda are in."""
STUB: Final = "stub_lambda/handler.py"
UNZIPPED_LIMIT: Final = 250 * 1024 * 1024
"""AWS Lambda's limit, in bytes."""
_LAZY: Final = "devbridge/__init__.py"
"""It imports the constructs when asked for them: never in a function."""


@dataclass
class Sources:
    """The local files that a handler reaches by imports, and what they need beyond those."""

    files: dict[str, Path] = field(default_factory=dict)
    third_party: dict[str, str] = field(default_factory=dict)
    """Importable name -> the line that needs it, e.g. ``api/start.py:3``."""
    optional: dict[str, str] = field(default_factory=dict)
    """The same for imports whose failure is caught."""


def function_asset(
    function: Function, *, python: Path, target: Target | None, cache: Path
) -> Asset:
    """The zip of a function of the app.

    Args:
        python: the app's interpreter, whose packages are packed.
        target: see `files_for`.
        cache: see `files_for`.

    Raises:
        BuildError: an import cannot be resolved, a file does not parse, or it is too large.
    """
    sources = reachable(function.app.root, function.handler.file)
    try:
        found = installed(sources.third_party, python)
    except BuildError as error:
        lines = [line for name, line in sources.third_party.items() if f"'{name}'" in error.what]
        where = ", ".join([*lines, error.where or ""])
        raise BuildError(error.what, where=where, remedy=error.remedy) from error
    found += _optional(sources, python, found)
    files = {**files_for(found, target, cache), **sources.files}
    size = sum(path.stat().st_size for path in files.values())
    if size > UNZIPPED_LIMIT:
        raise BuildError(
            f"{function}: its files have {size:,} bytes; AWS Lambda takes {UNZIPPED_LIMIT:,}",
            where=", ".join(sorted(d.name for d in found)),
            remedy="import less in this function, or make it a job",
        )
    return Asset(str(function), make_zip(files))


@functools.cache
def stub_asset() -> Asset:
    """The zip of the stub: the same for every app, stage and job; packed once per process."""
    sources = reachable(OWN_ROOT, STUB, only=frozenset({"devbridge", "stub_lambda"}))
    found = installed(sources.third_party, Path(sys.executable))
    files = {arc: path for d in found for arc, path in d.files if path.suffix == ".py"}
    return Asset("the stubs", make_zip({**files, **sources.files}))


def _optional(sources: Sources, python: Path, found: list[Distribution]) -> list[Distribution]:
    more: list[Distribution] = []
    for name in sources.optional.keys() - sources.third_party.keys():
        try:
            more += [d for d in installed([name], python) if d not in (*found, *more)]
        except BuildError:
            continue
    return more


def reachable(root: Path, entry: str, *, only: frozenset[str] | None = None) -> Sources:
    """Everything that the file `entry` below `root` reaches by static imports.

    Args:
        only: the top-level packages that count as local; None for all that are below `root`.

    Raises:
        BuildError: a file does not parse, or a local module does not exist.
    """
    sources = Sources()
    queue = [(root, file) for file in _with_packages(root, entry)]
    while queue:
        base, name = queue.pop()
        if name in sources.files:
            continue
        sources.files[name] = base / name
        if name == _LAZY:
            continue
        for item in _imports(base, name):
            place = f"{name}:{item.line}"
            if only is None or item.top in only:
                local = list(_local(root, item))
                if local:
                    queue += [(root, file) for file in local]
                    continue
            if item.top in sys.stdlib_module_names or item.top in RUNTIME_IMPORTS:
                continue
            if item.top == "devbridge":
                own = list(_local(OWN_ROOT, item))
                if set(own) <= {_LAZY} and item.names:
                    raise BuildError(
                        f"{item.module!r} has nothing to import at run time",
                        where=place,
                        remedy="import Job from devbridge.job, and Table from devbridge.resources",
                    )
                queue += [(OWN_ROOT, file) for file in own]
                continue
            if only is None and base == OWN_ROOT:
                continue  # What devbridge imports for the user's types, those types bring along.
            into = sources.optional if item.optional else sources.third_party
            into.setdefault(item.top, place)
    return sources


def _imports(base: Path, name: str) -> list[Import]:
    parts = Path(name).with_suffix("").parts
    try:
        return imports_of((base / name).read_bytes(), filename=name, package=".".join(parts[:-1]))
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise BuildError(
            f"{type(error).__name__}: {getattr(error, 'msg', error)}",
            where=f"{name}{line}",
            remedy="correct that line",
        ) from error


def _local(root: Path, item: Import) -> Iterator[str]:
    """The files below `root` that an import runs; none if it is not of there."""
    modules = [item.module, *(f"{item.module}.{name}" for name in item.names if name != "*")]
    for module in modules:
        path = module.replace(".", "/")
        for file in (f"{path}/__init__.py", f"{path}.py"):
            if (root / file).is_file():
                yield from _with_packages(root, file)
                break


def _with_packages(root: Path, file: str) -> Iterator[str]:
    """A module's file, and the packages that are imported before it."""
    for folder in reversed(Path(file).parents):
        package = (folder / "__init__.py").as_posix()
        if folder != Path() and (root / package).is_file():
            yield package
    yield file
