"""What handlers' annotations mean: found behind decorators, resolved, and taken apart.

Standard library only, and nothing of devbridge: `devbridge.languages.python.probe_script` loads
this file by its path into the app's interpreter, so that both sides take an annotation for the
same.
"""

from __future__ import annotations

import collections.abc
import contextlib
import functools
import importlib
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any, Final

ANYTHING: Final = (Any, object, dict, dict[str, Any], dict[str, object])
"""Annotations that take whatever JSON has."""
_ONLY_YIELD: Final = (
    collections.abc.Iterator,
    collections.abc.AsyncGenerator,
    collections.abc.AsyncIterator,
)
"""What a handler that yields, and returns nothing, is said to return."""
_WITH_FIELDS: Final = (
    "__dataclass_fields__",
    "__required_keys__",
    "__attrs_attrs__",
    "__struct_fields__",
)
"""What dataclasses, TypedDicts, attrs classes and Structs are known by."""


def unwrapped(handler: Any) -> Any:
    """The function behind a handler's decorators, behind a partial or an object to be called."""
    handler = inspect.unwrap(handler)
    if isinstance(handler, functools.partial):
        return unwrapped(handler.func)
    return handler if inspect.isroutine(handler) else unwrapped(type(handler).__call__)


def signature(handler: Any) -> inspect.Signature | None:
    """What a call of the handler takes. What is called decides, not what it wraps, unless it takes
    whatever comes (``*args``). None: nothing tells."""
    try:
        own = inspect.signature(handler, follow_wrapped=False)
    except (TypeError, ValueError):  # made in C, as what functools.cache returns
        own = None
    if own and not any(p.kind is p.VAR_POSITIONAL for p in own.parameters.values()):
        return own
    behind = _wrapped(handler)
    return own if behind is None else signature(behind)


def arguments(handler: Any) -> int:
    """How many of (payload, context) a call of the handler takes. As `runner.calling.arguments`,
    which is not in the zip of a function."""
    if (told := signature(handler)) is None:
        return 2
    if any(p.kind is p.VAR_POSITIONAL for p in told.parameters.values()):
        return 2
    return min(len(_positional(told)), 2)


def payload_parameter(handler: Any) -> tuple[str, Any]:
    """The name of the parameter that gets the payload, and its annotation as it is written; Any
    without one.

    A decorator has seldom an annotation of its own: then that of what it wraps is meant, of the
    parameter of the same name, or the first.
    """
    return _parameter(handler, 0)


def context_parameter(handler: Any) -> tuple[str, Any]:
    """The same of the parameter that gets the context."""
    return _parameter(handler, 1)


def yields(kind: Any) -> bool:
    """Whether a handler that is said to return this is a generator, whose result is another."""
    return _generic(kind) in (collections.abc.Generator, *_ONLY_YIELD)


def returned(kind: Any) -> Any:
    """What a handler's result is, of the annotation of what it returns: a generator returns another
    type than the checkpoints that it yields, if it returns anything."""
    if not yields(kind):
        return kind
    given = typing.get_args(kind)
    if _generic(kind) in _ONLY_YIELD:
        return None
    return given[2] if len(given) == 3 else None if given else Any


def _generic(kind: Any) -> Any:
    """Without what stands in brackets."""
    return typing.get_origin(kind) or kind


def _parameter(handler: Any, index: int) -> tuple[str, Any]:
    told = signature(handler)
    if told is None or len(own := _positional(told)) <= index:
        return "", Any
    name, written = own[index].name, own[index].annotation
    if written is inspect.Parameter.empty:
        behind = inspect.signature(handler)
        others = _positional(behind)[index : index + 1]
        for parameter in [behind.parameters.get(name), *others]:
            if parameter is not None:
                name, written = parameter.name, parameter.annotation
                break
    return name, Any if written is inspect.Parameter.empty else written


def _positional(signature: inspect.Signature) -> list[inspect.Parameter]:
    known = signature.parameters.values()
    return [p for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _wrapped(handler: Any) -> Any:
    """What a callable wraps, with what it has already been given."""
    if isinstance(handler, functools.partial):
        behind = _wrapped(handler.func)
        if behind is not None:
            behind = functools.partial(behind, *handler.args, **handler.keywords)
        return behind
    if isinstance(handler, types.MethodType):
        behind = _wrapped(handler.__func__)
        return None if behind is None else types.MethodType(behind, handler.__self__)
    behind = getattr(handler, "__wrapped__", None)
    if behind is None and callable(handler) and isinstance(handler.__call__, types.MethodType):
        return _wrapped(handler.__call__)
    return behind


def resolved(handler: Any, name: str, written: Any) -> Any:
    """An annotation of the handler, as a type. Alone: others may name what only a type checker
    imports.

    Raises:
        NameError, or whatever else the annotation raises where the handler is.
    """
    alone = types.SimpleNamespace(__annotations__={name: written})
    names = getattr(unwrapped(handler), "__globals__", {})
    return typing.get_type_hints(alone, globalns=names, include_extras=True)[name]


def adapter_of(kind: Any) -> Any:
    """Pydantic's `TypeAdapter` of a type. Bytes are base64, as `encode.dump` writes them; models
    have their own rules for reading and writing them.

    Raises:
        pydantic.errors.PydanticSchemaGenerationError: pydantic does not know such a type.
    """
    # TypeAdapter refuses rules for dataclasses and TypedDicts, and takes them for another name.
    config = {"val_json_bytes": "base64", "ser_json_bytes": "base64"}
    Payload = typing.NewType("Payload", kind)  # type: ignore[valid-newtype]
    return importlib.import_module("pydantic").TypeAdapter(Payload, config=config)


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
    inside = [*typing.get_args(kind), typing.get_origin(kind), renamed(kind)]
    if is_model(kind):
        inside += [field.annotation for field in model_fields(kind).values()]
    elif any(hasattr(kind, mark) for mark in _WITH_FIELDS):
        with contextlib.suppress(NameError):
            inside += typing.get_type_hints(kind).values()
    return inside


def renamed(kind: Any) -> Any:
    """The type that a NewType or a ``type`` statement gives another name; None for others."""
    return getattr(kind, "__supertype__", None) or getattr(kind, "__value__", None)


def name_of(kind: Any) -> str:
    """A type's name, for people."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        members = typing.get_args(kind)
        return " | ".join(str(m) if typing.get_args(m) else name_of(m) for m in members)
    if kind is types.NoneType:
        return "None"
    return getattr(kind, "__name__", None) or str(kind)


def a(name: str) -> str:
    """The name with its article: ``an Order``, ``a Row``, ``an SQSEvent``, ``a UUID``."""
    if name[:2].isupper() and len(name) > 1:  # read by its letters
        vowel = name[0] in "AEFHILMNORSX"
    else:
        low = name.lower()
        vowel = low[:1] in [*"aeiou"] and not low.startswith(("eu", "one", "uni", "us", "ut", "uu"))
    return f"{'an' if vowel else 'a'} {name}"
