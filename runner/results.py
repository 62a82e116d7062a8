"""A handler's result as JSON, or where in it the value is that JSON does not have."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable
from json import dumps as to_json
from types import ModuleType
from typing import Any

from runner.failure import ResultNotJson


def encode(result: object) -> bytes:
    """The result as compact JSON in UTF-8.

    A handler that uses `devbridge.job` may return what a payload may be: dataclasses, models.

    Raises:
        ResultNotJson: naming the type of the value and its path inside the result.
    """
    try:
        text = _dumps(result, ensure_ascii=False)
    except RecursionError:
        raise ResultNotJson("the result is nested too deeply for JSON") from None
    except (TypeError, ValueError) as error:
        raise ResultNotJson(_explain(result) or f"the result is not JSON: {error}") from None
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate: valid in JSON only as an escape
        return _dumps(result, ensure_ascii=True).encode()


def _dumps(result: object, *, ensure_ascii: bool) -> str:
    # An older devbridge in the app's environment has none.
    if dumps := getattr(_payloads(), "dumps", None):
        return str(dumps(result, ensure_ascii=ensure_ascii))
    return to_json(
        result,
        default=_default(),
        ensure_ascii=ensure_ascii,
        allow_nan=False,
        separators=(",", ":"),
    )


def _payloads() -> ModuleType | None:
    # Nothing of devbridge is imported here, only used where the handler has imported it.
    return sys.modules.get("devbridge.payload.encode")


def _default() -> Callable[[Any], Any] | None:
    return getattr(_payloads(), "to_builtins", None)


def _explain(  # noqa: PLR0911
    value: Any, path: str = "result", above: tuple[int, ...] = ()
) -> str | None:
    if isinstance(value, (str, bool, int, type(None))):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{path} is {value}, which JSON does not have"
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
        if not isinstance(_key(key), (str, int, float, bool, type(None))):
            return f"{path} has the key {key!r} of type {type(key).__name__}; keys must be text"
        if explained := _explain(item, f"{path}[{key!r}]", above):
            return explained
    return None


def _key(key: object) -> object:
    default = _default()
    with contextlib.suppress(TypeError):
        return default(key) if default else key
    return key
