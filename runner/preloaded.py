"""What a zygote has imported, out of its forks' sight until they import it themselves.

An import is a function of what it finds: the modules that it uses, the environment, the hooks and
filters of the process, the files. While the zygote preloads, `runner.preloading` writes down for
each module what its code has used and what it has done beyond its own namespace. Then everything
that a fresh worker would not have at its beginning is taken out of ``sys.modules``.

In a fork, `Shelf` is the first finder. When the job's code imports such a module and all that the
module found in the zygote is as it was, it is handed out with what it needs, and what it did is
done: the logger's clock starts, ``atexit`` functions are registered. When anything differs (a
function of `socket` was replaced, ``OPENSSL_CONF`` was set, the app has a ``queue.py``), the shelf
closes: from then on this process imports everything from its files, as a fresh one does, and
`problem` says what differed.

What compiled code reads cannot be watched: of the environment it is what `_NATIVE` names.
"""

from __future__ import annotations

import _thread
import builtins
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner.note import Facts, Note, folder_of, is_compiled, is_installed, replaced, stale, touched
from runner.packed import pack, unpack

if TYPE_CHECKING:
    from runner.versions import Versions  # in a zygote only

_NATIVE = ("OPENSSL_",)
_NATIVE_OF_OTHERS = ("OMP_", "OPENBLAS_", "GOTO_", "MKL_", "KMP_", "BLIS_", "NUMEXPR_", "CUDA_")
"""Variables that compiled code reads when it is loaded: Python's own, that of packages."""


