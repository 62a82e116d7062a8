"""Keeps what app.py does to this process from devbridge's own work, which goes on in it.

Two things are told apart. What app.py sets for the whole process (environment, streams, hooks,
signals, warnings, timeouts) is put back when it was loaded. What it does to `logging` stays, for
its own records; but records of devbridge and of the libraries that devbridge works with, which may
have credentials in them, never reach a handler that it installed: not later, and not while it is
loaded.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

OURS: Final = frozenset(
    {
        *("devbridge", "runner", "stub_lambda", "botocore", "boto3", "s3transfer", "urllib3"),
        *("jmespath", "asyncio", "concurrent", "paho", "watchfiles"),
    }
)
"""Whose records are devbridge's business: the first parts of loggers' names."""

_users: WeakSet[logging.Handler] = WeakSet()
"""The handlers that apps have installed."""
_known: set[logging.Handler] | None = None
"""While an app is loaded: the handlers that were there before."""
_lock: Final = threading.RLock()
_LAST_RESORT: Final = logging.lastResort


def is_ours(name: str) -> bool:
    """Whether a logger's records are devbridge's business."""
    return name.partition(".")[0] in OURS


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Load an app within this block. One at a time, in any thread."""
    with _lock, warnings.catch_warnings():
        restore = [
            _streams_and_hooks(),
            _arguments(),
            _signals(),
            _environment(),
            _limits(),
            _http(),
            _logging(),
        ]
        try:
            yield
        finally:
            for put_back in reversed(restore):
                put_back()


# --- the process ----------------------------------------------------------------------------------


def _attributes(*attributes: tuple[Any, str]) -> Callable[[], None]:
    before = [(owner, name, getattr(owner, name)) for owner, name in attributes]

    def put_back() -> None:
        for owner, name, value in before:
            setattr(owner, name, value)

    return put_back


def _streams_and_hooks() -> Callable[[], None]:
    names = ("stdin", "stdout", "stderr", "excepthook", "unraisablehook", "displayhook")
    return _attributes(*((sys, name) for name in names), (threading, "excepthook"))


def _arguments() -> Callable[[], None]:
    """What app.py reads are no options of ours, but what its handlers see in a worker."""
    put_back = _attributes((sys, "argv"))
    sys.argv = ["runner"]
    return put_back


def _signals() -> Callable[[], None]:
    if threading.current_thread() is not threading.main_thread():
        return lambda: None  # there they cannot be set either
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}

    def put_back() -> None:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)

    return put_back


def _environment() -> Callable[[], None]:
    variables, folder, mask = dict(os.environ), Path.cwd(), _umask()

    def put_back() -> None:
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        for name, value in variables.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        os.chdir(folder)
        os.umask(mask)

    return put_back


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _limits() -> Callable[[], None]:
    # What is not imported yet is as it always is. asyncio has no public name for "none is set".
    policy = getattr(sys.modules.get("asyncio.events"), "_event_loop_policy", None)
    timeout = socket.getdefaulttimeout() if (socket := sys.modules.get("socket")) else None
    recursion, digits = sys.getrecursionlimit(), sys.get_int_max_str_digits()
    collects = gc.isenabled()

    def put_back() -> None:
        if socket := sys.modules.get("socket"):
            socket.setdefaulttimeout(timeout)
        if events := sys.modules.get("asyncio.events"):
            vars(events)["_event_loop_policy"] = policy
        sys.setrecursionlimit(recursion)
        sys.set_int_max_str_digits(digits)
        (gc.enable if collects else gc.disable)()

    return put_back


def _http() -> Callable[[], None]:
    """http.client prints what it sends, credentials too, where its `debuglevel` is set."""

    def classes() -> list[type]:
        if (module := sys.modules.get("http.client")) is None:
            return []
        found = [module.HTTPConnection]
        for each in found:
            found += [sub for sub in each.__subclasses__() if sub not in found]
        return found

    before = {each: vars(each)["debuglevel"] for each in classes() if "debuglevel" in vars(each)}

    def put_back() -> None:
        for each in classes():
            if "debuglevel" in vars(each):
                each.debuglevel = before.get(each, 0)  # type: ignore[attr-defined]

    return put_back


# --- logging --------------------------------------------------------------------------------------


def _logging() -> Callable[[], None]:
    global _known  # noqa: PLW0603 - there is one `logging` in a process
    _stand_before_handlers()
    manager = logging.root.manager
    before = {logger.name: _state(logger) for logger in _our_loggers()}
    _known = _handlers()
    attributes = _attributes(
        (logging, "lastResort"), (logging, "raiseExceptions"), (manager, "disable")
    )
    factory, class_ = logging.getLogRecordFactory(), logging.getLoggerClass()
    captures = logging._warnings_showwarning  # type: ignore[attr-defined]

    def put_back() -> None:
        global _known  # noqa: PLW0603
        _users.update(_handlers() - (_known or set()))
        attributes()
        logging.setLogRecordFactory(factory)
        logging.setLoggerClass(class_)
        if captures is None:
            logging.captureWarnings(False)
        for logger in _our_loggers():
            vars(logger).update(before.get(logger.name) or _state(logging.Logger(logger.name)))
            logger.setLevel(logger.level)  # forgets which levels are enabled
        _known = None

    return put_back


def _state(logger: logging.Logger) -> dict[str, Any]:
    names = ("level", "propagate", "disabled", "handlers", "filters")
    state = {name: vars(logger)[name] for name in names}
    return {**state, "handlers": [*logger.handlers], "filters": [*logger.filters]}


def _our_loggers() -> list[logging.Logger]:
    return [
        logger
        for name, logger in [*logging.root.manager.loggerDict.items()]
        if is_ours(name) and isinstance(logger, logging.Logger)
    ]


def _handlers() -> set[logging.Handler]:
    """All handlers: those of loggers, and those that are somewhere else."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    found = {h for logger in loggers if isinstance(logger, logging.Logger) for h in logger.handlers}
    elsewhere = (ref() for ref in [*getattr(logging, "_handlerList", ())])
    return found | {handler for handler in elsewhere if handler is not None}


def _is_users(handler: logging.Handler) -> bool:
    known = _known
    return handler in _users or (known is not None and handler not in known)


def _stand_before_handlers() -> None:
    """From now on our records pass by what apps have installed, whatever they make of `logging`."""
    if getattr(logging.Logger.handle, "__module__", None) == __name__:
        return
    handle, get_logger = logging.Logger.handle, logging.Manager.getLogger

    def handle_apart(self: logging.Logger, record: logging.LogRecord) -> None:
        if is_ours(self.name):
            _deliver(self, record)
        else:
            handle(self, record)

    def get_logger_apart(self: logging.Manager, name: str) -> logging.Logger:
        if not is_ours(name):
            return get_logger(self, name)
        class_, self.loggerClass = self.loggerClass, logging.Logger
        try:
            return get_logger(self, name)
        finally:
            self.loggerClass = class_

    logging.Logger.handle = handle_apart  # type: ignore[method-assign]
    logging.Manager.getLogger = get_logger_apart  # type: ignore[method-assign]


def _deliver(logger: logging.Logger, record: logging.LogRecord) -> None:
    """As `logging.Logger.callHandlers`, past the handlers of apps."""
    at: logging.Logger | None = logger
    found = False
    while at is not None:
        for handler in at.handlers:
            found = True
            if record.levelno >= handler.level and not _is_users(handler):
                handler.handle(record)
        at = at.parent if at.propagate else None
    if not found and _LAST_RESORT is not None and record.levelno >= _LAST_RESORT.level:
        _LAST_RESORT.handle(record)
