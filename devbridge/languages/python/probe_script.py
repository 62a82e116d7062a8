"""Tell what handlers take and return, as JSON Schema. Runs as a script in the app's interpreter.

``python -P probe_script.py PLACE ROOT NOTE`` reads from stdin a JSON object of job names and
handlers, imports each handler as a worker does, and writes one line of JSON for each job to stdout
as soon as it is known. PLACE is the folder of the package `runner`, NOTE a file for what
`runner.stuck` notes. It ends when its parent does, where the kernel can see to that. Standard
library, and msgspec or pydantic where the app has them: what is missing is named in ``warning``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import importlib.util
import json
import os
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devbridge.payload import kinds
else:  # as a file: devbridge is not imported here, the app may have another one
    _spec = importlib.util.spec_from_file_location(
        "_devbridge_kinds",
        os.path.join(os.path.dirname(__file__), *[os.pardir] * 2, "payload", "kinds.py"),
    )
    kinds = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(kinds)

Json = dict[str, Any]
_SIMPLE: dict[Any, str] = {int: "integer", float: "number", str: "string", bool: "boolean"}
_NAMES = {kind: kind.__name__ for kind in _SIMPLE}
_CHANGES_INPUT = (
    "coerce_numbers_to_str",
    "populate_by_name",
    "validate_by_name",
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
    "strip_whitespace",
    "to_lower",
    "to_upper",
)
"""What makes pydantic accept more than its JSON Schema says."""


class _Unknown(Exception):
    """Nothing can be said; the text says why."""


def describe(found: Callable[..., Any], job: str) -> Json:
    """What a job's handler takes and returns, with a warning where that cannot be told."""
    decorated = getattr(found, "__devbridge_handler__", None)
    handler = decorated or found
    answer: Json = {"payload": None, "result": None, "instances": [], "checked": None}
    warnings = []
    if (named := getattr(found, "__devbridge_job__", job)) != job:
        warnings.append(f"each of its runs fails: its handler is for job {named!r}")
    try:
        kind = _payload(handler)
        answer["payload"] = _schema(kind)
        answer["instances"] = [shape for shape in map(_shape, _members(kind)) if shape]
        # A plain handler gets the payload as it is: nobody would refuse it.
        if decorated and answer["payload"] is not None:
            answer["checked"] = _checked_by(kind)
        bare = not decorated and isinstance(found, types.FunctionType)
        if answer["instances"] and bare and not hasattr(found, "__wrapped__"):
            warnings.append(
                f"its payload arrives as a dict, and unchecked: only @job_handler({job!r}) makes of"
                " it what the handler declares"
            )
    except _Unknown as error:
        warnings.append(f"callers do not know its payload: {error}")
    try:
        answer["result"] = _schema(_result(handler), result=True)
    except _Unknown as error:
        warnings.append(f"callers do not know its result: {error}")
    answer["warning"] = "; ".join(warnings)
    return answer


def _payload(handler: Callable[..., Any]) -> Any:
    """The type of the parameter that gets the payload."""
    try:
        return kinds.resolved(handler, *kinds.payload_parameter(handler))
    except Exception as error:
        raise _Unknown(f"its annotation cannot be resolved: {error}") from None


def _result(handler: Any) -> Any:
    """The annotation of what it returns, resolved alone: others may name what only a type checker
    imports."""
    try:
        written = getattr(kinds.unwrapped(handler), "__annotations__", {}).get("return", Any)
        return kinds.returned(kinds.resolved(handler, "return", written))
    except Exception as error:
        raise _Unknown(f"its annotation cannot be resolved: {error}") from None


def _schema(kind: Any, *, result: bool = False) -> Json | None:
    """The JSON Schema of a type; None for anything.

    What a handler returns has all its fields, with or without a default. What it takes may lack the
    tag of a Struct that is in no union.
    """
    if kind in kinds.ANYTHING:
        return None
    if kind in (None, type(None)):
        return {"type": "null"}
    if kind in _SIMPLE:
        return {"type": _SIMPLE[kind]}
    try:
        if adapter := _adapter(kind):
            return _model_schema(adapter, result)
        msgspec = importlib.import_module("msgspec")
        schema: Json = msgspec.json.schema(kind)
        if result:
            _make_numbers(schema)
        alone = set(_alone(schema))
        for info, name in _named(kind, schema.get("$defs", {})):
            definition = schema["$defs"][name]
            if result:
                definition["required"] = _written(info)
            elif name in alone:
                definition["required"] = [f for f in definition["required"] if f != _tag(info)]
        return schema
    except ImportError:
        raise _Unknown("msgspec is not installed in the app's environment") from None
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise _Unknown(f"{kinds.name_of(kind)} has no JSON Schema: {reason[-1]}") from None


