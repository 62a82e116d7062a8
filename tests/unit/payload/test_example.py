from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from devbridge.payload.example import example


class Size(Enum):
    SMALL = "small"


@dataclass
class Pet:
    dog: str
    friends: list[Pet]
    size: Size = Size.SMALL


@dataclass
class Order:
    pet: Pet
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    day: date
    key: UUID
    kind: Literal["a", "b"]
    count: Annotated[int, msgspec.Meta(ge=10, le=20)]
    few: Annotated[float, msgspec.Meta(lt=0)]
    code: Annotated[str, msgspec.Meta(min_length=6)]
    pair: tuple[int, bool]
    some: Annotated[list[int], msgspec.Meta(min_length=2)]
    maybe: str | None
    note: str = ""


@pytest.mark.parametrize(
    "kind", [Order, Pet, int, str, bool, float, None, list[Order], dict[str, int], Any, Size]
)
def test_it_is_something_that_the_type_takes(kind: Any) -> None:
    schema = msgspec.json.schema(kind)
    msgspec.convert(example(schema), kind, strict=True)


def test_it_has_what_is_required_and_no_more() -> None:
    schema = msgspec.json.schema(Order)
    assert example(schema)["pet"] == {"dog": "text", "friends": []}
    assert "note" not in example(schema)


def test_a_type_that_contains_itself_has_an_end() -> None:
    schema = {"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "required": ["next"]}}}
    schema["$defs"]["N"]["properties"] = {"next": {"$ref": "#/$defs/N"}}  # type: ignore[index]
    value = example(schema)
    while value is not None:
        value = value["next"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -3, "minimum": -9}, -3),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": ["integer", "null"]}, 1),
        ({"const": 4}, 4),
        ({"default": "d"}, "d"),
        ({"examples": ["e"]}, "e"),
        ({"oneOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({}, {}),
    ],
)
def test_limits_defaults_and_examples_are_heeded(schema: dict[str, Any], value: Any) -> None:
    assert example(schema) == value


@pytest.mark.parametrize(
    "schema",
    [
        {"examples": {"small": {"num": 1}}},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"anyOf": [True]},
        {"type": "integer", "minimum": "1"},
    ],
)
def test_of_what_cannot_be_understood_it_is_an_empty_object(schema: dict[str, Any]) -> None:
    assert example(schema) == {}
