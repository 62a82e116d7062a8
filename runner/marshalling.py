"""What a function is given and returns, as AWS's own runtime for Python has it.

`awslambdaric` writes JSON with simplejson, so named tuples are objects, bytes are text, Decimals
are numbers with all their digits, and NaN is NaN. The same is done here with the standard library
alone; tests compare the two.
"""

from __future__ import annotations

import contextlib
import os
from json import dumps, loads
from typing import Any

from runner import digits

_OLD = ("", "AWS_Lambda_python3.8", "AWS_Lambda_python3.9", "AWS_Lambda_python3.10")
_ASCII = frozenset((*_OLD, "AWS_Lambda_python3.11"))
"""The runtimes that escape what is not ASCII."""


class Fault(Exception):
    """What goes wrong in the runtime itself, not in the function's code.

    Args:
        kind: the error's type, as Lambda names it.
    """

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace or []


def event(body: bytes) -> Any:
    """What the function is called with.

    Raises:
        Fault: it is no JSON.
    """
    try:
        return loads(body)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None


def answer(result: object) -> bytes:
    """What the function has returned, as it is sent.

    Raises:
        Fault: it has no JSON form.
    """
    if isinstance(result, bytes):
        return result
    try:
        return _written(result).encode("utf-8")
    except Exception as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def _written(result: object) -> str:
    numbers = _Numbers()
    with contextlib.suppress(RecursionError):  # it is in itself: that is said below
        result = _as_json_has_it(result)
    ascii_only = os.environ.get("AWS_EXECUTION_ENV", "") in _ASCII
    return numbers.written(dumps(result, default=numbers, ensure_ascii=ascii_only))


class _Numbers(digits.Digits):
    """What stands for values that json does not know."""

    def __call__(self, value: Any) -> Any:
        if digits.is_decimal(value):
            return float("nan") if value.is_nan() else self.marked(str(value))
        if isinstance(value, bytes):
            return value.decode("utf-8")
        if callable(getattr(value, "_asdict", None)):
            return value._asdict()
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _as_json_has_it(value: Any) -> Any:
    """The value without named tuples and keys of bytes, of which json would make something else;
    the same object if there are none."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if isinstance(value, tuple) and callable(as_dict := getattr(value, "_asdict", None)):
        return _as_json_has_it(as_dict())
    if isinstance(value, dict):
        items = {_key(key): _as_json_has_it(item) for key, item in value.items()}
        same = all(items.get(key, _NOTHING) is item for key, item in value.items())
        return value if same else items
    if isinstance(value, list | tuple):
        found = [_as_json_has_it(item) for item in value]
        same = all(one is other for one, other in zip(found, value, strict=True))
        return value if same else found
    return value


_LEAVES = frozenset((str, int, float, bool, type(None)))
_NOTHING = object()


def _key(key: object) -> object:
    if isinstance(key, bytes):
        return key.decode("utf-8")
    if isinstance(key, (str, int, float, type(None))):
        return key
    what = type(key).__name__
    raise TypeError(f"keys must be str, int, float, bool or None, not {what}")
