"""Check payloads where they are sent, by the JSON Schemas that a function's zip carries.

The types themselves are not there: importing a job's module could cost seconds and packages that
the function has not. The file is made when the function is packaged, see `devbridge.types.schemas`.
Standard library, and fastjsonschema once there is something to check.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from devbridge.errors import PayloadInvalid

FILE: Final = "devbridge-schemas.json"
"""The file's name, at the root of the zip: job name -> JSON Schema."""
VARIABLE: Final = "DEVBRIDGE_SCHEMAS"
"""The environment variable that names another file."""

Check = Callable[[Any], None]
_DRAFT: Final = "http://json-schema.org/draft-04/schema#"
"""Of all drafts the one where 5.0 is no integer, as it is none for msgspec."""
LINE_END: Final = r"\n?\Z"
"""What '$' at the end of a pattern means; fastjsonschema takes it for the very end."""
_NAMES: Final = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "null",
    "array": "array",
    "object": "object",
}


def check(job: str, value: Any) -> None:
    """Refuse a payload that the job's handler would refuse. Does nothing where no schema is known.

    Args:
        job: its name, with '-' or '_'.
        value: the payload as JSON has it: what ``json.loads`` gives.

    Raises:
        PayloadInvalid: it is not what the handler declares; the path inside it is named.
    """
    if wanted := checker(job):
        wanted(value)


def checker(job: str, file: str | None = None) -> Check | None:
    """`check` for one job; None where its payload can be anything. Made once, until the file is
    another: a live function's worker outlives a save.

    Args:
        file: with the schemas; None for the one that this process was given.
    """
    path = os.environ.get(VARIABLE) if file is None else file
    if path is None:
        path = os.path.join(os.environ.get("LAMBDA_TASK_ROOT", ""), FILE)  # noqa: PTH118
    return _checker(path, _version(path), job.replace("-", "_"))


def schema(job: str, file: str) -> Mapping[str, Any] | None:
    """The JSON Schema of a job's payload; None where it is not known.

    Args:
        job, file: as `checker` has them.
    """
    named = _schemas(file, _version(file)).get(job.replace("-", "_"))
    return None if named is None else named[1]


Version = tuple[int, int]
"""What another file of the same name has not: its inode, and when it was written, in ns."""


