"""Which handlers of the live app were loaded again or cannot be, and whether app.py can: a file
that other commands read while `devbridge dev` runs.

What is not there is as it was when it began: loaded, or about to be.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from devbridge.daemon.told import AppBroken, Broken, Deployed, Reloaded, Told
from devbridge.folders import write_private
from devbridge.runs.model import function_key
from runner import documents


class Handlers(msgspec.Struct):
    """What is known of them since `devbridge dev` began. Times are seconds since the epoch."""

    since: float
    reloaded: dict[str, float] = {}
    """When each job or function, by its key, was loaded again last."""
    jobs: dict[str, dict[str, Any]] = {}
    """Why those that cannot be loaded cannot: a failure's document."""
    functions: dict[str, dict[str, Any]] = {}
    """The same of live functions."""
    app: str = ""
    """Why app.py cannot be loaded or deployed as it was saved; empty: it can."""


class HandlersFile:
    """A listener that keeps the file.

    Args:
        now: seconds since the epoch.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._known = Handlers(since=now())
        self._write()

    def on(self, event: Told) -> None:
        """Write down what concerns handlers."""
        known = self._known
        match event:
            case Broken(name, failure, function=function):
                broken = known.functions if function else known.jobs
                broken[name] = documents.document(failure)
            case Reloaded(name, function=function):
                (known.functions if function else known.jobs).pop(name, None)
                known.reloaded[function_key(name) if function else name] = self._now()
            case AppBroken(error):
                known.app = error
            case Deployed(jobs, functions):
                known.app = ""
                for broken, there in ((known.jobs, jobs), (known.functions, functions)):
                    for gone in broken.keys() - set(there):
                        del broken[gone]
            case _:
                return
        self._write()

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # a full disk, or a folder that has gone: others tell it
            write_private(self._path, json.dumps(msgspec.to_builtins(self._known)))


def read(path: Path) -> Handlers | None:
    """What the last `devbridge dev` has written; None: nothing that can be read."""
    with contextlib.suppress(OSError, ValueError, msgspec.ValidationError):
        return msgspec.convert(json.loads(path.read_bytes()), Handlers)
    return None
