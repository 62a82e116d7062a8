"""Payloads decoded: from JSON values to the type that a handler declares.

msgspec and pydantic are imported only where such types need them.
"""

from __future__ import annotations

import decimal
import json
import typing
from collections.abc import Callable
from typing import Any, Final

from devbridge.errors import CheckpointInvalid, InvalidValue, PayloadInvalid
from devbridge.job_context import JobContext
from devbridge.payload import places
from devbridge.payload.digits import reader
from devbridge.payload.kinds import (
    ANYTHING,
    a,
    adapter_of,
    context_parameter,
    is_model,
    name_of,
    parts,
    payload_parameter,
    resolved,
)

Decoder = Callable[[Any], Any]
_OF_JSON: Final[tuple[Any, ...]] = ({}, [], "", 0, 0.5, False, None)
"""One value of each of JSON's types."""


def payload_type(handler: Callable[..., Any]) -> Any:
    """The annotated type of the parameter that gets the payload; Any without an annotation."""
    name, written = payload_parameter(handler)
    return resolved(handler, name, written)


def checkpoint_type(handler: Callable[..., Any]) -> Any:
    """The type in the brackets of ``context: JobContext[State]``; Any where there is none."""
    try:
        kind = resolved(handler, *context_parameter(handler))
    except Exception:  # only a type checker knows it
        return Any
    if typing.get_origin(kind) is JobContext:
        return typing.get_args(kind)[0]
    return Any


def checkpoint_reader(handler: Callable[..., Any]) -> Callable[[bytes], Any] | None:
    """What makes a value of a checkpoint's JSON text; None where that is as JSON has it.

    It raises CheckpointInvalid.

    Raises:
        InvalidValue: no JSON value can be turned into that type.
    """
    kind = checkpoint_type(handler)
    if (convert := decoder(kind)) is None:
        return None

    def read(text: bytes) -> Any:
        try:
            return convert(reader(kind)(text))
        except PayloadInvalid as error:
            what = error.what.replace("payload", "checkpoint", 1)
            raise CheckpointInvalid(
                what,
                where=error.where,
                remedy="begin anew (`devbridge rerun --fresh`), or let the handler take what it"
                " has yielded before it was changed",
            ) from error

    return read


def decoder(kind: Any) -> Decoder | None:
    """What turns JSON values into `kind`; None when they are to stay as they are.

    A decoder raises PayloadInvalid, naming the path inside the payload.

    Raises:
        InvalidValue: no JSON value can be turned into that type.
    """
    if kind in ANYTHING:
        return None
    if any(map(is_model, parts(kind))):
        import pydantic

        try:
            adapter = adapter_of(kind)
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
        raise _undecodable(kind, f"nothing in JSON can be turned into {a(name_of(unknown))}")

    return lambda value: _by_msgspec(msgspec, kind, value)


def _undecodable(kind: Any, why: str) -> InvalidValue:
    return InvalidValue(
        f"{name_of(kind)} cannot be the type of a payload: {why}",
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


def _by_msgspec(msgspec: Any, kind: Any, value: Any) -> Any:
    def problem(value: Any) -> str:
        try:
            msgspec.convert(value, kind, str_keys=True)
        except msgspec.ValidationError as error:
            return str(error)
        return ""

    try:
        # JSON has no keys but text: of dict[int, str] they are converted
        return msgspec.convert(value, kind, str_keys=True)
    except msgspec.ValidationError as error:
        said = str(error)
        what, _, path = said.partition(" - at ")
        path = path.replace("`", "") or "$"
        if path.startswith("key in "):
            what, path = f"{what}, as a key", f"{path.removeprefix('key in ')}[...]"
        where = places.by_path(value, path, lambda value: problem(value) == said)
        raise _invalid(kind, what, where) from error


def _by_pydantic(pydantic: Any, adapter: Any, kind: Any, value: Any) -> Any:
    try:
        return _validated(adapter, value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = places.by_location(
            value, first["loc"], first["input"], missing=first["type"] == "missing"
        )
        what = f"{first['msg']}, as a key" if "[key]" in first["loc"] else first["msg"]
        raise _invalid(kind, what, where) from error


def _validated(adapter: Any, value: Any) -> Any:
    try:
        text = json.dumps(value, default=_digits)
    except (TypeError, ValueError):  # a test calls the handler with an instance
        return adapter.validate_python(value)
    # Strict models make no date of a str, and yet of a string in JSON.
    return adapter.validate_json(text)


def _digits(value: Any) -> str:
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise TypeError


def _invalid(kind: Any, what: str, path: str) -> PayloadInvalid:
    name = name_of(kind)
    return PayloadInvalid(
        f"the payload is not {a(name)}: {what}",
        where=path,
        remedy=f"send what {name} declares ($ is the payload itself)",
    )
