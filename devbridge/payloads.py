"""Typed payloads: from the user's objects to JSON, and from JSON to the type a handler declares.

Only the standard library is imported here; msgspec and pydantic are used where the user's own
types need them.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import decimal
import enum
import functools
import inspect
import json
import sys
import types
import typing
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from devbridge.errors import InvalidValue, PayloadInvalid, PayloadNotJson, PayloadTooLarge

MAX_BYTES: Final = 6 * 1024 * 1024
"""AWS Lambda's limit for a synchronous request."""

Decoder = Callable[[Any], Any]
_ANYTHING: Final = (Any, object, dict, dict[str, Any], dict[str, object])
_MASK: Final = "**********"
"""What pydantic writes for a secret."""


def dump(value: Any) -> str:
    """A payload as JSON text.

    Raises:
        PayloadNotJson: it holds something that has no JSON form, or is NaN or infinite, or is
            nested too deeply or within itself.
    """
    try:
        return dumps(value, default=_sent)
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadNotJson(
            f"the payload cannot be written as JSON: {error}",
            where=f"payload of type {type(value).__name__}",
            remedy="send dicts, lists, strings, numbers, booleans, None, dataclasses, "
            "msgspec.Struct or pydantic models",
        ) from error


def dumps(
    value: Any, default: Callable[[Any], Any] | None = None, *, ensure_ascii: bool = False
) -> str:
    """Compact JSON text of a payload or result, which may have keys like dates and enums.

    Raises:
        TypeError, ValueError, RecursionError: as `json.dumps`.
    """
    default = default or to_builtins
    write = functools.partial(
        json.dumps,
        default=default,
        allow_nan=False,
        ensure_ascii=ensure_ascii,
        separators=(",", ":"),
    )
    try:
        return write(value)
    except TypeError:  # json.dumps asks `default` about values, and never about keys
        return write(_with_text_keys(value, default))


def _with_text_keys(value: Any, default: Callable[[Any], Any]) -> Any:
    match value:
        case None | str() | int() | float():
            return value
        case dict():
            return {
                key if isinstance(key, str | int | float | None) else default(key): (
                    _with_text_keys(item, default)
                )
                for key, item in value.items()
            }
        case list() | tuple():
            return [_with_text_keys(item, default) for item in value]
    return _with_text_keys(default(value), default)


def checked_size(text: str) -> bytes:
    """The text as bytes (lone surrogates kept, escaped), if AWS Lambda takes that many.

    Raises:
        PayloadTooLarge: it is over 6 MB.
    """
    try:
        body = text.encode()
    except UnicodeEncodeError:
        body = json.dumps(json.loads(text), separators=(",", ":")).encode()
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
    if _is_model(kind):
        return kind.__pydantic_serializer__.to_python(value, mode="json", by_alias=True)
    if dataclasses.is_dataclass(kind):
        return _fields(value, dataclasses.fields(kind))
    if hasattr(kind, "__attrs_attrs__"):
        return _fields(value, kind.__attrs_attrs__)
    msgspec = sys.modules.get("msgspec")
    if msgspec and isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value, str_keys=True, enc_hook=to_builtins)
    match value:
        case enum.Enum():
            return value.value
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return _duration(value)
        case uuid.UUID() | decimal.Decimal():
            return str(value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case set() | frozenset():
            return list(value)
        case Mapping():
            return dict(value)
    raise TypeError(f"{kind.__name__} has no JSON form")


def _fields(value: Any, fields: Iterable[Any]) -> dict[str, Any]:
    unset = getattr(sys.modules.get("msgspec"), "UNSET", dataclasses.MISSING)
    found = {field.name: getattr(value, field.name) for field in fields}
    return {name: item for name, item in found.items() if item is not unset}


def _duration(value: datetime.timedelta) -> str:
    """ISO 8601, as msgspec and pydantic read it."""
    sign, value = ("-", -value) if value.days < 0 else ("", value)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}P{value.days}DT{value.seconds}{fraction}S"


def _sent(value: Any) -> Any:
    """`to_builtins` for payloads: of a model all that it is read from, and nothing else."""
    kind: Any = type(value)
    if not _is_model(kind):
        return to_builtins(value)
    if field := _unreadable(kind):
        raise TypeError(
            f"{field} is not written, or under another name than it is read from: send a dict"
        )
    found = kind.__pydantic_serializer__.to_python(
        value, mode="json", by_alias=True, round_trip=True
    )
    if _has_secret(kind) and _is_masked(found):
        raise TypeError(f"{kind.__name__} writes {_MASK} for a secret: send a dict")
    return found


