"""One module that a zygote has imported: what it was like, and whether it still is.

`remember` writes down what a module has before anybody can have changed it; `touched`, `replaced`
and `stale` find, in a fork, what has been changed since.

A fork copies the memory of what it looks at, as looking counts references. What it has to ask of
each module before that is handed out is therefore in `Facts`, which are packed together.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

_UNTOLD = object()
_SIMPLE = (str, bytes, int, float, bool, tuple, frozenset)
_IGNORED = frozenset(("__spec__", "__loader__", "__warningregistry__", "__cached__", "__doc__"))


class Facts(NamedTuple):
    """What the import of a module depended on, and where it was found."""

    name: str
    missing: tuple[str, ...]
    """What it has looked for in vain, and does without."""
    read: dict[str, str | None]
    """The environment's variables that it has looked at, and what it saw."""
    read_all: bool
    warned: bool
    has_loggers: bool
    file: tuple[str, int, int] | None
    """Of an installed module: its file, and the time and size by which a change is seen."""
    entry: str | None
    """The entry of sys.path where a top-level module was found."""


class Note:
    """One module: what it is, what it was made from, and what making it did."""

    def __init__(self, name: str) -> None:
        self.name = _plain(name)
        self.module: Any = None
        self.base = False
        """A fresh worker has it at its beginning."""
        self.needs: dict[str, None] = {}
        self.missing: dict[str, None] = {}
        self.read: dict[str, str | None] = {}
        self.read_all = False
        self.warned = False
        self.at_exit: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self.filters: list[tuple[tuple[Any, ...], bool]] = []
        self.loggers: dict[str, Any] = {}
        self.file: tuple[str, int, int] | None = None
        self.bound = False
        """Its parent has it as an attribute."""
        self.entry: str | None = None
        self.seen: dict[str, Any] = {}
        self.classes: list[tuple[type, dict[str, Any]]] = []

    def facts(self) -> Facts:
        """What a fork asks before it hands the module out."""
        read = {_plain(key): value and _plain(value) for key, value in self.read.items()}
        loggers = bool(self.loggers) and self.name != "logging"
        file = self.file and (_plain(self.file[0]), *self.file[1:])
        rest = self.read_all, self.warned, loggers, file, self.entry
        return Facts(self.name, tuple(map(_plain, self.missing)), read, *rest)


def _plain(text: str) -> str:
    """The same text, where it is of a subclass: of those ``str`` may make something else."""
    return str.__str__(text)


def is_compiled(file: str) -> bool:
    """Whether a module's file is compiled code, which nobody can watch."""
    return not file.endswith((".py", ".pyc"))


def remember(note: Note) -> None:
    """Write down what a module is like before anybody can have changed it."""
    if "." not in note.name:
        note.entry = _entry(note)
    if type(note.module) is not ModuleType or note.name in _STATE:
        return
    ignored = _IGNORED | _FILTERS if note.name == "warnings" else _IGNORED
    note.seen = {key: value for key, value in vars(note.module).items() if key not in ignored}
    for value in note.seen.values():
        if isinstance(value, type) and value.__module__ == note.name and _is_mutable(value):
            if issubclass(value, ModuleType):  # lazy: `six.moves`
                continue
            note.classes.append((value, dict(vars(value))))


def _is_mutable(cls: type) -> bool:
    return bool(cls.__flags__ & (1 << 9)) and not (cls.__flags__ & (1 << 8))  # heap, not immutable


def touched(notes: Iterable[Note]) -> str | None:
    """The first thing that somebody has replaced in modules that were there already, in words."""
    for note in notes:
        if not note.seen:
            continue
        name = _difference(vars(note.module), note.seen)
        if name is not None:
            return f"{note.name}.{name} was replaced"
        for cls, then in note.classes:
            name = _difference(vars(cls), then)
            if name is not None:
                return f"{note.name}.{cls.__qualname__}.{name} was replaced"
    return None


def replaced(hidden: Iterable[Facts], modules: Mapping[str, Any]) -> str | None:
    """What would be imported, had nothing been put in its place, in words. `modules` are those
    that would be handed out, by name."""
    for facts in hidden:
        if sys.modules.get(facts.name, modules[facts.name]) is not modules[facts.name]:
            return f"{facts.name} was replaced in sys.modules"
        if not facts.has_loggers:
            continue
        manager: Any = getattr(getattr(sys.modules.get("logging"), "root", None), "manager", None)
        if manager is not None and manager.loggerClass is not None:
            return "the class of loggers was set"
    return None


def _difference(now: Mapping[str, Any], then: Mapping[str, Any]) -> str | None:
    for key, value in then.items():
        other = now.get(key, _UNTOLD)
        if other is value or value is None:  # what was not there yet: a cache, a default session
            continue
        if isinstance(value, _SIMPLE) and type(other) is type(value) and other == value:
            continue
        if key.startswith("_") and not callable(value):  # counters, clocks and locks
            continue
        return key
    return None


_FILTERS = frozenset(("filters", "showwarning", "formatwarning", "_showwarnmsg_impl"))
"""What `warnings.catch_warnings` replaces for a while; filters are compared apart."""
_STATE = frozenset(("sys", "mimetypes", "typing"))
"""Modules whose names are the process's state: what of it concerns imports is compared apart, and
typing_extensions replaces parts of `typing` by what does the same."""


def stale(hidden: Iterable[Facts]) -> str | None:
    """The first installed file that is not the one that was imported."""
    for facts in hidden:
        if facts.file is not None and _sign(facts.file[0]) != facts.file[1:]:
            return facts.file[0]
    return None


def installed_file(module: Any) -> tuple[str, int, int] | None:
    """An installed module's file, its time (nanoseconds) and size (bytes); None: it has none."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not is_installed(file):
        return None
    signature = _sign(file)
    return (file, *signature) if signature else None


def _sign(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def is_installed(file: str) -> bool:
    """Whether a file belongs to an installed package."""
    return f"{os.sep}site-packages{os.sep}" in file or f"{os.sep}dist-packages{os.sep}" in file


def _entry(note: Note) -> str | None:
    """The entry of sys.path that a top-level module was found in; None: in the interpreter."""
    file = getattr(note.module, "__file__", None)
    spec = getattr(note.module, "__spec__", None)
    if not isinstance(file, str) or spec is None or spec.name != note.name:
        return None
    return folder_of(file)


def folder_of(file: str) -> str:
    """The folder in which a top-level module was found."""
    folder, name = os.path.split(file)
    return os.path.dirname(folder) if name.startswith("__init__.") else folder
