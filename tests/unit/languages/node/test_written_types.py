from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

import msgspec
import pytest

from devbridge.languages.node.written_types import Writer


class Mode(enum.Enum):
    FIT = "fit"
    FILL = "fill"


class Options(TypedDict):
    fast: bool
    name: NotRequired[str]


class Pair(NamedTuple):
    a: int
    b: str = ""


@dataclasses.dataclass
class Tree:
    name: str
    children: list[Tree] = dataclasses.field(default_factory=list)


def written(schema: dict[str, Any], *, sent: bool) -> str:
    writer = Writer(schema, "JobPayload", sent=sent)
    text = writer.root()
    return " ".join((text + " ".join(writer.interfaces)).split())


@pytest.mark.parametrize(
    ("of", "sent", "received"),
    [
        (int, "number", "number"),
        (float | None, "number | null", "number | null"),
        (Any, "any", "unknown"),
        (list[str], "readonly string[]", "string[]"),
        (list[int | None], "readonly (number | null)[]", "(number | null)[]"),
        (list[list[int]], "readonly (readonly number[])[]", "number[][]"),
        (tuple[int, str], "readonly [number, string]", "[number, string]"),
        (Pair, "readonly [number, string?]", "[number, string?]"),
        (dict[str, int], "{ [key: string]: number; }", "{ [key: string]: number; }"),
        (dict[str, Any], "{ [key: string]: any; }", "{ [key: string]: unknown; }"),
        (Mode, '"fill" | "fit"', '"fill" | "fit"'),
        (Literal["a", 1, None], None, '1 | "a" | null'),
        (datetime.datetime, "string", "string"),
        (decimal.Decimal, "number | string", "number | string"),
        (
            Options,
            "{ fast: boolean; name?: string | undefined; }",
            "{ fast: boolean; name?: string; }",
        ),
    ],
)
def test_what_python_declares_is_written_in_typescript(
    of: Any, sent: str | None, received: str
) -> None:
    schema = msgspec.json.schema(of)
    if sent is not None:
        assert written(schema, sent=True) == sent
    assert written(schema, sent=False) == received


def test_what_is_inside_of_itself_gets_an_interface() -> None:
    tree = written(msgspec.json.schema(Tree), sent=False)
    expected = "{ name: string; children?: JobPayload_Tree[]; }"
    assert tree == f"JobPayload_Tree export interface JobPayload_Tree {expected}"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"enum": [1.5, True, None]}, "1.5 | true | null"),
        ({"const": "a"}, '"a"'),
        ({"type": ["string", "null"]}, "string | null"),
        ({"not": {}}, "never"),
        ({"allOf": [{"type": "string"}, {"type": ["number", "null"]}]}, "string & (number | null)"),
        ({"type": "array", "items": {}}, "unknown[]"),
        ({"type": "array", "prefixItems": [{"type": "null"}]}, "[null?, ...unknown[]]"),
        (
            {"type": "object", "properties": {"a-b": {}, "c": {}}, "required": ["c"]},
            '{ "a-b"?: unknown; c: unknown; }',
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "null", "description": "An a*/.\n\nMore"}},
            },
            "{ /** An a*\\/. */ a?: null; }",
        ),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, "string"),
        (
            {
                "$ref": "#/$defs/a",
                "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}},
            },
            "unknown",
        ),
    ],
)
def test_other_schemas(schema: dict[str, Any], expected: str) -> None:
    assert written(schema, sent=False) == expected
