"""Load app.py: run it once, in this process, and take the App that it makes."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Final

from devbridge.constructs import App
from devbridge.constructs.app import loading
from devbridge.constructs.code import Code
from devbridge.constructs.folder import refuse_unread
from devbridge.constructs.isolation import apart
from devbridge.constructs.log_targets import log_targets
from devbridge.constructs.miscalled import what_it_takes
from devbridge.constructs.unparsed import unparsed
from devbridge.environment import matching
from devbridge.errors import AppFailed, AppNotFound, DevbridgeError
from devbridge.failures import details
from devbridge.sources.clashes import check_names, is_hidden
from devbridge.sources.known import INSTALLED
from runner.causes import related
from runner.failure import describe
from runner.invocation import parse_failure
from runner.stuck import NOTICES

APP_FILE: Final = "app.py"
_MODULE: Final = "app"
_BESIDE_A_PACKAGE: Final = "__app__"
"""The name of its module where a package app/ is the one that `import app` means."""
_OWN: Final = ("__main__", "devbridge", "runner", "stub_lambda")
_FOREIGN: Final = INSTALLED | {".venv"}
"""Folders in the app's own whose files are not the app's."""


def load_app(
    root: Path,
    stage: str = "",
    *,
    lenient: bool = False,
    slow: Callable[[str], None] | None = None,
) -> App:
    """The app that `root`/app.py defines, freshly run with everything it imports below `root`.

    Args:
        stage: what app.py sees as `App.stage`.
        lenient: a handler that does not exist is noted in `App.missing`.
        slow: takes a line that says where it is, if it takes long.

    Raises:
        AppNotFound: there is no app.py in `root`.
        AppFailed: it does not parse, it raised, or it made no App or more than one.
        AppError: a construct was given something that is not allowed.
    """
    root, began = root.resolve(), time.time()
    path = root / APP_FILE
    if not path.is_file():
        raise AppNotFound(
            f"there is no {APP_FILE} in {root}",
            remedy="go to the app's folder, or run `devbridge init` to make an app",
        )
    check_names(root, root)
    with apart(), _fresh_modules(root), loading(root, stage, lenient=lenient) as state:
        with _watched(slow, root):
            _run(path, root)
        files = {path, *_own_files(root).values()}
        for app in state.apps:
            app.shell = matching(os.environ, app.inherit)
    if len(state.apps) != 1:
        found = "no App" if not state.apps else f"{len(state.apps)} Apps"
        raise AppFailed(
            f"{APP_FILE} makes {found}",
            where=", ".join(str(app.where) for app in state.apps) or APP_FILE,
            remedy='write exactly one: app = App("name")',
        )
    app = state.apps[0]
    assert isinstance(app, App)  # noqa: S101 - there is no other for users
    log_targets(app)
    refuse_unread(app)
    for folder in {folder for code in app.of_type(Code) for folder in code.folders}:
        check_names(root / folder, root)
    app.files, app.loaded_at = frozenset(files), began
    return app


def _run(path: Path, root: Path) -> None:
    beside_package = (root / _MODULE / "__init__.py").is_file()
    module = ModuleType(_BESIDE_A_PACKAGE if beside_package else _MODULE)
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(path.read_bytes(), path, "exec"), module.__dict__)  # noqa: S102
    except DevbridgeError:
        raise
    except SyntaxError as error:
        raise unparsed(error, _relative(error.filename or str(path), root)) from error
    except (Exception, SystemExit) as error:
        first, _ = related(error)
        failure = parse_failure(json.dumps(describe(error, str(root))).encode())
        told = [f"{APP_FILE} raised {failure.type}: {first}", *details(replace(failure, frames=()))]
        remedy = what_it_takes(first) or "correct that line"
        if isinstance(first, ModuleNotFoundError) and first.name:
            remedy = is_hidden(root, first.name.partition(".")[0]) or remedy
        raise AppFailed(
            "\n    ".join(told), where=_user_line(first, root), remedy=remedy
        ) from error


@contextmanager
def _watched(slow: Callable[[str], None] | None, root: Path) -> Iterator[None]:
    """Say where this thread is, if the block takes long."""
    if slow is None:
        yield
        return
    ended, thread, began = threading.Event(), threading.get_ident(), time.monotonic()

    def watch() -> None:
        for seconds in NOTICES:
            if ended.wait(began + seconds - time.monotonic()):
                return
            frame = sys._current_frames().get(thread)
            while frame is not None and not _below(frame.f_code.co_filename, root):
                frame = frame.f_back
            at = ""
            if frame is not None:
                at = f", at {_relative(frame.f_code.co_filename, root)}:{frame.f_lineno}"
            slow(f"  load     {APP_FILE}: {seconds:.0f} s so far{at}")

    threading.Thread(target=watch, name="watch-app", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _user_line(error: BaseException, root: Path) -> str:
    """The innermost line of the traceback that is in the app's folder, with its text."""
    where = APP_FILE
    for frame in traceback.extract_tb(error.__traceback__):
        if _below(frame.filename, root):
            where = f"{_relative(frame.filename, root)}:{frame.lineno}"
            where += f": {frame.line}" if frame.line else ""
    return where


@contextmanager
def _fresh_modules(root: Path) -> Iterator[None]:
    """Import what is below `root` anew, and leave no trace of it in this process."""
    path, bytecode = list(sys.path), sys.dont_write_bytecode
    _forget(root)
    importlib.invalidate_caches()
    sys.path.insert(0, str(root))
    # A cached file is taken for current if its source has the same size and second.
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:] = path
        sys.dont_write_bytecode = bytecode
        _forget(root)


def _forget(root: Path) -> None:
    for name in _own_files(root):
        del sys.modules[name]


def _own_files(root: Path) -> dict[str, Path]:
    """The imported modules whose files are below the app's folder."""
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.partition(".")[0] not in _OWN and _below(file, root):
            found[name] = Path(file)
    return found


def _below(file: str | Path, root: Path) -> bool:
    # Each module of this process is asked for: pathlib would take as long as all else of a load.
    path, folder = os.fspath(file), os.path.join(root, "")  # noqa: PTH118
    return path.startswith(folder) and _FOREIGN.isdisjoint(path[len(folder) :].split(os.sep))  # noqa: PTH206


def _relative(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file
