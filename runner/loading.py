"""Imports a handler by its path, and tells what that import brought in."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

from runner import debugging, preloaded, warm
from runner.failure import HandlerNotFound, is_users
from runner.reads import is_standard

Handler = Callable[..., Any]
EXTRA_PATH = "DEVBRIDGE_PATH"
"""The environment variable with folders to import from after all others."""
_CO_COROUTINE = 0x80


def load(handler: str, root: str) -> Handler:
    """The callable that ``path/of/file.function`` names, imported as module ``path.of.file``.

    Raises:
        HandlerNotFound: there is no such file or function.
        BaseException: whatever the module's own code raises.
    """
    path, _, function = handler.rpartition(".")
    name, shown = path.replace("/", "."), f"{path}.py"
    if not path:
        raise HandlerNotFound(f'"{handler}" is not of the form "path/of/file.function"')
    if not any(
        os.path.isfile(os.path.join(root, path + end)) for end in (".py", ".pyc", "/__init__.py")
    ):
        raise HandlerNotFound(f"there is no file {shown} in {root}")
    module = imported(path, root)
    found = getattr(module, function, None)
    if not callable(found):
        own = [key for key, value in vars(module).items() if _is_candidate(value, name)]
        hint = f"; it has: {', '.join(own)}" if own else ""
        raise HandlerNotFound(f'{shown} has no function "{function}"{hint}')
    if _code(found) and _code(found).co_flags & _CO_COROUTINE:  # type: ignore[union-attr]
        importlib.import_module("asyncio")  # now, not when an invocation waits
    return found  # type: ignore[no-any-return]


def imported(path: str, root: str) -> ModuleType:
    """The module ``path/of/file``, imported as ``path.of.file`` with the app's folder as the first
    that modules are found in. It must be the one that is there, as must be the packages that it is
    in. Files are compared, not paths: a folder, or the file, may be a symbolic link.

    Raises:
        HandlerNotFound: it is hidden by another module.
        BaseException: whatever the module's own code raises.
    """
    if root not in sys.path[:1]:
        sys.path.insert(0, root)
    for entry in filter(None, os.environ.get(EXTRA_PATH, "").split(os.pathsep)):
        if entry not in sys.path:
            sys.path.append(entry)
    name, base, shown = path.replace("/", "."), os.path.join(root, path), f"{path}.py"
    packages = name.split(".")[:-1]
    folder = base
    for _ in name.split("."):
        folder = os.path.dirname(folder)
    for count in range(1, len(packages) + 1):
        package = importlib.import_module(".".join(packages[:count]))
        folder = os.path.join(folder, packages[count - 1])
        if not any(_same(entry, folder) for entry in getattr(package, "__path__", ())):
            raise _hidden(shown, package, "its folder" if count == 1 else f"the folder {folder}")
    module = importlib.import_module(name)
    file = getattr(module, "__file__", None)
    ends = (".py", ".pyc", f"{os.sep}__init__.py", f"{os.sep}__init__.pyc")
    if file and not any(_same(file, base + end) for end in ends):
        raise _hidden(shown, module, "its folder" if packages else "it")
    return module


def _hidden(shown: str, by: ModuleType, what: str) -> HandlerNotFound:
    places = [*getattr(by, "__path__", ()), "the standard library"]
    origin = getattr(by, "__file__", None) or places[0]
    return HandlerNotFound(
        f"{shown} is hidden by another module of the same name, {origin}: rename {what}"
    )


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, TypeError, ValueError):
        return False


def modules(root: str) -> dict[str, Any]:
    """What is imported: the app's files, and all other modules but Python's own.

    In a fork also why the preloaded modules are not used, if they are not: ``problem`` is what the
    import found changed, ``stale`` an installed file that is not the one that was preloaded.
    """
    files: list[str] = []
    third_party: list[str] = []
    shelf = preloaded.shelf()
    for name, module in list(sys.modules.items()):
        if shelf is not None and shelf.has(name, module):  # looking at it would copy its memory
            if shelf.file(name) is not None:
                third_party.append(name)
            continue
        filename = getattr(module, "__file__", None)
        if not isinstance(filename, str):
            continue
        filename = os.path.abspath(filename)
        if debugging.is_own(filename):
            continue
        if is_users(filename, root):
            files.append(filename)
        elif _is_third_party(name, filename):
            third_party.append(name)
    found: dict[str, Any] = {"userFiles": files, "thirdParty": third_party + warm.news()}
    if shelf is not None:
        problem = None if debugging.has_changed_python() else shelf.problem
        found.update(zygote=os.getppid(), problem=problem, stale=shelf.stale)
    return found


def _is_third_party(name: str, filename: str) -> bool:
    # However it is installed: what lies beside the app (an editable install) must be packed, too.
    top = name.partition(".")[0]
    if top in ("devbridge", "runner", "__main__"):
        return top == "devbridge"
    return not is_standard(filename)


def _is_candidate(value: object, module: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module


def _code(handler: Handler) -> CodeType | None:
    while (wrapped := getattr(handler, "__wrapped__", None)) is not None:
        handler = wrapped
    code = getattr(handler, "__code__", None)
    return code if isinstance(code, CodeType) else None
