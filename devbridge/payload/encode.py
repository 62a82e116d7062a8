"""Payloads and results written: from the user's objects to JSON.

Only the standard library is imported here; msgspec and pydantic are used where the user's own
types have brought them along.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from devbridge.errors import PayloadNotJson, PayloadTooLarge
from devbridge.payload import digits
from devbridge.payload.kinds import is_model, model_fields, parts

MAX_BYTES: Final = 6 * 1024 * 1024
"""AWS Lambda's limit for a synchronous request. As `runner.outcome.MAX_BODY`, which is not in the
zip of a function."""

_MASK: Final = "**********"
"""What pydantic writes for a secret."""


class _NotSent(TypeError):
    """Something in a payload that would not arrive as it is."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def dump(value: Any) -> str:
    """A payload as JSON text.

    Raises:
        PayloadNotJson: it holds something that has no JSON form, is NaN or infinite, has more
            digits than Python reads, or is nested too deeply or within itself.
    """
    try:
        return dumps(value, default=_sent)
    except (TypeError, ValueError, RecursionError) as error:
        why, remedy = str(error), getattr(error, "remedy", None)
        if isinstance(error, ValueError) and (digits.TOO_LONG in why or "set_int_max" in why):
            why, remedy = f"it has {digits.TOO_LONG}", digits.AS_TEXT
        raise PayloadNotJson(
            f"the payload cannot be written as JSON: {why}",
            where=f"payload of type {type(value).__name__}",
            remedy=remedy
            or "send dicts, lists, strings, numbers, booleans, None, dataclasses, "
            "msgspec.Struct or pydantic models",
        ) from error


def dumps(
    value: Any, default: Callable[[Any], Any] | None = None, *, ensure_ascii: bool = False
) -> str:
    """Compact JSON text of a payload or result, which may have keys like dates and enums, and
    numbers that are Decimals.

    Raises:
        TypeError, ValueError, RecursionError: as `json.dumps`; ValueError also of an integer with
            more digits than Python reads.
    """
    default = digits.Digits(default or to_builtins)
    write = functools.partial(
        json.dumps,
        default=default,
        allow_nan=False,
        ensure_ascii=ensure_ascii,
        separators=(",", ":"),
    )
    try:
        text = write(value)
    except TypeError:  # json.dumps asks `default` about values, and never about keys
        text = write(_with_text_keys(value, default))
    text = default.written(text)
    if digits.is_long(text):
        raise ValueError(digits.TOO_LONG)
    return text


def _with_text_keys(value: Any, default: Callable[[Any], Any]) -> Any:
    match value:
        case None | str() | int() | float():
            return value
        case dict():
            return {
                _text_key(key, default): _with_text_keys(item, default)
                for key, item in value.items()
            }
        case list() | tuple():
            return [_with_text_keys(item, default) for item in value]
    return _with_text_keys(default(value), default)


def _text_key(key: Any, default: Callable[[Any], Any]) -> Any:
    if isinstance(key, decimal.Decimal):
        return digits.number(key)
    return key if isinstance(key, str | int | float | None) else default(key)


def checked_size(text: str) -> bytes:
    """The text as bytes (lone surrogates kept, escaped), if AWS Lambda takes that many.

    Raises:
        PayloadTooLarge: it is over 6 MB.
    """
    try:
        body = text.encode()
    except UnicodeEncodeError:
        body = text.encode("utf-8", "backslashreplace")
    if len(body) > MAX_BYTES:
        raise PayloadTooLarge(
            f"the payload has {len(body):,} bytes; AWS Lambda takes {MAX_BYTES:,}",
            remedy="put it in S3 and send the key",
        )
    return body


def to_builtins(value: Any) -> Any:  # noqa: PLR0911
    """JSON's types for one object that json.dumps does not know, payload or result.

    Raises:
        TypeError: it has no JSON form.
    """
    kind = type(value)
    if is_model(kind):
        return kind.__pydantic_serializer__.to_python(value, mode="json", by_alias=True)
    if dataclasses.is_dataclass(kind):
        return _fields(value, dataclasses.fields(kind))
    if hasattr(kind, "__attrs_attrs__"):
        return _fields(value, kind.__attrs_attrs__)
    msgspec = sys.modules.get("msgspec")
    if msgspec and isinstance(value, msgspec.Struct):
        return _of_struct(msgspec, value)
    match value:
        case enum.Enum():
            return value.value
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return _duration(value)
        case uuid.UUID():
            return str(value)
        case decimal.Decimal():
            return float(digits.number(value))
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case set() | frozenset():
            return sorted(value, key=repr)  # it has no order: one that is always the same
        case Mapping():
            return dict(value)
    raise TypeError(f"{kind.__name__} has no JSON form")


