"""Everything that a file of the app reaches by imports."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from devbridge.languages.python.probe import imports
from devbridge.languages.python.probe.conditions import facts
from devbridge.languages.python.probe.imports import ALL, GUARDED, STAR, SURE, Import, Source
from devbridge.languages.python.probe.places import Module, Places, inits, installed

_GONE: Final = {
    (3, 12): "asynchat asyncore distutils imp smtpd",
    (3, 13): "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib"
    " ossaudiodev pipes sndhdr spwd sunau telnetlib uu xdrlib",
}
_NEW: Final = {(3, 14): "annotationlib compression"}
"""Modules of Python's own that came or went with a version ("What's New in Python")."""


def stdlib(version: Sequence[int]) -> frozenset[str]:
    """The modules of Python's own in a version, told by this one's."""
    names, wanted, here = set(sys.stdlib_module_names), tuple(version[:2]), sys.version_info[:2]
    for step, words in _GONE.items():
        if here < step <= wanted:
            names -= set(words.split())
        elif wanted < step <= here:
            names |= set(words.split())
    for step, words in _NEW.items():
        if here < step <= wanted:
            names |= set(words.split())
        elif wanted < step <= here:
            names -= set(words.split())
    return frozenset(names)


@functools.cache
def _facts(platform: str, version: tuple[int, ...], machine: str) -> dict[str, object]:
    return facts(platform, version, machine)


def here() -> dict[str, object]:
    """What modules can ask about this Python."""
    machine = os.uname().machine if hasattr(os, "uname") else ""
    return _facts(sys.platform, sys.version_info[:2], machine)


