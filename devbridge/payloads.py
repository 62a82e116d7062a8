"""Typed payloads: from the user's objects to JSON, and from JSON to the type a handler declares.

Only the standard library is imported here; msgspec and pydantic are used where the user's own
types need them.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import inspect
import json
import sys
import types
import typing
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from devbridge.errors import PayloadInvalid, PayloadNotJson, PayloadTooLarge

MAX_BYTES: Final = 6 * 1024 * 1024
"""AWS Lambda's limit for a synchronous request."""

Decoder = Callable[[Any], Any]


def dump(value: Any) -> str:
    """A payload as JSON text.

    Raises:
        PayloadNotJson: it holds something that has no JSON form, or is NaN or infinite, or is
            nested too deeply or within itself.
    """
    try:
        return json.dumps(
            value, default=to_builtins, allow_nan=False, ensure_ascii=False, separators=(",", ":")
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadNotJson(
            f"the payload cannot be written as JSON: {error}",
            where=f"payload of type {type(value).__name__}",
            remedy="send dicts, lists, strings, numbers, booleans, None, dataclasses, "
            "msgspec.Struct or pydantic models",
        ) from error


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
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    pydantic = sys.modules.get("pydantic")
    if pydantic and isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    msgspec = sys.modules.get("msgspec")
    if msgspec and isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    match value:
        case enum.Enum():
            return value.value
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case uuid.UUID() | decimal.Decimal():
            return str(value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case set() | frozenset():
            return list(value)
        case Mapping():
            return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def payload_type(handler: Callable[..., Any]) -> Any:
    """The annotated type of a handler's first parameter; Any without an annotation."""
    first = next(iter(inspect.signature(handler).parameters.values()), None)
    if first is None or first.annotation is inspect.Parameter.empty:
        return Any
    # Only this one annotation is resolved: the others may name what only a type checker imports.
    alone = types.SimpleNamespace(__annotations__={first.name: first.annotation})
    names = inspect.unwrap(handler).__globals__
    return typing.get_type_hints(alone, globalns=names, include_extras=True)[first.name]


def decoder(kind: Any) -> Decoder | None:
    """What turns JSON values into `kind`; None when they are to stay as they are.

    A decoder raises PayloadInvalid, naming the path inside the payload.
    """
    if kind in (Any, object, dict) or kind == dict[str, Any]:
        return None
    pydantic = sys.modules.get("pydantic")
    if pydantic and any(_is_model(pydantic, part) for part in _parts(kind)):
        adapter = pydantic.TypeAdapter(kind)
        return lambda value: _by_pydantic(pydantic, adapter, kind, value)
    import msgspec  # noqa: PLC0415

    def convert(value: Any) -> Any:
        try:
            # JSON has no keys but text: of dict[int, str] they are converted
            return msgspec.convert(value, kind, str_keys=True)
        except msgspec.ValidationError as error:
            what, _, path = str(error).partition(" - at ")
            raise _invalid(kind, what, path.replace("`", "") or "$") from error

    return convert


def _is_model(pydantic: Any, kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def _parts(kind: Any) -> Iterator[Any]:
    """A type, and the types that it has as arguments: ``list[Order] | None`` has Order."""
    yield kind
    for argument in typing.get_args(kind):
        yield from _parts(argument)


def _by_pydantic(pydantic: Any, adapter: Any, kind: Any, value: Any) -> Any:
    try:
        return adapter.validate_python(value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"])
        raise _invalid(kind, first["msg"], f"${path}") from error


def _invalid(kind: Any, what: str, path: str) -> PayloadInvalid:
    name = getattr(kind, "__name__", str(kind))
    return PayloadInvalid(
        f"the payload is not a {name}: {what}",
        where=path,
        remedy=f"send what {name} declares ($ is the payload itself)",
    )