def _make_numbers(schema: Any) -> None:
    """Make what is a text as msgspec writes Decimals the number that `devbridge.payload` writes."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            schema["type"] = "number"
            del schema["format"]
        schema = [*schema.values()]
    for inner in schema if isinstance(schema, list) else ():
        _make_numbers(inner)


def _adapter(kind: Any) -> Any:
    """Pydantic's validator of a type that is, or is made of, what only pydantic knows."""
    return kinds.adapter_of(kind) if any(map(kinds.is_model, kinds.parts(kind))) else None


def _members(kind: Any) -> tuple[Any, ...]:
    """The members of a union, or the type itself."""
    if typing.get_origin(kind) is typing.Annotated:
        return _members(typing.get_args(kind)[0])
    if (renamed := kinds.renamed(kind)) is not None:
        return _members(renamed)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return tuple(m for member in typing.get_args(kind) for m in _members(member))
    return (kind,)


def _shape(kind: Any) -> Json | None:
    """A class of the user's own, by which its instances are known to a type checker."""
    kind = typing.get_origin(kind) or kind
    if not isinstance(kind, type):
        return None
    form = next(
        (
            form
            for form, mark in (
                ("dataclass", "__dataclass_fields__"),
                ("attrs", "__attrs_attrs__"),
                ("struct", "__struct_fields__"),
                ("pydantic", "__pydantic_core_schema__"),
            )
            if hasattr(kind, mark)
        ),
        None,
    )
    if form is None:
        return None
    try:
        hints = typing.get_type_hints(kind)
    except Exception:
        hints = {}
    if form == "dataclass":
        fields = [field.name for field in dataclasses.fields(kind)]
    elif form == "attrs":
        fields = [field.name for field in kind.__attrs_attrs__]  # type: ignore[attr-defined]
    elif form == "struct":
        fields = list(kind.__struct_fields__)  # type: ignore[attr-defined]
    else:
        fields = list(kind.model_fields)  # type: ignore[attr-defined]
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "form": form,
        "fields": {name: _NAMES.get(hints.get(name), "object") for name in fields},
    }


def _checked_by(kind: Any) -> str | None:
    """Whose rules decide what the handler accepts, if its JSON Schema tells them all."""
    if adapter := _adapter(kind):
        return None if _accepts_more(adapter.core_schema) else "pydantic"
    return None if any(map(_has_missing, _inspected(kind))) else "msgspec"


def _accepts_more(core: Any) -> bool:
    if isinstance(core, dict):
        kind = core.get("type")
        if isinstance(kind, str) and kind.startswith(
            ("function-before", "function-wrap", "function-plain", "generator", "complex")
        ):
            return True
        if any(core.get(key) is True for key in _CHANGES_INPUT):
            return True
        if isinstance(core.get("validation_alias"), list) or core.get("missing"):
            return True
        return any(_accepts_more(v) for k, v in core.items() if k not in ("metadata", "default"))
    return isinstance(core, (list, tuple)) and any(map(_accepts_more, core))


def _infos(info: Any, seen: set[int]) -> Iterator[Any]:
    """What msgspec knows of a type and of all that it is made of."""
    if isinstance(info, (list, tuple)):
        for item in info:
            yield from _infos(item, seen)
    elif hasattr(info, "__struct_fields__") and id(info) not in seen:
        seen.add(id(info))
        yield info
        for name in info.__struct_fields__:
            if name not in ("cls", "default", "default_factory"):
                yield from _infos(getattr(info, name), seen)


def _inspected(kind: Any) -> Iterator[Any]:
    return _infos(importlib.import_module("msgspec.inspect").type_info(kind), set())


def _named(kind: Any, definitions: Json) -> Iterator[tuple[Any, str]]:
    """What msgspec knows of the classes with named fields, and the definitions of their schemas."""
    schema = importlib.import_module("msgspec.json").schema
    for info in _inspected(kind):
        if type(info).__name__ in ("DataclassType", "StructType") and not _is_array(info):
            cls = typing.get_origin(info.cls) or info.cls
            short = schema(info.cls)["$ref"].removeprefix("#/$defs/")
            # of two with one name, both have their module's before it
            names = (short, f"{cls.__module__}.{short}")
            yield from ((info, name) for name in names if name in definitions)


def _is_array(info: Any) -> bool:
    return bool(getattr(info, "array_like", False))


def _tag(info: Any) -> str | None:
    return getattr(info, "tag_field", None)


def _written(info: Any) -> list[str]:
    """The fields that every instance is written with."""
    cls = typing.get_origin(info.cls) or info.cls
    omits = hasattr(cls, "__struct_config__") and cls.__struct_config__.omit_defaults
    fields = [f.encode_name for f in info.fields if f.required or not (omits or _is_unset(f))]
    return [*filter(None, [_tag(info)]), *fields]


