"""Notices that the app's code looks up a variable which the developer's shell has and the job does
not get, and tells devbridge's daemon. Nothing happens where the names of such are not given: a run
in the cloud, or a shell without any.
"""

from __future__ import annotations

import contextlib
import os
import sys
from types import FrameType

from runner.client import RuntimeClient
from runner.failure import is_users

WITHHELD = "DEVBRIDGE_WITHHELD"
"""The environment variable with their names. It is taken away before the handler is imported."""

_names: set[str] = set()
_where: list[str] = []
"""The app's folder and the Runtime API's address."""


class _Data(dict[bytes, bytes]):
    """What is behind `os.environ`. A name that is there costs nothing more to look up."""

    def __missing__(self, key: bytes) -> bytes:
        if _names and (name := os.fsdecode(key)) in _names and _asked_by_user(sys._getframe(1)):
            tell(name)
        raise KeyError(key)


def watch(root: str, address: str) -> None:
    """Notice look-ups from now on, in this process and its forks."""
    names = os.environ.pop(WITHHELD, "")
    if not names:
        return
    _names.update(names.split())
    _where[:] = root, address
    with contextlib.suppress(AttributeError):  # private, though it has been there since 2.7
        data = _Data(os.environ._data)  # type: ignore[attr-defined]
        os.environ._data = os.environb._data = data  # type: ignore[attr-defined]


def tell(name: str) -> None:
    """Say once that this variable was missed."""
    if name not in _names:
        return
    _names.discard(name)
    with contextlib.suppress(Exception):  # whatever the app has made of sockets
        client = RuntimeClient(_where[1])
        try:
            client.report_lookup(name)
        finally:
            client.close()


def missed_import(error: BaseException) -> None:
    """A handler that cannot be imported may miss the shell's own paths."""
    if isinstance(error, ModuleNotFoundError):
        tell("PYTHONPATH")
    elif isinstance(error, ImportError):
        tell("LD_LIBRARY_PATH")


def _asked_by_user(frame: FrameType | None) -> bool:
    """Whether the app's own code asked, or a library that it called; not one that is just being
    imported: those ask for much that they can do without."""
    while frame is not None:
        filename = frame.f_code.co_filename
        if filename.startswith("<frozen importlib"):
            return False
        if is_users(filename, _where[0]):
            return True
        frame = frame.f_back
    return False
