"""Where modules are: in the app's folder, in an installed distribution, or anywhere else."""

from __future__ import annotations

import functools
import importlib.machinery
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from typing import Any, Final

_SUFFIXES: Final = tuple(importlib.machinery.all_suffixes())
_INIT: Final = "__init__"


@dataclass(frozen=True, slots=True)
class Module:
    """A module that an import finds."""

    name: str
    file: str
    """Empty for a folder without ``__init__``."""
    folders: tuple[str, ...]
    """Where its submodules are; none if it is no package."""
    app: bool
    """It is found in the folder of the app, or in one that PYTHONPATH names there."""
    odd: bool = False
    """It is in no file that could be packed, e.g. in a zip."""

    @property
    def is_source(self) -> bool:
        """Whether it can be read for what it imports."""
        return self.file.endswith(".py")

    @property
    def is_namespace(self) -> bool:
        """Whether it is a folder without ``__init__``, which other folders may add to."""
        return not self.file and not self.odd


class Places:
    """What an import means in a handler's process: first the app's folders, then Python's own
    modules, then what is installed."""

    def __init__(self, app: Sequence[str], stdlib: frozenset[str]) -> None:
        self._app = tuple(app)
        self._stdlib = stdlib
        self._known: dict[str, Module | None] = {}
        self.seen: set[str] = set(app)
        """The folders that were looked into."""

    def find(self, name: str) -> Module | None:
        """The module, if it is neither Python's own nor missing."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> Module | None:
        parent, _, tail = name.rpartition(".")
        if parent:
            package = self.find(parent)
            return self._within(package, name, tail) if package and package.folders else None
        return None if name in sys.builtin_module_names else self._shared(self._top(name))

    def _top(self, name: str) -> Module | None:
        own = _look(name, self._app)
        if own is not None and not own.is_namespace:
            return self._own(own)
        other = None if name in self._stdlib else installed(name)
        if own is None or name in self._stdlib or (other is not None and not other.is_namespace):
            return other
        self.seen.update(own.folders)
        # One package of several folders, some of them of the app.
        return Module(name, "", (*own.folders, *(other.folders if other else ())), app=True)

    def _own(self, module: Module) -> Module:
        return Module(module.name, module.file, module.folders, app=True, odd=module.odd)

    def _within(self, package: Module, name: str, tail: str) -> Module | None:
        self.seen.update(package.folders if package.app else ())
        found = _look(tail, package.folders) or _hooked(name, list(package.folders))
        if found is None:
            return None
        place = found.file or (found.folders[0] if found.folders else "")
        app = package.app and any(_below(place, folder) for folder in self._app_folders(package))
        return Module(name, found.file, found.folders, app=app, odd=found.odd)

    def _app_folders(self, package: Module) -> list[str]:
        if not package.is_namespace:
            return list(package.folders)
        others = installed(package.name.partition(".")[0])
        foreign = others.folders if others else ()
        return [f for f in package.folders if not any(_below(f, o) for o in foreign)]

    def _shared(self, module: Module | None) -> Module | None:
        """With the folders that an old style namespace package adds to itself."""
        if module is None or not module.is_source or not _extends(module.file):
            return module
        entries = [*self._app, *sys.path]
        more = [os.path.join(entry, module.name) for entry in entries]
        folders = dict.fromkeys((*module.folders, *filter(os.path.isdir, more)))
        return Module(module.name, module.file, tuple(folders), app=module.app)


def is_shared(module: Module) -> bool:
    """Whether a package is only the place where several distributions put theirs, of the new style
    (PEP 420) or of the old one: whoever imports it alone has looked in vain for one of them."""
    return module.is_namespace or (module.is_source and _extends(module.file))


def inits(module: Module) -> Iterator[str]:
    """The ``__init__.py`` of each folder of a package that several folders make up."""
    for folder in module.folders:
        path = os.path.join(folder, f"{_INIT}.py")
        if path != module.file and os.path.isfile(path):
            yield path


@functools.cache
def installed(top: str) -> Module | None:
    """What the interpreter itself finds for a top-level name, the app's folder left aside."""
    found = _look(top, None)
    hooked = None if found is not None and not found.is_namespace else _hooked(top, None)
    if found is None or hooked is None:
        return found or hooked
    if not hooked.is_namespace:
        return hooked
    return Module(top, "", tuple(dict.fromkeys((*found.folders, *hooked.folders))), app=False)


@functools.cache
def _extends(file: str) -> bool:
    if not os.path.basename(file).startswith(_INIT):
        return False
    with open(file, "rb") as source:
        text = source.read(65536)
    return b"extend_path" in text or b"declare_namespace" in text


def _look(tail: str, folders: Sequence[str] | None) -> Module | None:
    # A name without dots, wherever it is: so nothing asks for parents that are not imported.
    try:
        spec = PathFinder.find_spec(tail, None if folders is None else list(folders))
    except (ImportError, OSError, ValueError):
        return None
    return _module(tail, spec)


def _hooked(name: str, folders: list[str] | None) -> Module | None:
    """What the finders of editable installs find."""
    for finder in sys.meta_path:
        if finder in (BuiltinImporter, FrozenImporter, PathFinder):
            continue
        try:
            spec = finder.find_spec(name, folders)
        except Exception:  # noqa: S112 - whatever a package has put there
            continue
        if spec is not None:
            return _module(name, spec)
    return None


def _module(name: str, spec: Any) -> Module | None:
    if spec is None:
        return None
    try:
        folders = tuple(
            dict.fromkeys(
                os.path.abspath(each)
                for each in spec.submodule_search_locations or ()
                if os.path.isdir(each)
            )
        )
    except (KeyError, TypeError):
        folders = ()
    origin = spec.origin if spec.has_location or spec.loader is not None else None
    if origin and origin.endswith(_SUFFIXES) and os.path.isfile(origin):
        return Module(name, os.path.abspath(origin), folders, app=False)
    if folders and spec.submodule_search_locations is not None and not spec.has_location:
        return Module(name, "", folders, app=False)
    if origin in ("built-in", "frozen"):
        return None
    return Module(name, "", (), app=False, odd=True)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)