class Reach:
    """What one handler reaches."""

    def __init__(
        self,
        root: str,
        *,
        paths: Sequence[str],
        platform: str,
        version: Sequence[int],
        machine: str,
        brought: frozenset[str],
        loose: Callable[[Module], bool] = lambda _: False,
        only: frozenset[str] | None = None,
        unread: frozenset[str] = frozenset(),
    ) -> None:
        """
        Args:
            paths: further folders that modules are found in, relative to `root`.
            platform, version, machine: of where it will run.
            brought: top-level names that are there anyway.
            loose: whether no installed distribution lists a module that is not of the app; then
                its imports are followed, too.
            only: top-level names that count as the app's; None for all that are found there.
            unread: files whose own imports are not followed.
        """
        self.root = root
        self.known = _facts(platform, tuple(version[:2]), machine)
        folders = [os.path.normpath(os.path.join(root, path)) for path in paths]
        self.places = Places(list(dict.fromkeys([root, *folders])), stdlib(sys.version_info[:2]))
        self.there = stdlib(version)
        self.brought = brought
        self.only = only
        self._unread = unread
        self._is_loose = loose
        self.files: dict[str, str] = {}
        self.loose: set[str] = set()
        """Files of modules that are neither in the app nor in an installed distribution."""
        self.needs: dict[str, dict[str, Any]] = {}
        self.own: list[list[Any]] = []
        self.missing: list[dict[str, Any]] = []
        """Modules of the app's packages that are not there."""
        self.compiled: dict[str, str] = {}
        self.app_tops: set[str] = set()
        self.entry_points = False
        self._levels: dict[str, int] = {}
        self.broken: dict[str, dict[str, Any]] = {}
        """Files of the app that do not parse: place -> why."""
        self._handlers: dict[str, str] = {}
        self._queue: list[tuple[str, str, int]] = []

    def follow(self, file: str, handler: str = "") -> None:
        """Follow the imports of a file below the root.

        Args:
            handler: the function in it that is going to be called.
        """
        package = os.path.dirname(file).replace("/", ".")
        for folder in _folders(file):
            init = os.path.join(self.root, folder, "__init__.py")
            if os.path.isfile(init):
                self._source(init, folder.replace("/", "."), SURE)
        path = os.path.join(self.root, file)
        self._handlers[path] = handler
        self._source(path, package, SURE)
        self._follow()

    def follow_module(self, name: str, level: int, place: str) -> None:
        """Follow a module by its name."""
        self._import(Import(name, (), 0, level), level, place)
        self._follow()

    def handler_problem(self, file: str, handler: str) -> str:
        """Why a function of a file cannot be called; empty if it can."""
        source = self._read(os.path.join(self.root, file), "")
        if source is None or source.defined is None or handler in source.defined:
            return ""
        has = ", ".join(sorted(source.defined))
        return f"{file!r} has no function {handler!r}; it has: {has or 'none'}"

    def _follow(self) -> None:
        while self._queue:
            path, package, level = self._queue.pop()
            shown = self._shown(path)
            source = None if shown in self._unread else self._read(path, package)
            if source is not None:
                self.entry_points |= source.entry_points and shown in self.files
                for item in source.imports:
                    self._import(item, min(level, item.level), f"{shown}:{item.line}")

    # --- files ------------------------------------------------------------------------------

    def _source(self, path: str, package: str, level: int) -> None:
        if (shown := self._shown(path)) != path:
            self.files[shown] = path
        if self._levels.get(path, -1) < level:
            self._levels[path] = level
            self._queue.append((path, package, level))

    def _shown(self, path: str) -> str:
        if path.startswith(self.root + os.sep):
            return path[len(self.root) + 1 :].replace(os.sep, "/")
        return path

    def _read(self, path: str, package: str) -> Source | None:
        """What a file imports; None if it does not parse, which is remembered."""
        try:
            return read_file(path, package, self._handlers.get(path, ""), tuple(self.known.items()))
        except (SyntaxError, ValueError) as error:
            line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            what = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
            if (shown := self._shown(path)) in self.files:
                self.broken[f"{shown}{line}"] = {"what": what, "level": self._levels[path]}
            return None

    # --- imports ----------------------------------------------------------------------------

    def _import(self, item: Import, level: int, place: str) -> None:
        if self.only is not None and item.top not in self.only:
            if item.top not in self.there and item.top not in self.brought:
                self._need(item.top, level, place)
            return
        if self.only is None and item.top == "devbridge" and not self._is_apps("devbridge"):
            self.own.append([item.module, list(item.names), place])
            return
        found = self._chain(item.module, level, place)
        if found is None:
            return
        for name in item.names:
            if name == ALL:
                for each in _modules_in(found):
                    self._attribute(found, each, GUARDED, place)
            elif name == STAR:
                self._star(found, level, place)
            else:
                self._attribute(found, name, level, place)

    def _chain(self, module: str, level: int, place: str) -> Module | None:
        """The module, with the packages above it; None if there is nothing to follow."""
        top, *rest = module.split(".")
        found = self.places.find(top)
        if (found is None or not found.app) and self._is_there(top):
            return None
        if found is None:
            if top in sys.stdlib_module_names and top not in self.there:
                self._need(top, level, place, gone=True)
            else:
                self._need(top, level, place)
            return None
        self._module(found, level, place)
        for index in range(1, len(rest) + 1):
            name = ".".join([top, *rest[:index]])
            parent, found = found, self.places.find(name)
            if found is None:
                if parent.app and (parent.folders or parent.is_source):
                    self.missing.append({"module": name, "level": level, "place": place})
                return None
            self._module(found, level, place)
        return found

    def _is_there(self, top: str) -> bool:
        if top == "__main__" or top in self.brought:
            return True
        return top in self.there and self.places.find(top) is None

    def _is_apps(self, top: str) -> bool:
        found = self.places.find(top)
        return found is not None and found.app and not found.is_namespace

    def _attribute(self, package: Module, name: str, level: int, place: str) -> None:
        if package.folders and (found := self.places.find(f"{package.name}.{name}")):
            self._module(found, level, place)

    def _star(self, package: Module, level: int, place: str) -> None:
        if not package.is_source:
            return
        source = self._read(package.file, package.name)
        names = source.exported if source else ()
        for name in _modules_in(package) if names is None else names:
            self._attribute(package, name, GUARDED if names is None else level, place)

    def _module(self, module: Module, level: int, place: str) -> None:
        package = module.name if module.folders else module.name.rpartition(".")[0]
        if module.app:
            self.app_tops.add(module.name.partition(".")[0])
            self._app_module(module, package, level, place)
            if module.is_namespace and "." not in module.name and self._has_installed(module):
                self._need(module.name, level, place)
            return
        self._need(module.name.partition(".")[0], level, place)
        if module.file and not module.odd and self._is_loose(module):
            self.loose.add(module.file)
            for file in (module.file, *inits(module)) if module.is_source else ():
                self._source(file, package, GUARDED)

    def _has_installed(self, module: Module) -> bool:
        other = installed(module.name)
        return other is not None and bool(other.folders)

    def _app_module(self, module: Module, package: str, level: int, place: str) -> None:
        if module.is_source:
            self._source(module.file, package, level)
            for init in inits(module):
                if init.startswith(self.root + os.sep):
                    self._source(init, package, level)
        elif module.file:
            for path in _builds(module.file):
                self.files[self._shown(path)] = path
            self.compiled.setdefault(module.name, place)

    def _need(self, top: str, level: int, place: str, *, gone: bool = False) -> None:
        known = self.needs.get(top)
        if known is None or known["level"] < level:
            self.needs[top] = {"level": level, "place": place, "gone": gone}


def _folders(file: str) -> Iterator[str]:
    parts = file.split("/")[:-1]
    for index in range(1, len(parts) + 1):
        yield "/".join(parts[:index])


def _modules_in(package: Module) -> list[str]:
    found: set[str] = set()
    for folder in package.folders:
        for name in os.listdir(folder):
            stem = name.partition(".")[0]
            if stem.isidentifier() and (
                name.endswith((".py", ".so", ".pyd"))
                or os.path.isfile(os.path.join(folder, name, "__init__.py"))
            ):
                found.add(stem)
    return sorted(found - {"__init__", "__main__"})


def _builds(file: str) -> list[str]:
    """A compiled module's file, and those that are built of it for other Pythons."""
    folder, name = os.path.split(file)
    stem = name.partition(".")[0]
    return [
        os.path.join(folder, each)
        for each in sorted(os.listdir(folder))
        if each.partition(".")[0] == stem and each.endswith((".so", ".pyd"))
    ] or [file]


@functools.cache
def read_file(
    path: str, package: str, handler: str, known: tuple[tuple[str, object], ...]
) -> Source:
    """What a file imports; read once."""
    with open(path, "rb") as file:
        source = file.read()
    return imports.read(
        source, filename=path, package=package, known=dict(known), here=here(), handler=handler
    )
