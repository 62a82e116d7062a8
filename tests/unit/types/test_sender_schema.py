from __future__ import annotations

from typing import Any

import pytest

from devbridge.payload.check import LINE_END
from devbridge.types.sender_schema import accepted

STRING = {"type": "string"}
RANGE = {"type": "integer", "minimum": 1, "maximum": 5}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        (True, {}),
        (False, {"not": {}}),
        ({"title": "A", "description": "b", "default": 1}, {}),
        (
            {"type": "integer", "minimum": 1, "maximum": 5},
            {"type": "integer", "minimum": 1, "maximum": 5},
        ),
        (
            {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 5},
            {
                **{"type": "integer", "minimum": 1, "exclusiveMinimum": True},
                **{"maximum": 5, "exclusiveMaximum": True},
            },
        ),
        ({"type": "integer", "multipleOf": 5}, {"type": "integer", "multipleOf": 5}),
        ({"type": "number", "multipleOf": 0.5}, {"type": "number"}),
        ({"type": "integer", "multipleOf": 0.5}, {"type": "integer"}),
        ({**STRING, "minLength": 1, "maxLength": 5}, {**STRING, "minLength": 1, "maxLength": 5}),
        ({**STRING, "format": "binary", "maxLength": 5}, STRING),
        ({**STRING, "format": "base64url", "minLength": 1}, STRING),
        ({**STRING, "format": "decimal"}, {"type": ["string", "number"]}),
        ({**STRING, "format": "date"}, STRING),
        ({"type": "array", "maxItems": 3}, {"type": "array", "maxItems": 3}),
        (
            {"type": "array", "maxItems": 3, "minItems": 1, "uniqueItems": True},
            {"type": "array", "minItems": 1},
        ),
        ({"type": "array", "items": STRING}, {"type": "array", "items": STRING}),
        (
            {"type": "array", "prefixItems": [STRING, {}], "items": False},
            {"type": "array", "items": [STRING, {}]},
        ),
        ({"enum": ["a", 1]}, {"enum": ["a", 1]}),
        ({"const": 1, "type": "integer"}, {"enum": [1]}),
        ({"oneOf": [STRING, True]}, {"anyOf": [STRING, {}]}),
        ({"allOf": [{"$ref": "#/$defs/A"}]}, {"allOf": [{"$ref": "#/$defs/A"}]}),
        ({"$defs": {"A": {"title": "A", **STRING}}}, {"$defs": {"A": STRING}}),
        (
            {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
            {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
        ),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"additionalProperties": {**STRING, "title": "A"}}, {"additionalProperties": STRING}),
        ({"additionalProperties": True}, {}),
        ({"additionalProperties": False, "patternProperties": {"x": True}}, {}),
    ],
)
def test_what_msgspec_decides_is_checked_as_far_as_draft_4_can_say_it(
    schema: Any, made: dict[str, Any]
) -> None:
    assert accepted(schema, "msgspec") == made


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "integer"}, ["number", "boolean"]),
        ({"type": "number"}, ["number", "boolean"]),
        ({"type": "boolean"}, ["number", "boolean"]),
    ],
)
def test_pydantic_takes_a_number_or_its_text(schema: Any, types: list[str]) -> None:
    number, text = accepted(schema, "pydantic")["anyOf"]
    assert number == {"type": types}
    assert text["type"] == "string"


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        (STRING, STRING),
        ({**STRING, "format": "date"}, {"type": ["string", "number", "boolean"]}),
        ({**STRING, "format": "decimal"}, {"type": ["string", "number"]}),
        ({"enum": ["a", "b"]}, {"enum": ["a", "b"]}),
        ({"enum": [1, "b"]}, {}),
        ({"const": 1}, {}),
        ({"type": "null"}, {"type": "null"}),
    ],
)
def test_what_pydantic_might_convert_is_not_refused(schema: Any, made: dict[str, Any]) -> None:
    assert accepted(schema, "pydantic") == made


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("^a+", "^a+"),
        ("^a+$", f"^a+{LINE_END}"),
        (r"^a\\$", rf"^a\\{LINE_END}"),
        (r"^a\$", None),
        ("^(a$|b)", None),
        ("[[:alpha:]]", None),
        ("[a-z--b]", None),
        ("(", None),
    ],
)
def test_a_pattern_is_checked_only_where_both_sides_read_it_alike(
    pattern: str, made: str | None
) -> None:
    assert accepted({**STRING, "pattern": pattern}, "msgspec").get("pattern") == made