def _of_struct(msgspec: Any, value: Any) -> Any:
    try:
        return msgspec.to_builtins(
            value, builtin_types=(decimal.Decimal,), str_keys=True, enc_hook=to_builtins
        )
    except TypeError:  # it has Decimals for keys
        return msgspec.to_builtins(value, str_keys=True, enc_hook=to_builtins)


def _fields(value: Any, fields: Iterable[Any]) -> dict[str, Any]:
    unset = getattr(sys.modules.get("msgspec"), "UNSET", dataclasses.MISSING)
    found = {field.name: getattr(value, field.name) for field in fields}
    return {name: _with_base64(item) for name, item in found.items() if item is not unset}


def _with_base64(value: Any) -> Any:
    """What a field holds, with its bytes as whoever decodes the field's class reads them."""
    match value:
        case bytes() | bytearray():
            return to_builtins(value)
        case dict():
            return {_with_base64(key): _with_base64(item) for key, item in value.items()}
        case list() | set() | frozenset():
            return [_with_base64(item) for item in value]
        case tuple():  # a key stays one
            return tuple(_with_base64(item) for item in value)
    return value


def _duration(value: datetime.timedelta) -> str:
    """ISO 8601, as msgspec and pydantic read it."""
    sign, value = ("-", -value) if value.days < 0 else ("", value)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}P{value.days}DT{value.seconds}{fraction}S"


def _sent(value: Any) -> Any:
    """`to_builtins` for payloads: of a model all that it is read from, and nothing else."""
    kind: Any = type(value)
    if isinstance(value, bytes | bytearray):
        raise _NotSent(
            "bytes in a dict, in a list or alone: models read UTF-8 where other types read base64",
            "send the text that the handler's type reads, or an instance that holds the bytes",
        )
    if not is_model(kind):
        return to_builtins(value)
    if field := _unreadable(kind):
        raise _NotSent(
            f"{field} is not written, or under another name than it is read from",
            f"send a dict of what {kind.__name__} reads",
        )
    found = kind.__pydantic_serializer__.to_python(
        value, mode="json", by_alias=True, round_trip=True
    )
    if _has_secret(kind) and _is_masked(found):
        raise _NotSent(
            f"{kind.__name__} writes {_MASK} for a secret",
            f"send a dict of what {kind.__name__} reads",
        )
    return found


@functools.cache
def _unreadable(kind: Any) -> str:
    """The first field that a model writes and reads by different names, or does not write."""
    for model in filter(is_model, parts(kind)):
        if _renames(model.__pydantic_decorators__):
            continue
        for name, field in model_fields(model).items():
            written = field.serialization_alias or name
            excluded = field.exclude or getattr(field, "exclude_if", None)
            if excluded or written not in _read_names(model, name, field):
                return f"{model.__name__}.{name}"
    return ""


def _renames(own: Any) -> bool:
    """Whether a model's decorators may give or take any names."""
    modes = [validator.info.mode for validator in own.model_validators.values()]
    return bool(own.model_serializers) or any(mode in ("before", "wrap") for mode in modes)


def _read_names(model: Any, name: str, field: Any) -> list[Any]:
    """The names that a model reads a field from."""
    config = getattr(model, "model_config", None) or getattr(model, "__pydantic_config__", {})
    names: list[Any] = []
    if config.get("validate_by_name") or config.get("populate_by_name"):
        names.append(name)
    if config.get("validate_by_alias", True):
        alias = field.validation_alias or name
        names += getattr(alias, "choices", [alias])
    return names


@functools.cache
def _has_secret(kind: Any) -> bool:
    return any(hasattr(part, "get_secret_value") for part in parts(kind))


def _is_masked(value: Any) -> bool:
    match value:
        case dict():
            return any(map(_is_masked, value.values()))
        case list():
            return any(map(_is_masked, value))
    return bool(value == _MASK)
