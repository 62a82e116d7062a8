"""A handler's result as JSON, or where in it the value is that JSON does not have."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable
from functools import partial
from json import dumps as to_json
from types import ModuleType
from typing import Any

from runner import digits
from runner.failure import ResultNotJson


def encode(result: object, what: str = "result") -> bytes:
    """The result as compact JSON in UTF-8.

    A handler that uses `devbridge.job` may return what a payload may be: dataclasses, models.

    Args:
        what: it is called.

    Raises:
        ResultNotJson: naming the type of the value and its path inside the result.
    """
    try:
        text = _dumps(result, ensure_ascii=False)
    except RecursionError:
        raise ResultNotJson(f"the {what} is nested too deeply for JSON") from None
    except (TypeError, ValueError) as error:
        why = _explain(result, what) or f"the {what} is not JSON: {error}"
        raise ResultNotJson(why) from None
    if _has_long(text) and (explained := _explain(result, what)):  # where the limit was lifted
        raise ResultNotJson(explained)
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate: valid in JSON only as an escape
        return _dumps(result, ensure_ascii=True).encode()


def _dumps(result: object, *, ensure_ascii: bool) -> str:
    # An older devbridge in the app's environment has none.
    if dumps := getattr(_payloads(), "dumps", None):
        return str(dumps(result, ensure_ascii=ensure_ascii))
    default = digits.Digits()
    write = partial(
        to_json,
        default=default,
        ensure_ascii=ensure_ascii,
        allow_nan=False,
        separators=(",", ":"),
    )
    try:
        text = write(result)
    except TypeError:
        text = write(default.with_text_keys(result))
    return default.written(text)


def _has_long(text: str) -> bool:
    """Whether the text, or a text in it, has as many digits as no integer that Python reads."""
    if len(text) <= digits.MAX_DIGITS:
        return False
    import re  # not needed by most handlers

    return re.search(rf"(?<!\d)\d{{{digits.MAX_DIGITS + 1}}}", text) is not None


def _payloads() -> ModuleType | None:
    # Nothing of devbridge is imported here, only used where the handler has imported it.
    return sys.modules.get("devbridge.payload.encode")


def _default() -> Callable[[Any], Any] | None:
    return getattr(_payloads(), "to_builtins", None)


def _explain(  # noqa: PLR0911
    value: Any, path: str, above: tuple[int, ...] = ()
) -> str | None:
    if isinstance(value, (int, float)) or digits.is_decimal(value):
        return _of_number(value, path)
    if isinstance(value, (str, type(None))):
        return None
    if not isinstance(value, (dict, list, tuple)):
        if (default := _default()) is not None:
            try:
                return _explain(default(value), path, above)
            except TypeError:
                pass
        kind = type(value)
        name = (
            kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        )
        return f"{path} is of type {name}, which JSON does not have"
    if id(value) in above:
        return f"{path} contains itself"
    above = (*above, id(value))
    if not isinstance(value, dict):
        items = ((f"{path}[{index}]", item) for index, item in enumerate(value))
        return next(filter(None, (_explain(item, where, above) for where, item in items)), None)
    for key, item in value.items():
        if digits.is_decimal(key):
            if explained := _of_number(key, f"a key of {path}"):
                return explained
        elif not isinstance(_key(key), (str, int, float, bool, type(None))):
            return f"{path} has the key {key!r} of type {type(key).__name__}; keys must be text"
        if explained := _explain(item, f"{path}[{key!r}]", above):
            return explained
    return None


def _of_number(value: Any, path: str) -> str | None:
    if isinstance(value, int):
        why = digits.TOO_LONG if digits.is_long(value) else ""
    elif isinstance(value, float):
        why = "" if math.isfinite(value) else f"{value}, which JSON does not have"
    else:
        why = digits.problem(value)
    remedy = f": {digits.AS_TEXT}" if why == digits.TOO_LONG else ""
    return f"{path} is {why}{remedy}" if why else None


def _key(key: object) -> object:
    default = _default()
    with contextlib.suppress(TypeError):
        return default(key) if default else key
    return key
