from __future__ import annotations

from typing import Any

import pytest

from devbridge.languages.node.unions import intersection, union

TEXT: dict[str, Any] = {"type": "string"}
NUM: dict[str, Any] = {"type": "number"}
NULL: dict[str, Any] = {"type": "null"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([], {"not": {}}),
        ([TEXT, TEXT], TEXT),
        ([{"anyOf": [NULL, TEXT]}, NUM], {"anyOf": [NUM, TEXT, NULL]}),
        ([{"enum": [1]}, {"enum": [True]}, {"enum": [1]}], {"enum": [True, 1]}),
        ([{"enum": [False]}, TEXT, {"enum": [True]}], {"anyOf": [{"type": "boolean"}, TEXT]}),
        ([TEXT, {}], {}),
        ([{"enum": [10]}, {"enum": ["b", 2, "a"]}], {"enum": ["a", "b", 2, 10]}),
    ],
)
def test_a_union_is_as_short_as_it_can_be(members: list[Any], expected: Any) -> None:
    assert union(members) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([TEXT, {"type": "object", "properties": {"brand": {}}}], TEXT),
        ([{"type": "object", "properties": {}}, {"enum": ["a"]}], {"enum": ["a"]}),
        ([{}, {}], {}),
        (
            [{}, {"type": "object", "properties": {"a": TEXT}}],
            {"type": "object", "properties": {"a": TEXT}},
        ),
        (
            [
                {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
                {"type": "object", "properties": {"a": NUM, "b": NUM}, "required": ["a", "b"]},
            ],
            {
                "type": "object",
                "properties": {"a": {"allOf": [TEXT, NUM]}, "b": NUM},
                "required": ["a", "b"],
            },
        ),
        (
            [{"type": "array", "items": TEXT}, {"type": "object", "properties": {"a": TEXT}}],
            {
                "allOf": [
                    {"type": "array", "items": TEXT},
                    {"type": "object", "properties": {"a": TEXT}},
                ]
            },
        ),
    ],
)
def test_an_intersection_is_all_of_its_members(members: list[Any], expected: Any) -> None:
    assert intersection(members) == expected
