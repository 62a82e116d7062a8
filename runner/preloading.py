"""Watches the imports of a zygote, so that its forks can tell what they depend on.

Also undone here is what imports do to the whole process: filters of warnings, ``atexit`` functions,
loggers. See `runner.preloaded`, which does it again in the fork that imports the module.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from runner.note import Note, installed_file, remember
from runner.preloaded import Shelf, loggers
from runner.versions import Versions, namespace_of


class Notes:
    """A finder, while the zygote imports: it watches each import and finds nothing by itself."""

    def __init__(self, base: frozenset[str]) -> None:
        """`base` is what a fresh worker has imported at its beginning."""
        self.base = base
        self.notes: dict[str, Note] = {}
        self.environment = dict(os.environ)
        self.path = list(sys.path)
        self._running: list[str] = []
        self._undo: list[Callable[[], None]] = []
        self._watched: dict[int, tuple[Any, Any]] = {}

    # --- watching ---------------------------------------------------------------------------

    def begin(self) -> None:
        """From now on each import is watched."""
        import atexit  # built in
        import warnings  # a part of every interpreter

        self._warnings: Any = warnings
        self._filters = list(warnings.filters)
        self._filter_list: Any = warnings.filters
        sys.meta_path.insert(0, self)
        self._undo.append(lambda: sys.meta_path.remove(self))
        environ: Any = type(os.environ)
        for owner, name, by in (
            (builtins, "__import__", self._import),
            (environ, "__getitem__", self._getitem),
            (environ, "__iter__", self._iter),
            (atexit, "register", self._register),
            (warnings, "warn", self._warn),
            (warnings, "warn_explicit", self._warn),
            (warnings, "_add_filter", self._add_filter),
        ):
            self._replace(owner, name, by)

    def _replace(self, owner: Any, name: str, by: Callable[..., Callable[..., Any]]) -> None:
        if not hasattr(owner, name):
            return
        real = getattr(owner, name)
        watched = by(real)
        setattr(owner, name, watched)
        self._watched[id(watched)] = watched, real
        self._undo.append(lambda: setattr(owner, name, real))

    def note(self, name: str) -> Note:
        """The note of a module, which is begun if there is none."""
        if name not in self.notes:
            note = Note(name)
            self.notes[note.name] = note
        return self.notes[name]

    def _now(self) -> Note | None:
        return self.note(self._running[-1]) if self._running else None

    def _import(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(
            name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
        ) -> Any:
            module = real(name, globals, locals, fromlist, level)
            now = self._now()
            if now is not None:
                if level:
                    parts = (globals.get("__package__") or "").split(".")
                    base = ".".join(parts[: len(parts) - level + 1])
                    name = f"{base}.{name}" if name else base
                self._needs(now, name)
                for item in fromlist or ():
                    if f"{name}.{item}" in sys.modules:
                        self._needs(now, f"{name}.{item}")
            return module

        return watched

    def _needs(self, note: Note, name: str) -> None:
        while name and name != note.name:
            note.needs[name] = None
            name = name.rpartition(".")[0]

    def _getitem(self, real: Callable[..., str]) -> Callable[..., str]:
        def watched(environ: Any, key: str) -> str:
            value = None
            try:
                value = real(environ, key)
            finally:
                if (now := self._now()) is not None and isinstance(key, str):
                    now.read[key] = value
            return value

        return watched

    def _iter(self, real: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
        def watched(environ: Any) -> Iterator[str]:
            if (now := self._now()) is not None:
                now.read_all = True
            return real(environ)

        return watched

    def _register(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            # Without a module it is the zygote's own: its clients', for example.
            if (now := self._now()) is not None:
                now.at_exit.append((function, args, kwargs))
            return function

        del real
        return watched

    def _warn(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            if (now := self._now()) is not None:
                now.warned = True
            return real(*args, **kwargs)

        return watched

    def _add_filter(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*item: Any, append: bool) -> Any:
            now = self._now()
            if now is not None and self._warnings.filters is self._filter_list:
                now.filters.append((item, append))
            return real(*item, append=append)

        return watched

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """What the other finders find, with a loader that tells when it executes."""
        if (now := self._now()) is not None:
            self._needs(now, name)
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec: Any = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            if now is not None:
                now.missing[name] = None
            return None
        if spec.loader is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Watched(spec.loader, self)
        return spec

    def run(self, module: Any, execute: Callable[[Any], None]) -> None:
        """Execute a module's code, and note what appears elsewhere."""
        name = module.__spec__.name
        note = self.note(name)
        self._needs(note, name.rpartition(".")[0])
        before, loggers_before = set(sys.modules), set(loggers())
        self._running.append(name)
        try:
            execute(module)
        finally:
            self._running.pop()
        for other in sys.modules.keys() - before - self.notes.keys():
            self._needs(note, other)  # made by hand, as `six.moves`
        known = loggers_before.union(*(other.loggers for other in self.notes.values()))
        note.loggers = {
            key: logger
            for key, logger in loggers().items()
            if key not in known and hasattr(logger, "handlers")
        }

    # --- the end ----------------------------------------------------------------------------

    def end(self) -> Shelf:
        """Stop watching, and take out of sight what a fresh worker would not have."""
        while self._undo:
            self._undo.pop()()
        self._warnings.filters[:] = self._filters
        getattr(self._warnings, "_filters_mutated", lambda: None)()
        self._forget_finalizers()
        _forget_levels()
        loggers().clear()
        for name, module in list(sys.modules.items()):
            note = self.note(name)
            note.module = module
            note.base = name in self.base
            note.file = installed_file(module)
            self._give_real(module)
        for note in self.notes.values():
            if note.module is not None and not note.base:
                self._hide(note)
        for note in self.notes.values():
            remember(note)
        sys.path_importer_cache.clear()
        versions = {
            name: Versions([vars(note.module), *(namespace_of(cls) for cls, _ in note.classes)])
            for name, note in self.notes.items()
            if note.seen
        }
        return Shelf(self.notes.values(), self.environment, self.path, versions)

    def _give_real(self, module: Any) -> None:
        # `from warnings import warn` has taken ours.
        for key, value in list(getattr(module, "__dict__", {}).items()):
            if id(value) in self._watched and module.__name__ != __name__:
                setattr(module, key, self._watched[id(value)][1])

    def _hide(self, note: Note) -> None:
        del sys.modules[note.name]
        parent, _, child = note.name.rpartition(".")
        owner = self.notes[parent].module if parent in self.notes else None
        if isinstance(owner, ModuleType) and vars(owner).get(child) is note.module:
            note.bound = True
            delattr(owner, child)

    def _forget_finalizers(self) -> None:
        # Those of the zygote's own clients; and the class says that it is registered already.
        if (weakref := sys.modules.get("weakref")) is not None:
            finalize: Any = weakref.finalize
            finalize._registry.clear()
            finalize._registered_with_atexit = False


def _forget_levels() -> None:
    """What loggers have found to be enabled: nobody clears that while they are out of sight."""
    if (logging := sys.modules.get("logging")) is not None:
        logging.root.manager._clear_cache()


class _Watched:
    """A loader that tells the notes when it executes."""

    def __init__(self, loader: Any, notes: Notes) -> None:
        self._loader = loader
        self._notes = notes

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._notes.run(module, self._loader.exec_module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
