"""From the JSON Schema of a type to what a payload is checked with before it is sent. Pure.

The result refuses what the handler's side would surely refuse, and nothing that it would accept:
what only one side could judge is left out. It is JSON Schema draft 4, whose integers have no point,
as msgspec's have none.
"""

from __future__ import annotations

import re
import warnings
from typing import Any, Final

from devbridge.payload.check import LINE_END

Json = dict[str, Any]

_KEPT: Final = (
    "$ref",
    "required",
    "minItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
)
_NUMBER_TEXT: Final = r"^\s*[+-]?([Ii][Nn][Ff]|[Nn][Aa][Nn]|[\d.])[\w.+-]*\s*\Z"
_BOOL_TEXT: Final = r"(?i)^(0|off|f|false|n|no|1|on|t|true|y|yes)\Z"


def accepted(schema: Json | bool, by: str) -> Json:
    """The schema to check with.

    Args:
        schema: as msgspec or pydantic make it.
        by: who decides on the handler's side: ``msgspec``, strictly; ``pydantic`` takes "5" and
            5.0 for 5.
    """
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    lax = by == "pydantic"
    made: Json = {key: schema[key] for key in _KEPT if key in schema}
    made |= _lengths(schema) | _bounds(schema) | _parts(schema, by)
    values = schema.get("enum") or [schema[key] for key in ("const",) if key in schema]
    if not values:
        made |= _type(schema, lax)
    elif not lax or all(isinstance(value, str) for value in values):
        made["enum"] = values
    return made


def _lengths(schema: Json) -> Json:
    made: Json = {}
    # a set is made of a list that may be longer
    if "maxItems" in schema and not schema.get("uniqueItems"):
        made["maxItems"] = schema["maxItems"]
    # of bytes, pydantic counts the bytes and not the characters
    if schema.get("format") not in ("binary", "base64url"):
        made |= {key: schema[key] for key in ("minLength", "maxLength") if key in schema}
    pattern = schema.get("pattern")
    return made | _pattern(pattern) if isinstance(pattern, str) else made


def _bounds(schema: Json) -> Json:
    made: Json = {}
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if exclusive in schema:
            made |= {bound: schema[exclusive], exclusive: True}
    # with fractions, what is a multiple is a matter of rounding
    if schema.get("type") == "integer" and isinstance(schema.get("multipleOf"), int):
        made["multipleOf"] = schema["multipleOf"]
    return made


def _parts(schema: Json, by: str) -> Json:
    """What has schemas inside."""
    made: Json = {}
    for several, key in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        if several in schema:
            made[key] = [accepted(item, by) for item in schema[several]]
    for several in ("properties", "$defs"):
        if several in schema:
            made[several] = {k: accepted(item, by) for k, item in schema[several].items()}
    others = schema.get("additionalProperties", True)
    if "patternProperties" not in schema and others is not True:
        made["additionalProperties"] = others and accepted(others, by)
    if "prefixItems" in schema:
        made["items"] = [accepted(item, by) for item in schema["prefixItems"]]
    elif isinstance(schema.get("items"), dict):
        made["items"] = accepted(schema["items"], by)
    return made


def _type(schema: Json, lax: bool) -> Json:
    kind = schema.get("type")
    if kind is None:
        return {}
    if kind == "string" and schema.get("format") == "decimal":
        return {"type": ["string", "number"]}
    if lax and kind in ("integer", "number"):
        text = {"type": "string", "pattern": _NUMBER_TEXT}
        return {"anyOf": [{"type": ["number", "boolean"]}, text]}
    if lax and kind == "boolean":
        text = {"type": "string", "pattern": _BOOL_TEXT}
        return {"anyOf": [{"type": ["number", "boolean"]}, text]}
    if lax and kind == "string" and "format" in schema:
        # dates and durations may be numbers of seconds
        return {"type": ["string", "number", "boolean"]}
    return {"type": kind}


def _pattern(pattern: str) -> Json:
    # fastjsonschema takes '$' for the very end; re, and so msgspec, allows a newline behind it
    body = pattern.removesuffix("$")
    escapes = len(body) - len(body.rstrip("\\"))
    if body != pattern and escapes % 2 == 0:
        pattern = body + LINE_END
    if "$" in pattern:
        return {}
    try:
        # Rust's syntax, which pydantic uses, has [[:alpha:]] and [a-z--b]: to re they are a mistake
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            re.compile(pattern)
    except (re.error, FutureWarning):
        return {}
    return {"pattern": pattern}