def _is_unset(field: Any) -> bool:
    """Whether its default is UNSET, which is not written: msgspec tells of no default then."""
    nothing = importlib.import_module("msgspec").NODEFAULT
    return not field.required and field.default is field.default_factory is nothing


def _alone(schema: Any) -> Iterator[str]:
    """The definitions that are referred to elsewhere than in unions that a tag decides."""
    if isinstance(schema, list):
        for item in schema:
            yield from _alone(item)
    elif isinstance(schema, dict):
        if isinstance(ref := schema.get("$ref"), str):
            yield ref.removeprefix("#/$defs/")
        decided = ("anyOf", "oneOf", "discriminator") if _decided_by(schema) else ()
        for key, value in schema.items():
            if key not in decided:
                yield from _alone(value)


def _decided_by(schema: Json) -> str | None:
    """The property that decides which member of a union is meant."""
    decides = schema.get("discriminator")
    return decides.get("propertyName") if isinstance(decides, dict) else None


def _has_missing(info: Any) -> bool:
    """Whether it is an enum that makes members of values that it does not list."""
    if type(info).__name__ != "EnumType":
        return False
    own = [cls for cls in info.cls.__mro__ if cls.__module__ != "enum"]
    return issubclass(info.cls, enum.Flag) or any("_missing_" in cls.__dict__ for cls in own)


def _model_schema(adapter: Any, result: bool) -> Json:
    generator = importlib.import_module("pydantic.json_schema").GenerateJsonSchema
    if not result:
        schema: Json = adapter.json_schema()
        _require_tags(schema, schema.get("$defs", {}), set(_alone(schema)))
        return schema

    class Complete(generator):  # type: ignore[misc, valid-type]
        def field_is_required(self, field: Any, total: bool) -> bool:
            of_a_class = field["type"] in ("model-field", "dataclass-field")
            return of_a_class or bool(super().field_is_required(field, total))

    return adapter.json_schema(  # type: ignore[no-any-return]
        mode="serialization", schema_generator=Complete
    )


def _require_tags(schema: Any, definitions: Json, alone: set[str]) -> None:
    """Make the tags that decide unions required: pydantic does not use their defaults there."""
    if isinstance(schema, list):
        for item in schema:
            _require_tags(item, definitions, alone)
    elif isinstance(schema, dict):
        if tag := _decided_by(schema):
            for name in {m.get("$ref", "").removeprefix("#/$defs/") for m in schema["oneOf"]}:
                if name in definitions and name not in alone:
                    required = definitions[name].setdefault("required", [])
                    required += [tag] if tag not in required else []
        for value in schema.values():
            _require_tags(value, definitions, alone)


def _line(described: Json) -> str:
    """An import's failure in one line, with the user's own line."""
    what = f"{described['errorType']}: {described['errorMessage']}".splitlines()[0]
    if described["errorType"] == "SystemExit":
        what = f"importing it ends Python: {described['errorMessage']}"
    own = described["stackTrace"][-1:]
    where = " ".join(own[0].split("\n")[0].split(", in ")[0].split()) if own else ""
    return f"{where}: {what}" if where else what


def _give_secrets() -> None:
    """Let secrets that a module reads when it is imported have values that stand for none."""
    prefix = "DEVBRIDGE_Secret_parameterName_"
    parameters = [value for key, value in os.environ.items() if key.startswith(prefix)]
    if parameters:
        with contextlib.suppress(ImportError):
            resources: Any = importlib.import_module("devbridge.resources")
            resources._secrets.update(dict.fromkeys(parameters, "secret"))


def main() -> None:
    """Describe the handlers that stdin names (job: handler, environment), a line of JSON each."""
    place, root, note = sys.argv[1:]
    sys.argv[:] = ["runner"]  # what a worker's modules see
    # What handlers print, now or while Python ends, must not be taken for an answer.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    handlers: dict[str, tuple[str, dict[str, str]]] = json.loads(sys.stdin.read())
    common = dict(os.environ)
    # Only `runner` may come from there: see runner.__main__.
    sys.path.insert(0, place)
    loading, failure = importlib.import_module("runner.loading"), sys.modules["runner.failure"]
    stuck = importlib.import_module("runner.stuck")
    importlib.import_module("runner.process").die_with_parent(os.getppid())
    sys.path.remove(place)
    _give_secrets()
    for job, (handler, environment) in handlers.items():
        os.environ.clear()
        os.environ.update({**common, **environment, "DEVBRIDGE_JOB_NAME": job})
        try:
            with stuck.noted(note):
                found = loading.load(handler, root)
            answer = describe(found, job)
        except BaseException as error:  # whatever the user's module raises
            answer = {"warning": _line(failure.describe(error, root))}
        out.write(json.dumps({"job": job, **answer}) + "\n")
        out.flush()
    # Threads that handlers started at import may never end.
    os._exit(0)


if __name__ == "__main__":
    main()
