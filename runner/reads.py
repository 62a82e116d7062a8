"""What a handler's import has read: when that changes, a waiting worker is out of date.

Not only modules count. An audit hook sees the files that are opened and the folders that are listed
while the handler is loaded, and a finder the names that are looked for. The hook cannot be taken
away and costs what audited calls cost (`id`: 70 ns), so the daemon has only the first worker after
each save record, and keeps what that has reported for those that follow. Reported are

``own``        files that were read or imported, except installed and standard ones
``installed``  files of installed packages that were read or imported
``listed``     folders whose entries were asked for
``lookups``    folder -> names: modules that were looked for there, found or not. A new file may
               satisfy an import that failed and was caught, or shadow one that did not.

What the import itself has written is its output, and in none of these.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from runner import preloaded
from runner.note import is_installed

LIMIT = 20_000
"""Entries of each kind."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_STANDARD = tuple(
    {os.path.dirname(f(os.__file__)) + os.sep for f in (os.path.abspath, os.path.realpath)}
)
_SYSTEM = ("/proc/", "/sys/", "/dev/")
_OURS = ("devbridge", "runner", "__main__", "__mp_main__")


class Reads:
    """What is read within its `with` block; without `record`, the modules only.

    One per process: see above.
    """

    def __init__(self, *, record: bool) -> None:
        self._record = record
        self._recording = False
        self._read: dict[str, None] = {}
        self._written: set[str] = set()
        self._listed: dict[str, None] = {}
        self._missing: dict[str, tuple[str, ...] | None] = {}
        self._before: frozenset[str] = frozenset()

    def __enter__(self) -> Reads:
        if self._record:
            self._before = frozenset(sys.modules)
            self._recording = True
            sys.addaudithook(self._hook)
            # The last one is asked for what no other finds, and disturbs nobody.
            sys.meta_path.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._recording = False
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, name: str, path: Iterable[object] | None, _target: object = None) -> None:
        """Nothing is found here: that a name was looked for in vain is all that matters."""
        if self._recording:
            places = None if path is None else tuple(p for p in path if isinstance(p, str))
            self._missing.setdefault(name, places)

    def report(self) -> dict[str, Any]:
        """What was read, as JSON."""
        if not self._record:
            return {}
        files = {name: file for name in self._new() if (file := _file_of(name)) is not None}
        read = [file for file in self._read if file not in self._written]
        read += [f for name, f in files.items() if name.partition(".")[0] not in _OURS]
        read = [file for file in dict.fromkeys(read) if not is_standard(file)]
        installed = [file for file in read if is_installed(file)]
        searched = {**self._missing, **{name: _searched(name) for name in self._new()}}
        return {
            "own": [file for file in read if not is_installed(file)][:LIMIT],
            "installed": installed[:LIMIT],
            "listed": [path for path in self._listed if not is_standard(path + os.sep)][:LIMIT],
            "lookups": _lookups(searched, files),
            "recorded": True,
        }

    def _new(self) -> list[str]:
        return [name for name in list(sys.modules) if name not in self._before]

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._recording:
            return
        try:
            if event == "open":
                self._opened(*arguments)
            elif event in ("os.listdir", "os.scandir"):
                if not _by_import():
                    self._listed[_absolute(arguments[0] or ".")] = None
            elif event == "os.rename":
                self._written.add(_absolute(arguments[1]))
        except (OSError, TypeError, ValueError):  # no folder to be relative to, a descriptor
            return

    def _opened(self, path: Any, _mode: Any, flags: int) -> None:
        if isinstance(path, int):
            return
        path = _absolute(path)
        if flags & _WRITES:
            self._written.add(path)
        elif not path.endswith(".pyc") and not path.startswith(_SYSTEM):
            self._read[path] = None


def is_standard(file: str) -> bool:
    """Whether a file is the interpreter's own."""
    return file.startswith(_STANDARD) and not is_installed(file)


def _lookups(
    searched: Mapping[str, tuple[str, ...] | None], files: Mapping[str, str]
) -> dict[str, list[str]]:
    """Where each module was, or would have been, looked for until it was found.

    Args:
        searched: by the module's name, the folders of its package; None: those of ``sys.path``.
    """
    found: dict[str, dict[str, None]] = {}
    for name, path in searched.items():
        if name in sys.builtin_module_names:
            continue
        place = _place(files.get(name))
        for folder in map(_absolute, sys.path if path is None else path):
            if is_standard(folder + os.sep):
                if place is not None and is_standard(place + os.sep):
                    break
            # What installed packages have inside comes and goes with them.
            elif path is None or not is_installed(folder + os.sep):
                found.setdefault(folder, {})[name.rpartition(".")[2]] = None
            if folder == place:
                break
    return {folder: list(tails) for folder, tails in found.items() if os.path.isdir(folder)}


def _searched(name: str) -> tuple[str, ...] | None:
    parent = name.rpartition(".")[0]
    if not parent:
        return None
    file = _file_of(parent)
    if file is not None and (is_installed(file) or is_standard(file)):
        return ()
    path = getattr(sys.modules.get(parent), "__path__", ())
    return tuple(entry for entry in path if isinstance(entry, str))


def _place(file: str | None) -> str | None:
    """The folder in which a module was found; None: in none, or in several."""
    if file is None:
        return None
    folder, name = os.path.split(file)
    return os.path.dirname(folder) if name.startswith("__init__.") else folder


def _file_of(name: str) -> str | None:
    shelf, module = preloaded.shelf(), sys.modules.get(name)
    if shelf is not None and shelf.has(name, module):  # looking at it would copy its memory
        return shelf.file(name)
    file = getattr(module, "__file__", None)
    try:
        return _absolute(file) if isinstance(file, str) else None
    except OSError:
        return None


def _absolute(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path))


def _by_import() -> bool:
    """Whether it is the import system that lists a folder: for a name that is known anyway."""
    return sys._getframe(2).f_code.co_filename.startswith("<frozen importlib")
