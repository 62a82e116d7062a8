"""How many arguments a handler is called with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import Any

_CO_VARARGS = 0x04


def arguments(handler: Callable[..., Any]) -> int:
    """How many of (payload, context) a call of the handler takes.

    What is called decides, not what it wraps, unless it takes whatever comes (``*args``).
    """
    if type(handler) is FunctionType and not hasattr(handler, "__signature__"):
        code = handler.__code__
        if not code.co_flags & _CO_VARARGS:
            return min(code.co_argcount, 2)
        if not hasattr(handler, "__wrapped__"):
            return 2
    import inspect  # slow to import, and rarely needed

    try:
        own = inspect.signature(handler, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):  # made in C, as what functools.cache returns
        own = None
    if own is not None and not any(p.kind is p.VAR_POSITIONAL for p in own):
        return min(sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in own), 2)
    behind = _wrapped(handler)
    return 2 if behind is None else arguments(behind)


def _wrapped(handler: Any) -> Any:
    """What a callable wraps, with what it has already been given."""
    if isinstance(handler, partial):
        behind = _wrapped(handler.func)
        return None if behind is None else partial(behind, *handler.args, **handler.keywords)
    if isinstance(handler, MethodType):
        behind = _wrapped(handler.__func__)
        return None if behind is None else MethodType(behind, handler.__self__)
    behind = getattr(handler, "__wrapped__", None)
    if behind is None and callable(handler) and isinstance(handler.__call__, MethodType):
        return _wrapped(handler.__call__)
    return behind