class Shelf:
    """The finder of a fork: hands out the preloaded modules as long as that is an import's work."""

    def __init__(
        self,
        notes: Iterable[Note],
        environment: Mapping[str, str],
        path: Sequence[str],
        versions: Mapping[str, Versions] | None = None,
    ) -> None:
        """
        Args:
            environment: the zygote's, before it imported anything, as is `path`.
            versions: of what the notes have seen, by module.
        """
        self.notes = {note.name: note for note in notes if note.module is not None}
        self.visible = {name for name, note in self.notes.items() if note.base}
        """What is among the process's modules."""
        self.problem: str | None = None
        """Why no module is handed out any more: something is not as it was in the zygote."""
        self.stale: str | None = None
        """The same, when it is an installed file that has changed since: no fault of the job's."""
        self._environment = environment
        self._path = frozenset(path)
        self._library = frozenset(entry for entry in path if _is_librarys(entry))
        self._versions = versions or {}
        self._finders: list[Any] = []
        self._lock = _thread.RLock()
        self._prepare()

    def _prepare(self) -> None:
        """Find in the zygote what each fork would, which would copy the notes' memory."""
        self._modules = {name: note.module for name, note in self.notes.items()}
        self._base = tuple(self.visible)
        tops = [name for name in self.notes if "." not in name]
        self._closures = {name: pack(self._closure(name)) for name in tops}
        self._facts = pack([tuple(note.facts()) for note in self.notes.values()])
        self._files = {name: note.file[0] for name, note in self.notes.items() if note.file}
        self._bound = frozenset(name for name, note in self.notes.items() if note.bound)
        self._redone = frozenset(
            name
            for name, note in self.notes.items()
            if note.at_exit or note.filters or note.loggers or name in _AGAIN
        )

    def open(self) -> None:
        """Become the first finder. In the zygote, so that a fork has nothing to do."""
        sys.meta_path.insert(0, self)
        self._finders = list(sys.meta_path)
        self._hooks = list(sys.path_hooks)
        self._import = builtins.__import__
        self._filters = list(_warning_filters())

    def has(self, name: str, module: Any) -> bool:
        """Whether this is the module of that name that the zygote has imported."""
        return module is not None and self._modules.get(name) is module

    def file(self, name: str) -> str | None:
        """The file of a module of the zygote's, if it is an installed one."""
        return self._files.get(name)

    def find_spec(self, name: str, _path: Any = None, target: Any = None) -> Any:
        """The spec of a preloaded module, if an import would make the same one; else None."""
        module = self._modules.get(name)
        if module is None or target is not None:
            return None
        with self._lock:
            if self.problem or self.stale or (name in self.visible and name not in sys.modules):
                return None  # in the last case the job wants it anew
            if name not in self.visible and not self._may(name):
                return None
        real = module.__spec__
        if real is None:
            return None
        spec = object.__new__(type(real))
        vars(spec).update(vars(real))
        spec.loader = _Handed(self, name, module)
        return spec

    def hand_out(self, name: str) -> None:
        """Put a module, and what its import brings, where an import would have put it."""
        with self._lock:
            if name in self.visible:
                return
            brought = [other for other in self._closure_of(name) if other not in self.visible]
            for other in brought:
                sys.modules[other] = self._modules[other]
            self.visible.update(brought)
            for other in brought:
                if other in self._bound:
                    parent, _, child = other.rpartition(".")
                    setattr(self._modules[parent], child, self._modules[other])
            _redo([self.notes[other] for other in brought if other in self._redone])
            self._filters = list(_warning_filters())

    # --- is an import's result what the shelf has? ------------------------------------------

    def _closure_of(self, name: str) -> tuple[str, ...]:
        packed = self._closures.get(name)
        found: tuple[str, ...] = unpack(packed) if packed else self._closure(name)
        return found

    def _closure(self, name: str) -> tuple[str, ...]:
        """A module and all that its import needs, in the order in which that is complete."""
        found: dict[str, None] = {}
        begun = set()
        todo = [(name, False)]
        while todo:
            name, complete = todo.pop()
            note = self.notes.get(name)
            if note is None:
                continue
            if complete:
                found[note.name] = None
            elif name not in begun:
                begun.add(name)
                todo.append((name, True))
                todo += [(need, False) for need in reversed(note.needs)]
        return tuple(found)

    def _may(self, name: str) -> bool:
        closure = self._closure_of(name)
        wanted = {other for other in closure if other not in self.visible}
        seen = [other for other in closure if other in self.visible] + list(self._base)
        hidden = [Facts(*each) for each in unpack(self._facts) if each[0] in wanted]
        self.stale = stale(hidden)
        if self.stale is None:
            what = (
                self._hooked()
                or replaced(hidden, self._modules)
                or self._surroundings(hidden)
                or self._hiding(hidden)
                or self._touched(dict.fromkeys(seen))
                or self._appeared(hidden)
            )
            if what is not None:
                self.problem = f"{what} before {name} was imported"
        return self.stale is None and self.problem is None

    def _touched(self, seen: Iterable[str]) -> str | None:
        changed: list[Note] = []
        for name in seen:
            if sys.modules.get(name) is not self._modules[name]:
                return f"{name} was replaced in sys.modules"
            versions = self._versions.get(name)
            if versions is None or not versions.are_same():
                changed.append(self.notes[name])
        return touched(changed)

    def _hooked(self) -> str | None:
        for what, now, then in (
            ("sys.meta_path", sys.meta_path, self._finders),
            ("sys.path_hooks", sys.path_hooks, self._hooks),
        ):
            # What comes after them is asked for what they do not find.
            if len(now) < len(then) or any(a is not b for a, b in zip(now, then, strict=False)):
                return f"{what} was changed"
        return "__import__ was replaced" if builtins.__import__ is not self._import else None

    def _surroundings(self, hidden: Sequence[Facts]) -> str | None:
        compiled = [n.file[0] for n in hidden if n.file is not None and is_compiled(n.file[0])]
        prefixes: tuple[str, ...] = _NATIVE + _NATIVE_OF_OTHERS if compiled else _NATIVE
        if not compiled and not any(note.name in ("_ssl", "_hashlib") for note in hidden):
            prefixes = ()
        then = self._environment
        for key in sorted(os.environ.keys() | then.keys()) if prefixes else ():
            if key.startswith(prefixes) and os.environ.get(key) != then.get(key):
                return f"the environment's {key} was set or changed"
        for note in hidden:
            if note.read_all:
                return f"{note.name} reads the whole environment"
            for key, value in note.read.items():
                if os.environ.get(key) != value:
                    return f"the environment's {key}, which {note.name} reads, was set or changed"
        if any(note.warned for note in hidden):
            known = [id(item) for item in self._filters]
            for item in _warning_filters():
                if id(item) not in known and item[0] != "ignore":
                    return "the warnings' filters were changed"
        return None

    def _appeared(self, hidden: Iterable[Facts]) -> str | None:
        """Whether there is now what an import does without where it is not. What was installed
        since, the next zygote finds, too."""
        for note in hidden:
            for name in note.missing:
                spec: Any = None
                if name not in sys.modules:
                    package = self._modules.get(name.rpartition(".")[0])
                    path = getattr(package, "__path__", None)
                    for finder in sys.meta_path:
                        if (spec := finder.find_spec(name, path)) is not None:
                            break
                    else:
                        continue
                file = getattr(spec, "origin", None)
                if (
                    isinstance(file, str)
                    and is_installed(file)
                    and (path or folder_of(file) in self._path)
                ):
                    self.stale = file
                    return None
                return f"{name}, which {note.name} can do without, was added"
        return None

    def _hiding(self, hidden: Iterable[Facts]) -> str | None:
        """Whether an import would find something else by one of the names."""
        names: dict[str, dict[str, None]] = {}
        for note in hidden:
            if note.entry is not None:
                names.setdefault(note.entry, {})[note.name] = None
        for entry, wanted in names.items():
            if entry not in sys.path:
                return f"{entry} was taken out of sys.path"
            for earlier in sys.path[: sys.path.index(entry)]:
                if earlier in self._library:
                    continue
                for name in _stems(earlier):
                    if name in wanted:
                        return f"{name} is hidden by a file in {earlier or '.'}"
        return None


