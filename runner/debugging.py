"""debugpy in a worker: `devbridge dev --debug`.

Debuggers do not speak to the worker but to the daemon, whose adapter it connects to when it is
given something to do: see `devbridge/languages/python/debugger.py`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from runner.client import RuntimeClient

DEBUGGER = "DEVBRIDGE_DEBUGGER"
"""The variable of a worker that is open to debuggers; Node's: see `runner/node/debugging.mjs`."""
FOLDER = "DEVBRIDGE_DEBUGPY"
"""The variable with the folder of debugpy's package."""
_QUIET = "PYDEVD_DISABLE_FILE_VALIDATION"
"""Else it warns of modules that are frozen, which are Python's own, also on the standard error of
each process that the handler starts in Python: those have it from the environment."""

_own: list[str] = []
"""Where debugpy's files are."""
_connected: list[Debugger] = []
"""The one that has connected, as soon as it has: debugpy has replaced functions of Python then."""


def has_changed_python() -> bool:
    """Whether Python is not what it was: debugpy's doing, and no fault of the job's."""
    return bool(_connected)


def is_own(filename: str) -> bool:
    """Whether a file is debugpy's, which no handler has imported."""
    return filename.startswith(tuple(_own))


def load(folder: str) -> None:
    """Import debugpy from its folder, wherever modules are found otherwise."""
    if "debugpy" in sys.modules:
        return
    import importlib
    from importlib.util import module_from_spec, spec_from_file_location

    variables = dict(os.environ)
    _own.append(folder + os.sep)
    file = os.path.join(folder, "__init__.py")
    spec = spec_from_file_location("debugpy", file, submodule_search_locations=[folder])
    assert spec is not None  # noqa: S101 - narrows the type
    assert spec.loader is not None  # noqa: S101
    module = module_from_spec(spec)
    sys.modules["debugpy"] = module
    os.environ[_QUIET] = "1"
    try:
        spec.loader.exec_module(module)
        importlib.import_module("debugpy.server.api")
        importlib.import_module("pydevd")
        module.configure()  # once it describes each installed package, for a log that nobody wants
    except BaseException:
        sys.modules.pop("debugpy", None)
        raise
    finally:
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]


def _debugpy() -> Any:
    return sys.modules["debugpy"]


def taken(environ: MutableMapping[str, str]) -> Debugger | None:
    """What the environment says of debuggers, which the handler does not see; None: there are
    none."""
    note, folder = environ.pop(DEBUGGER, ""), environ.pop(FOLDER, "")
    return Debugger(note, folder) if note and folder else None


def halted_by(debugger: Debugger | None) -> Callable[[], float]:
    """What tells the milliseconds for which debuggers have halted this process, until now."""
    return debugger.halted if debugger else _never


def _never() -> float:
    return 0.0


class Debugger:
    """One worker's side.

    Args:
        note: the file where the daemon writes down how long it was halted, and since when.
        folder: debugpy's.
    """

    def __init__(self, note: str, folder: str) -> None:
        self._note = note
        self._folder = folder
        self._attached = False
        self._problem = ""

    def load(self) -> None:
        """Import debugpy. In a fork it is imported already."""
        try:
            load(self._folder)
        except Exception as error:
            self._problem = f"{type(error).__name__}: {error}"

    def attach(self, client: RuntimeClient) -> None:
        """Be open to debuggers from now on: one that is there has set its breakpoints when this
        returns, and nobody is waited for.

        Raises:
            RuntimeApiGone: the daemon has ended.
        """
        if self._attached:
            return
        self._attached = True
        if not self._problem:
            where = client.debugger({"pid": os.getpid()})
            if not where:
                return
            try:
                self._connect(where)
            except (Exception, SystemExit) as error:
                self._problem = f"{type(error).__name__}: {error}"
        client.debugger({"connected": not self._problem, "problem": self._problem})

    def _connect(self, where: Any) -> None:
        import atexit

        _connected.append(self)
        os.environ[_QUIET] = "1"
        _debugpy().connect(
            ("127.0.0.1", where["port"]),
            access_token=where["token"],
            parent_session_pid=where["parent"],
        )
        pydevd: Any = sys.modules["pydevd"]
        # At its end this process would wait for threads of pydevd, up to a second each. That it has
        # ended is seen without them.
        atexit.unregister(pydevd.stoptrace)
        pydevd.get_global_debugger().check_alive_thread.do_kill_pydev_thread()

    def raised(self, error: BaseException) -> None:
        """The handler has raised this, and nobody of the app's has caught it."""
        if self._attached and not self._problem and isinstance(error, Exception):
            tell = getattr(_debugpy(), "trigger_exception_handler", None)  # newer than the rest
            trace = error.__traceback__ and error.__traceback__.tb_next
            if tell is not None and trace is not None:
                tell((type(error), error, trace), as_uncaught=True)

    def halted(self) -> float:
        """Milliseconds for which debuggers have halted this process, until now."""
        try:
            with open(self._note, encoding="ascii") as file:
                total, since = map(float, file.read().split())
        except (OSError, ValueError):
            return 0.0  # it was not halted yet
        return total + (time.time() * 1000 - since if since else 0.0)