@functools.cache
def _unreadable(kind: Any) -> str:
    """The first field that a model writes and reads by different names, or does not write."""
    for model in filter(_is_model, _parts(kind)):
        own = model.__pydantic_decorators__
        if own.model_serializers or own.model_validators:
            continue  # they may give and take any names
        for name, field in _model_fields(model).items():
            written = field.serialization_alias or name
            if field.exclude or written not in _read_names(model, name, field):
                return f"{model.__name__}.{name}"
    return ""


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
    return any(hasattr(part, "get_secret_value") for part in _parts(kind))


def _is_masked(value: Any) -> bool:
    match value:
        case dict():
            return any(map(_is_masked, value.values()))
        case list():
            return any(map(_is_masked, value))
    return bool(value == _MASK)


def payload_type(handler: Callable[..., Any]) -> Any:
    """The annotated type of a handler's first parameter; Any without an annotation."""
    first = next(iter(inspect.signature(handler).parameters.values()), None)
    if first is None or first.annotation is inspect.Parameter.empty:
        return Any
    # Only this one annotation is resolved: the others may name what only a type checker imports.
    alone = types.SimpleNamespace(__annotations__={first.name: first.annotation})
    names = getattr(unwrapped(handler), "__globals__", {})
    return typing.get_type_hints(alone, globalns=names, include_extras=True)[first.name]


def unwrapped(handler: Any) -> Any:
    """The function behind a handler's decorators, behind a partial or an object to be called."""
    handler = inspect.unwrap(handler)
    if isinstance(handler, functools.partial):
        return unwrapped(handler.func)
    return handler if inspect.isroutine(handler) else unwrapped(type(handler).__call__)


def decoder(kind: Any) -> Decoder | None:
    """What turns JSON values into `kind`; None when they are to stay as they are.

    A decoder raises PayloadInvalid, naming the path inside the payload.

    Raises:
        InvalidValue: no JSON value can be turned into that type.
    """
    if kind in _ANYTHING:
        return None
    if any(map(_is_model, _parts(kind))):
        import pydantic  # noqa: PLC0415

        adapter = pydantic.TypeAdapter(kind)
        return lambda value: _by_pydantic(pydantic, adapter, kind, value)
    import msgspec  # noqa: PLC0415

    try:
        msgspec.json.Decoder(kind)
    except (TypeError, RecursionError) as error:
        raise InvalidValue(
            f"{_name(kind)} cannot be the type of a payload: {error}",
            where="the annotation of a job's handler",
            remedy="declare a type that msgspec or pydantic decodes",
        ) from error

    def convert(value: Any) -> Any:
        try:
            # JSON has no keys but text: of dict[int, str] they are converted
            return msgspec.convert(value, kind, str_keys=True)
        except msgspec.ValidationError as error:
            what, _, path = str(error).partition(" - at ")
            raise _invalid(kind, what, path.replace("`", "") or "$") from error

    return convert


def _is_model(kind: Any) -> bool:
    """Whether pydantic alone knows how to make it: a model, or a dataclass of pydantic's own."""
    return isinstance(kind, type) and hasattr(kind, "__pydantic_validator__")


def _model_fields(model: Any) -> Mapping[str, Any]:
    """The fields of a model, or of a dataclass of pydantic's own."""
    fields: Mapping[str, Any] = getattr(model, "model_fields", None) or getattr(
        model, "__pydantic_fields__", {}
    )
    return fields


def _parts(kind: Any) -> list[Any]:
    """A type and all that it is made of: ``list[Order] | None`` has Order."""
    found = [kind]
    for part in found:  # it grows while it is walked
        found += [inner for inner in _inside(part) if inner not in found]
    return found


def _inside(kind: Any) -> list[Any]:
    """A type's arguments, what it is another name for, and the types of its fields."""
    inside = [*typing.get_args(kind), typing.get_origin(kind)]
    inside += [getattr(kind, "__value__", None), getattr(kind, "__supertype__", None)]
    if _is_model(kind):
        inside += [field.annotation for field in _model_fields(kind).values()]
    elif dataclasses.is_dataclass(kind) or hasattr(kind, "__required_keys__"):
        with contextlib.suppress(NameError):
            inside += typing.get_type_hints(kind).values()
    return inside


def _by_pydantic(pydantic: Any, adapter: Any, kind: Any, value: Any) -> Any:
    try:
        return _validated(adapter, value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"])
        raise _invalid(kind, first["msg"], f"${path}") from error


def _validated(adapter: Any, value: Any) -> Any:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):  # a test calls the handler with an instance
        return adapter.validate_python(value)
    # Strict models make no date of a str, and yet of a string in JSON.
    return adapter.validate_json(text)


def _invalid(kind: Any, what: str, path: str) -> PayloadInvalid:
    name = _name(kind)
    return PayloadInvalid(
        f"the payload is not a {name}: {what}",
        where=path,
        remedy=f"send what {name} declares ($ is the payload itself)",
    )


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))