def _version(path: str) -> Version | None:
    """None: there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


@functools.lru_cache(maxsize=256)
def _checker(path: str, version: Version | None, job: str) -> Check | None:
    named = _schemas(path, version).get(job)
    return None if named is None else compiled(*named)


@functools.lru_cache(maxsize=8)
def _schemas(path: str, version: Version | None) -> dict[str, tuple[str, Any]]:
    if version is None:
        return {}
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return {named[0].replace("-", "_"): named for named in json.load(file).items()}


def compiled(job: str, schema: Mapping[str, Any]) -> Check:
    """What checks payloads of `job` by a schema of `devbridge.types.sender_schema`."""
    validate = _compile(schema)

    def check_payload(value: Any) -> None:
        if problem := validate(value, "$"):
            path, what = problem
            raise PayloadInvalid(
                f"the payload is not what job {job!r} takes: {what}",
                where=path,
                remedy="send what its handler declares ($ is the payload itself)",
            )

    return check_payload


Validate = Callable[[Any, str], tuple[str, str] | None]
"""Of a value and its path: the path of the first problem in it, and what that is."""


def _compile(schema: Mapping[str, Any]) -> Validate:
    import fastjsonschema

    validate = fastjsonschema.compile(
        {"$schema": _DRAFT, **schema}, use_default=False, use_formats=False
    )

    def problem(value: Any, path: str) -> tuple[str, str] | None:
        try:
            validate(value, name_prefix=path)
        except fastjsonschema.JsonSchemaValueException as error:
            at = error.name or path
            if error.rule == "anyOf":
                if inner := _meant(error.definition, error.value, schema):
                    return _compile(inner)(error.value, at)
                if tag := _tag(error.definition, error.value, schema):
                    return _wrong_tag(tag, error.value, at)
            return at, _explain(error, schema)
        return None

    return problem


def _meant(definition: Any, value: Any, root: Mapping[str, Any]) -> dict[str, Any] | None:
    """The one member of a union that a value can be meant for, to say what is wrong with it."""
    members = [_resolved(member, root) for member in definition["anyOf"]]
    fitting = [m for m in members if _json_type(value) in _types(m) and _tags_fit(m, value, root)]
    return {**fitting[0], "$defs": root.get("$defs", {})} if len(fitting) == 1 else None


def _resolved(schema: Any, root: Mapping[str, Any]) -> Any:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _tags_fit(schema: Any, value: Any, root: Mapping[str, Any]) -> bool:
    """Whether an object has the texts that are the only ones which the schema allows."""
    if not isinstance(value, dict):
        return True
    return all(
        value.get(key) in allowed
        for key, member in schema.get("properties", {}).items()
        if key in value or key in schema.get("required", ())
        if len(allowed := _resolved(member, root).get("enum", ())) == 1
    )


def _tag(definition: Any, value: Any, root: Mapping[str, Any]) -> str | None:
    """The key of an object whose text decides which member of a union it is meant for."""
    members = [_resolved(member, root) for member in definition["anyOf"]]
    objects = [member for member in members if "properties" in member]
    if not isinstance(value, dict) or not objects:
        return None
    for key in objects[0]["properties"]:
        if key not in value and not all(key in m.get("required", ()) for m in objects):
            continue
        decides = [_resolved(m["properties"].get(key, {}), root).get("enum", ()) for m in objects]
        if all(len(texts) == 1 and value.get(key) not in texts for texts in decides):
            return str(key)
    return None


def _wrong_tag(tag: str, value: Any, at: str) -> tuple[str, str]:
    """In msgspec's words."""
    if tag in value:
        return f"{at}.{tag}", f"Invalid value {value[tag]!r}"
    return at, f"Object missing required field `{tag}`"


def _types(schema: Any) -> list[str]:
    """The JSON types that a schema allows; an integer is a number as well."""
    if "enum" in schema:
        return [_json_type(value) for value in schema["enum"]]
    kinds = schema.get("type", [*_NAMES])
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    return [*kinds, "integer"] if "number" in kinds else kinds


def _json_type(value: Any) -> str:  # noqa: PLR0911
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _explain(error: Any, root: Mapping[str, Any]) -> str:
    """In msgspec's words where it has some, since the handler's side would use those."""
    definition, value = error.definition, error.value
    if error.rule == "required":
        missing = next(name for name in definition["required"] if name not in value)
        return f"Object missing required field `{missing}`"
    if error.rule == "additionalProperties" and isinstance(value, dict):
        extra = next(iter(value.keys() - definition.get("properties", {}).keys()), "")
        return f"Object contains unknown field `{extra}`"
    if error.rule == "enum" and _json_type(value) in _types(definition):
        return f"Invalid value {value!r}, expected one of {definition['enum']!r}"
    if error.rule == "pattern":
        pattern = definition["pattern"]
        end = pattern.removesuffix(LINE_END)
        return f"Expected `str` matching regex {end + '$' if end != pattern else pattern!r}"
    if error.rule in ("type", "enum", "anyOf"):
        members = definition["anyOf"] if error.rule == "anyOf" else [definition]
        kinds = [kind for m in members for kind in _expected(_resolved(m, root))]
        return (
            f"Expected `{' | '.join(dict.fromkeys(kinds))}`, got `{_NAMES[_json_type(value)]}`"
            if kinds and _json_type(value) not in kinds
            else f"Invalid value {value!r}"
        )
    return str(error.message).removeprefix(str(error.name)).strip()


def _expected(schema: Any) -> list[str]:
    if "enum" in schema:
        return [_NAMES[kind] for kind in _types(schema)]
    kinds = schema.get("type", [])
    return [_NAMES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
