"""An example of a payload, made of its schema: what is typed to try a job. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_DEEPEST: Final = 8
"""Objects in objects; a type may contain itself."""
_FORMATS: Final = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00",
    "duration": "PT1H",
    "uuid": "8f507cfc-1b2c-4697-b07a-ac58fc914c95",
    "email": "jane@example.com",
    "uri": "https://example.com",
}


def example(schema: Mapping[str, Any]) -> Any:
    """A small value that the schema takes as far as that is easy to see: what is required, with the
    schema's own defaults and examples. A pattern, for one, is not heeded. ``{}`` where the app has
    put into the schema what cannot be understood."""
    try:
        return _of(schema, schema.get("$defs", {}), _DEEPEST)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _of(schema: Mapping[str, Any], definitions: Mapping[str, Any], left: int) -> Any:
    if reference := schema.get("$ref"):
        return _of(definitions[reference.rpartition("/")[2]], definitions, left - 1)
    given = [schema[key] for key in ("const", "default") if key in schema]
    given += [first for key in ("examples", "enum") for first in schema.get(key, ())[:1]]
    if given:
        return given[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _of(schema[key][0], definitions, left)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind in ("object", "array"):
        return _filled(kind, schema, definitions, left - 1) if left > 0 else None
    return _plain(kind, schema)


def _filled(kind: str, schema: Mapping[str, Any], definitions: Mapping[str, Any], left: int) -> Any:
    if kind == "object":
        of = schema.get("properties", {})
        return {
            name: _of(of.get(name, {}), definitions, left) for name in schema.get("required", ())
        }
    firsts = schema.get("prefixItems", ())
    rest = schema.get("minItems", 0) - len(firsts)
    items = [*firsts, *[schema.get("items") or {}] * rest]
    return [_of(item, definitions, left) for item in items]


def _plain(kind: str, schema: Mapping[str, Any]) -> Any:
    if kind == "string":
        text = _FORMATS.get(schema.get("format", ""), "text")
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    if kind in ("integer", "number"):
        lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        value = max(1, lowest) if {"minimum", "exclusiveMinimum"} & schema.keys() else 1
        return min(value, schema.get("maximum", schema.get("exclusiveMaximum", value + 1) - 1))
    return True if kind == "boolean" else None
