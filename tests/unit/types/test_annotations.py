from __future__ import annotations

import ast
from typing import Any

import pytest

from devbridge.constructs import App
from devbridge.types.annotations import Annotations

INT = {"type": "integer"}


ITEM = {"type": "object", "properties": {"a": INT}, "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "sent", "received"),
    [
        ({}, "Any", "Any"),
        ({"type": "null"}, "None", "None"),
        ({"type": "number"}, "float", "float"),
        ({"type": "string", "format": "date-time"}, "str", "str"),
        ({"type": "string", "format": "decimal"}, "float | str", "float | str"),
        ({"type": "array"}, "_Array[Any]", "list[Any]"),
        ({"type": "array", "items": INT}, "_Array[int]", "list[int]"),
        (
            {"type": "array", "prefixItems": [INT, {}], "minItems": 2, "maxItems": 2},
            "tuple[int, Any] | _List[Any]",
            "list[Any]",
        ),
        (
            {"type": "array", "prefixItems": [INT, INT], "minItems": 1, "maxItems": 2},
            "_Array[Any]",
            "list[Any]",
        ),
        ({"type": "object"}, "Mapping[str, Any]", "dict[str, Any]"),
        (
            {"type": "object", "additionalProperties": INT},
            "Mapping[str, int]",
            "dict[str, int]",
        ),
        ({**ITEM, "additionalProperties": True}, "Mapping[str, Any]", "dict[str, Any]"),
        ({"anyOf": [{"type": "null"}, INT, INT]}, "int | None", "int | None"),
        ({"oneOf": [INT, {}]}, "Any", "Any"),
        ({"type": ["string", "null"]}, "str | None", "str | None"),
        ({"enum": ["a", 1, None]}, "Literal['a', 1, None]", "Literal['a', 1, None]"),
        ({"const": 1.5}, "float", "float"),
        ({"enum": [{"a": 1}]}, "Any", "Any"),
    ],
)
def test_annotations(schema: dict[str, Any], sent: str, received: str) -> None:
    assert Annotations().of(schema, "J", "P", sent=False) == received
    assert Annotations().of(schema, "J", "P", sent=True) == sent


def test_a_key_that_is_the_name_of_a_type_hides_none() -> None:
    file = Annotations()
    properties = {"int": INT, "other": INT}
    file.of({"type": "object", "properties": properties, "required": []}, "J", "P", sent=False)
    assert file.definitions == [
        'JP = TypedDict(\n    "JP",\n    {\n        "int": NotRequired[int],\n'
        '        "other": NotRequired[int],\n    },\n)\n'
    ]


def test_a_list_of_itself_ends(app: App) -> None:
    schema = {
        "$ref": "#/$defs/A",
        "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}},
    }
    assert Annotations().of(schema, "J", "P", sent=False) == "list[Any]"


def defined(stub: str) -> set[str]:
    return {
        node.name
        for node in ast.parse(stub).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }


def attributes(stub: str, name: str) -> dict[str, str]:
    (found,) = (
        node
        for node in ast.parse(stub).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    return {
        ast.unparse(item.target): ast.unparse(item.annotation)
        for item in found.body
        if isinstance(item, ast.AnnAssign)
    }
