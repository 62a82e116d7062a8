"""What pytest shows of an error: the lines of the test and of the app, not devbridge's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Final, ParamSpec, TypeVar

from devbridge.errors import DevbridgeError, PayloadInvalid

P = ParamSpec("P")
R = TypeVar("R")

_OURS: Final = ("devbridge", "runner")
_MACHINERY: Final = (*_OURS, "asyncio", "concurrent", "threading", "contextlib")


def brief(function: Callable[P, R]) -> Callable[P, R]:
    """What it raises comes without the frames that have led from the test into the user's code;
    an error of devbridge's own, which says what to do, without any of devbridge."""

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        __tracebackhide__ = True
        try:
            return function(*args, **options)
        except BaseException as error:
            error.__traceback__ = _shown(error)
            if isinstance(error, PayloadInvalid):
                error.__cause__ = None  # it says what that has said
            raise

    return call


def _shown(error: BaseException) -> TracebackType | None:
    frames: list[TracebackType] = []
    trace = error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "").partition(".")[0]
        hidden = _OURS if frames else _MACHINERY
        if module not in hidden or (frames and not isinstance(error, DevbridgeError)):
            frames.append(trace)
        trace = trace.tb_next
    shown: TracebackType | None = None
    for each in reversed(frames):
        shown = TracebackType(shown, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return shown
