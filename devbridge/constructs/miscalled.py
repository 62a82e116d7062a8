"""What is said of a construct that app.py calls with what it does not take."""

from __future__ import annotations

import inspect
import re
from types import FrameType
from typing import Any, Final

import devbridge
from devbridge.errors import did_you_mean

_CALLED: Final = re.compile(r"(\w+)\.__init__\(\) ")
_UNKNOWN: Final = re.compile(r"unexpected keyword argument '(\w+)'")


def what_it_takes(error: BaseException) -> str | None:
    """What a class of devbridge's takes, where `error` is the TypeError of a call that it does not
    fit; None: it is another error, or of another class."""
    found = _CALLED.match(str(error)) if isinstance(error, TypeError) else None
    if found is None or found[1] not in devbridge.__all__:
        return None
    called: Any = getattr(devbridge, found[1])
    frame = _innermost(error)
    if frame is None or _meant(frame, found[1], called) is not called:
        return None
    takes = list(inspect.signature(called).parameters)
    unknown = _UNKNOWN.search(str(error))
    nearly = did_you_mean(unknown[1], takes) if unknown else ""
    return f"{found[1]} takes {', '.join(takes)}{nearly}"


def _innermost(error: BaseException) -> FrameType | None:
    """Where the call was; a class whose arguments do not fit has no frame of its own."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at and at.tb_frame


def _meant(frame: FrameType, name: str, otherwise: object) -> Any:
    """What has this name there: it may be a class of the app's own."""
    return frame.f_locals.get(name, frame.f_globals.get(name, otherwise))
