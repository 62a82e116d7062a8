"""Where an import hangs: Python's own watchdog writes it down, and who waits for it reads that.

Neither a thread of Python's is needed for that nor a signal, which the imported code could use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from runner.failure import is_users

NOTICES = (2.0, 10.0, 30.0, 60.0)
"""Seconds after which those who wait for it are told."""
LATE = 1.5
"""Seconds after which it is written down."""
_FRAME = r'(?m)^  File "(.+)", line (\d+) in '
NOTE = "DEVBRIDGE_NOTE"
"""The environment variable that names the file to a worker."""
_LOADING = os.path.join("runner", "loading.py")


@contextmanager
def noted(path: str) -> Iterator[None]:
    """Have the lines that all threads are at written to a file, if the block takes long. It is
    gone after it. Without a path, nothing is written."""
    try:
        file = open(path, "w") if path else None  # noqa: SIM115
    except OSError:  # then it is not known where it hangs
        file = None
    if file is None:
        yield
        return
    import faulthandler

    with file:
        with suppress(RuntimeError, ValueError):
            faulthandler.dump_traceback_later(LATE, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            with suppress(OSError):
                os.unlink(path)


def place(path: str, root: str) -> str:
    """The innermost line of the app that an import was at, as ``jobs/a.py:3``; "" if not known."""
    import re  # a worker does without

    try:
        with open(path, errors="replace") as file:
            threads = file.read().split("\nThread ")
    except OSError:
        return ""
    for thread in threads:
        if _LOADING in thread:
            for filename, line in re.findall(_FRAME, thread):
                if is_users(filename, root):
                    return f"{os.path.relpath(filename, root)}:{line}"
    return ""
