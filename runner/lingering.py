"""Tells who supervises a worker what keeps it from ending, once the run has been answered.

A thread that is no daemon, a child process of multiprocessing, and functions of ``atexit`` are
waited for at the end of a Python program. A worker gets `runner.outcome.LINGER` seconds for it.
"""

from __future__ import annotations

import contextlib
import sys
from _thread import start_new_thread as _start  # gevent replaces those of `threading` and `time`
from time import sleep as _sleep
from typing import Any

from runner.client import RuntimeClient

NOTICE = 0.5
"""Seconds after which a worker that has answered, and is still there, says why."""
_AT_EXIT = "what it has registered with atexit"


def watch(address: str) -> None:
    """Tell the Runtime API at `address` what goes on, should this process still be there then."""
    with contextlib.suppress(RuntimeError):  # the system has no thread to give
        _start(_tell, (address,))


def _tell(address: str) -> None:
    _sleep(NOTICE)
    with contextlib.suppress(Exception):  # whatever the app has made of sockets and threads
        client = RuntimeClient(address)
        try:
            client.report_lingering(left())
        finally:
            client.close()


def left() -> list[str]:
    """What Python waits for before it ends, by name."""
    threading: Any = sys.modules.get("threading")
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    found = []
    if threading is not None:
        main = threading.main_thread()
        threads = (t for t in threading.enumerate() if t is not main and not t.daemon)
        found += [f"its thread {thread.name!r}" for thread in threads]
    if multiprocessing is not None:
        children = [child for child in multiprocessing._children if not child.daemon]
        found += [f"its process {child.name!r} (PID {child.pid})" for child in children]
    return found or [_AT_EXIT]