class _Handed:
    """The loader of a module that is there already."""

    def __init__(self, shelf: Shelf, name: str, module: Any) -> None:
        self._shelf = shelf
        self._name = name
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: Any) -> Any:  # noqa: ARG002 - the import system's signature
        return self._module

    def exec_module(self, module: Any) -> None:
        module.__spec__ = self._spec
        self._shelf.hand_out(self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spec.loader, name)


def _is_librarys(entry: str) -> bool:
    return entry.startswith((sys.base_prefix, sys.base_exec_prefix)) and not is_installed(
        f"{entry}/"
    )


def _stems(folder: str) -> set[str]:
    try:
        return {name.partition(".")[0] for name in os.listdir(folder or ".")}
    except OSError:
        return set()


def loggers() -> dict[str, Any]:
    """The loggers that there are, and the place holders, by name; logging's own dictionary."""
    manager = getattr(getattr(sys.modules.get("logging"), "root", None), "manager", None)
    found: dict[str, Any] = getattr(manager, "loggerDict", {})
    return found


def _give_logger(name: str, logger: Any) -> None:
    """Have `getLogger` find a module's logger; one that it has given already is the same one."""
    manager = sys.modules["logging"].root.manager
    there = manager.loggerDict.get(name)
    if hasattr(there, "handlers"):
        there.handlers += logger.handlers
        logger.__dict__ = vars(there)
        return
    manager.loggerDict[name] = logger
    if there is not None:  # a place holder: it knows the loggers below
        manager._fixupChildren(there, logger)
    manager._fixupParents(logger)


def _warning_filters() -> Sequence[Any]:
    return sys.modules["warnings"].filters if "warnings" in sys.modules else ()


def _redo(notes: Iterable[Note]) -> None:
    """Do what modules' imports did beyond their namespaces, and what a fork must not share."""
    import atexit  # built in

    have_levels = False
    for note in notes:
        for function, args, kwargs in note.at_exit:
            atexit.register(function, *args, **kwargs)
        for item, append in note.filters:
            sys.modules["warnings"]._add_filter(*item, append=append)
        for name, logger in note.loggers.items():
            _give_logger(name, logger)
            have_levels = have_levels or logger.level != 0
        if (again := _AGAIN.get(note.name)) is not None:
            again(note.module)
    if have_levels:  # what the others have cached of their parents' is not so any more
        sys.modules["logging"].root.manager._clear_cache()


def _start_clock(logging: Any) -> None:
    import time  # built in

    whole = isinstance(logging._startTime, int)
    logging._startTime = time.time_ns() if whole else time.time()


def _new_key(process: Any) -> None:
    key = process.AuthenticationString(os.urandom(32))
    process.current_process()._config["authkey"] = key


_AGAIN: Mapping[str, Callable[[Any], object]] = {
    "logging": _start_clock,
    "multiprocessing.process": _new_key,
    # Python's own generator seeds itself anew after a fork; numpy's global one does not.
    "numpy.random": lambda module: module.seed(),
}


_OF_ENVIRONMENTS = ("runner", "devbridge", "_distutils_hack", "__editable__", "_virtualenv")


def site(base: Iterable[str]) -> bool:
    """Whether Python's own start has imported, among `base`, what may have read the environment:
    ``sitecustomize``, or what a ``.pth`` file names."""
    for name in base:
        file = getattr(sys.modules.get(name), "__file__", None)
        if not isinstance(file, str) or name.startswith(_OF_ENVIRONMENTS):
            continue
        if is_installed(file) or (
            name in ("sitecustomize", "usercustomize")
            and not _is_librarys(os.path.dirname(os.path.abspath(file)))
        ):
            return True
    return False


_shelf: Shelf | None = None


def use(shelf: Shelf) -> None:
    """Hand out modules from it, in this process and in its forks."""
    global _shelf  # noqa: PLW0603 - as the import system, one for the process
    _shelf = shelf
    shelf.open()


def shelf() -> Shelf | None:
    """Whose fork this process is; None in a fresh interpreter."""
    return _shelf


def trouble() -> str | None:
    """Why modules are not handed out (any more), if there is a reason."""
    return (_shelf.problem or _shelf.stale) if _shelf is not None else None
