"""Signals that end a command, and Ctrl-C before one has begun and after it has ended.

Nothing is to be undone then, and an import that is interrupted would end with a traceback, or say
"Aborted!". While a command runs, Ctrl-C is a KeyboardInterrupt, which it may clean up after.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_INTERRUPTED: Final = 130
"""`errors.EXIT_INTERRUPTED`, which is not imported before this is in place."""


def end_at_once() -> None:
    """Let Ctrl-C end the process with one word, unless it is ignored, or handled already."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


@contextmanager
def raised() -> Iterator[None]:
    """While a command runs, Ctrl-C is a KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is not _end:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _end)


def heeded(*numbers: signal.Signals) -> list[signal.Signals]:
    """Those of these signals that who started us has not had ignored: `nohup` does it to SIGHUP, a
    script that goes on beside us to SIGINT. Ignored, they stay so, for what we start, too."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _end(_number: int, _frame: Any) -> None:
    os.write(2, b"interrupted\n")
    os._exit(_INTERRUPTED)
