"""Payloads decoded: from JSON values to the type that a handler declares.

msgspec and pydantic are imported only where such types need them.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

from devbridge.errors import InvalidValue, PayloadInvalid

Decoder = Callable[[Any], Any]
_ANYTHING: Final = (Any, object, dict, dict[str, Any], dict[str, object])
_WITH_FIELDS: Final = (
    "__dataclass_fields__",
    "__required_keys__",
    "__attrs_attrs__",
    "__struct_fields__",
)
"""What dataclasses, TypedDicts, attrs classes and Structs are known by."""
_OF_JSON: Final[tuple[Any, ...]] = ({}, [], "", 0, 0.5, False, None)
"""One value of each of JSON's types."""


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
    if any(map(is_model, parts(kind))):
        import pydantic

        try:
            adapter = _adapter(pydantic, kind)
        except pydantic.errors.PydanticSchemaGenerationError as error:
            raise _undecodable(kind, str(error).partition(". ")[0]) from error
        return lambda value: _by_pydantic(pydantic, adapter, kind, value)
    import msgspec

    try:
        msgspec.json.Decoder(kind)
        unknown = _unknown(kind)
    except (TypeError, RecursionError) as error:
        raise _undecodable(kind, str(error)) from error
    if unknown:
        raise _undecodable(kind, f"nothing in JSON can be turned into a {_name(unknown)}")

    def convert(value: Any) -> Any:
        try:
            # JSON has no keys but text: of dict[int, str] they are converted
            return msgspec.convert(value, kind, str_keys=True)
        except msgspec.ValidationError as error:
            what, _, path = str(error).partition(" - at ")
            raise _invalid(kind, what, path.replace("`", "") or "$") from error

    return convert


def _adapter(pydantic: Any, kind: Any) -> Any:
    """Pydantic's decoder of a type. Bytes are base64, as `dump` writes them; models have their own
    rules for reading and writing them."""
    # TypeAdapter refuses rules for dataclasses and TypedDicts, and takes them for another name.
    Payload = typing.NewType("Payload", kind)  # type: ignore[valid-newtype]
    return pydantic.TypeAdapter(Payload, config={"val_json_bytes": "base64"})


def _undecodable(kind: Any, why: str) -> InvalidValue:
    return InvalidValue(
        f"{_name(kind)} cannot be the type of a payload: {why}",
        where="the annotation of a job's handler",
        remedy="declare a type that msgspec or pydantic decodes",
    )


def _unknown(kind: Any) -> Any:
    """A class that a payload must have an instance of, and that msgspec makes no instance of."""
    from msgspec import inspect as known

    infos: list[Any] = [known.type_info(kind)]
    seen = set(map(id, infos))
    for info in infos:  # it grows while it is walked
        if isinstance(info, known.CustomType):
            if not any(isinstance(value, info.cls) for value in _OF_JSON):
                return info.cls
        elif isinstance(info, known.Type) or info.required:  # a default needs no decoding
            values = [getattr(info, name) for name in info.__struct_fields__]
            for part in [p for v in values for p in (v if isinstance(v, tuple) else (v,))]:
                if isinstance(part, known.Type | known.Field) and id(part) not in seen:
                    seen.add(id(part))
                    infos.append(part)
    return None


def is_model(kind: Any) -> bool:
    """Whether pydantic alone knows how to make it: a model, or a dataclass of pydantic's own."""
    return isinstance(kind, type) and hasattr(kind, "__pydantic_validator__")


def model_fields(model: Any) -> Mapping[str, Any]:
    """The fields of a model, or of a dataclass of pydantic's own."""
    fields: Mapping[str, Any] = getattr(model, "model_fields", None) or getattr(
        model, "__pydantic_fields__", {}
    )
    return fields


def parts(kind: Any) -> list[Any]:
    """A type and all that it is made of: ``list[Order] | None`` has Order."""
    found = [kind]
    for part in found:  # it grows while it is walked
        found += [inner for inner in _inside(part) if inner not in found]
    return found


def _inside(kind: Any) -> list[Any]:
    """A type's arguments, what it is another name for, and the types of its fields."""
    inside = [*typing.get_args(kind), typing.get_origin(kind)]
    inside += [getattr(kind, "__value__", None), getattr(kind, "__supertype__", None)]
    if is_model(kind):
        inside += [field.annotation for field in model_fields(kind).values()]
    elif any(hasattr(kind, mark) for mark in _WITH_FIELDS):
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
