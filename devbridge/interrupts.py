"""Signals that end a command, and Ctrl-C before one has begun and after it has ended.

Nothing is to be undone then, and an import that is interrupted would end with a traceback, or say
"Aborted!". While a command runs, Ctrl-C is a KeyboardInterrupt, which it may clean up after.

This is imported before all else, and so imports next to nothing.
"""

from __future__ import annotations

import os
import signal

_INTERRUPTED = 130
"""`errors.EXIT_INTERRUPTED`."""


def end_at_once() -> None:
    """Let Ctrl-C end the process with one word, unless it is ignored, or handled already."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


class Raised:
    """A block in which Ctrl-C is a KeyboardInterrupt, after `end_at_once` as before it."""

    def __enter__(self) -> None:
        self._at_once = signal.getsignal(signal.SIGINT) is _end
        if self._at_once:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        if self._at_once:
            signal.signal(signal.SIGINT, _end)


def heeded(*numbers: signal.Signals) -> list[signal.Signals]:
    """Those of these signals that who started us has not had ignored: `nohup` does it to SIGHUP, a
    script that goes on beside us to SIGINT. Ignored, they stay so, for what we start, too."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _end(_number: int, _frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(_INTERRUPTED)
