"""The end of a worker: what a Python program does at its end, without taking the interpreter apart.

Non-daemon threads are waited for, ``atexit`` functions run, what was written is flushed, open
archives are completed, and the process is gone. Taking apart what thousands of modules hold is
most of the time of a short run, and in a fork it copies the memory that is shared with the zygote.
It would do one thing more, which is therefore not done, forked or fresh, live or deployed: objects
that still exist are not finalized, so their ``__del__`` does not run (nor what a C library has
registered with the C library's ``atexit``).
"""

from __future__ import annotations

import _io
import atexit
import contextlib
import gc
import os
import sys
from typing import Any, NoReturn

EXIT_UNFLUSHED = 120
"""Python's own exit code when standard output cannot be flushed at the end."""


def leave(code: int) -> NoReturn:
    """End the process with this exit code, in order."""
    try:
        _wait_for_threads()
        atexit._run_exitfuncs()
        _close_writers()
        if not _flush_streams():
            code = EXIT_UNFLUSHED
        _flush_c()
    finally:
        os._exit(code & 0xFF)


def _wait_for_threads() -> None:
    threading: Any = sys.modules.get("threading")
    if threading is None:
        return
    try:
        threading._shutdown()
    except BaseException as error:  # as Python has it: said, and no reason not to go on
        _ignored(error, "in threading._shutdown")


_WRITERS = frozenset(
    (
        ("tempfile", "_TemporaryFileWrapper"),
        ("zipfile", "ZipFile"),
        ("shelve", "Shelf"),
        ("dbm.dumb", "_Database"),
        ("wave", "Wave_write"),
    )
)
"""What the standard library completes in a ``__del__`` and is no stream."""
_TEXT, _STREAM, _WRITER, _BYTES = range(4)


def _close_writers() -> None:
    """Close what the end of the interpreter would: open files and archives, the outermost first."""
    standard = {
        id(getattr(sys, name, None))
        for stream in ("stdin", "stdout", "stderr")
        for name in (stream, f"__{stream}__")
    }
    standard |= {id(getattr(stream, "buffer", None)) for stream in (sys.stdout, sys.stderr)}
    standard |= {id(getattr(stream, "buffer", None)) for stream in (sys.__stdout__, sys.__stderr__)}
    ranks: dict[type, int | None] = {}
    found: list[list[Any]] = [[], [], [], []]
    for thing in gc.get_objects():
        cls = type(thing)
        if cls not in ranks:
            ranks[cls] = _rank(cls)
        rank = ranks[cls]
        if rank is not None and id(thing) not in standard:
            found[rank].append(thing)
    for thing in (each for rank in found for each in rank):
        try:
            thing.close()
        except BaseException as error:
            _ignored(error, f"while closing {type(thing).__name__}")


def _rank(cls: type) -> int | None:
    """When it is closed: text first, then what compresses it, buffers last; None: never."""
    bases = cls.__mro__
    if any((base.__module__, base.__qualname__) in _WRITERS for base in bases):
        return _WRITER
    if _io._IOBase not in bases or _io.FileIO in bases or _io.BufferedReader in bases:
        return None
    if _io.TextIOWrapper in bases:
        return _TEXT
    if _io.BufferedWriter in bases or _io.BufferedRandom in bases:
        return _BYTES
    return None if cls.__module__ in ("_io", "io", "socket") else _STREAM


def _flush_streams() -> bool:
    flushed = True
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        try:
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        except BaseException as error:
            if name == "stdout":
                flushed = False
                _ignored(error, "while flushing sys.stdout")
    return flushed


def _flush_c() -> None:
    """What compiled code has printed waits in the C library until `exit`, which is not called."""
    with contextlib.suppress(ImportError, OSError, TypeError, AttributeError):
        import ctypes  # there already, where a worker dies with its parent

        ctypes.CDLL(None).fflush(None)


def _ignored(error: BaseException, where: str) -> None:
    """Say, as Python does, what was raised where nobody can catch it."""
    with contextlib.suppress(BaseException):
        print(f"Exception ignored {where}:", file=sys.stderr)
        sys.excepthook(type(error), error, error.__traceback__)
