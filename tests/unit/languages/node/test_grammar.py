"""Types as TypeScript writes them, and the JSON Schema of their values as JSON has them."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.languages.node.grammar import RECURSIVE, Note, read
from devbridge.languages.node.library import ANY, DATE

TEXT = {"type": "string"}
NUM = {"type": "number"}
BOOL = {"type": "boolean"}
NULL = {"type": "null"}


def schema(text: str, *, sent: bool = True) -> Any:
    return read(text, "payload", sent=sent).schema


def notes(text: str, *, sent: bool = True) -> list[tuple[str, str]]:
    return [(note.path, note.what) for note in read(text, "payload", sent=sent).notes]


def record(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    made = {"type": "object", "properties": {**required, **optional}}
    return {**made, "required": list(required)} if required else made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("string", TEXT),
        ("number;", NUM),
        ("boolean", BOOL),
        ("null", NULL),
        ("undefined", NULL),
        ("void", NULL),
        ("unknown", {}),
        ("any", {}),
        ("object", {}),
        ("{}", {}),
        ("never", {"not": {}}),
        ('"a"', {"enum": ["a"]}),
        ("-1.5", {"enum": [-1.5]}),
        ("1e+21", {"enum": [1e21]}),
        ("true", {"enum": [True]}),
        ('"a" | "b"', {"enum": ["a", "b"]}),
        ('"~a" | "~~b"', {"enum": ["a", "~b"]}),
        ("{ $devbridge: true; } | { $devbridge: false }", BOOL),
        ("{ a: { $devbridge: null } | undefined }", record({}, a=NULL)),
        ('| "a"\n| 1', {"enum": ["a", 1]}),
        ("true | false", BOOL),
        ('"a" | true | false', {"anyOf": [{"enum": ["a"]}, BOOL]}),
        ('1 | true | "1"', {"enum": ["1", True, 1]}),
        ("string | null", {"anyOf": [TEXT, NULL]}),
        ("null | string", {"anyOf": [TEXT, NULL]}),
        ("string | undefined", TEXT),
        ("string | any", {}),
        ("string | never", TEXT),
        ("string | (number | null)", {"anyOf": [NUM, TEXT, NULL]}),
        (r'"a\"\\\nb\u00e9\x41\ud83d\ude00"', None),
        ("`img-${string}`", TEXT),
        ("`${string & {\n readonly __brand: `x`;\n}}`", TEXT),
        ('string & { readonly __brand: "id" }', TEXT),
        ("Date", {"type": "string", "format": "date-time"}),
        ('{ "~number": "1" | "2" }', {"enum": [1, 2]}),
        ('{ "~number": "1" } | "a"', {"enum": ["a", 1]}),
        ('{ "~number": `${number & {}}` }', NUM),
    ],
)
def test_a_type_has_the_schema_of_its_json(text: str, expected: Any) -> None:
    if expected is None:
        assert schema(text) == {"enum": ['a"\\\nbéA\ud83d\ude00']}
    else:
        assert schema(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("string[]", {"type": "array", "items": TEXT}),
        ("readonly string[][]", {"type": "array", "items": {"type": "array", "items": TEXT}}),
        ("(string | null)[]", {"type": "array", "items": {"anyOf": [TEXT, NULL]}}),
        ("(string | undefined)[]", {"type": "array", "items": {"anyOf": [TEXT, NULL]}}),
        ("undefined[]", {"type": "array", "items": NULL}),
        ("Array<number>", {"type": "array", "items": NUM}),
        ("[]", {"type": "array", "minItems": 0, "maxItems": 0}),
        (
            "readonly [string, number?]",
            {"type": "array", "minItems": 1, "prefixItems": [TEXT, NUM], "maxItems": 2},
        ),
        (
            "[a: string, b?: number, ...rest: boolean[]]",
            {"type": "array", "minItems": 1, "prefixItems": [TEXT, NUM], "items": BOOL},
        ),
        ("[...string[]]", {"type": "array", "minItems": 0, "items": TEXT}),
        ("[...string[], number]", {"type": "array", "minItems": 0, "items": {}}),
    ],
)
def test_arrays_and_tuples(text: str, expected: Any) -> None:
    assert schema(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ a: string; b?: number | undefined; }", record({"a": TEXT}, b=NUM)),
        ("{ a: string, readonly 'b-c': null }", record({"a": TEXT, "b-c": NULL})),
        ("{ a: string | undefined; }", record({}, a=TEXT)),
        ("{ a: undefined; 12: string; }", record({"12": TEXT})),
        ("{ a?: never; b: string; }", record({"b": TEXT})),
        ("{ readonly: string; get: number; }", record({"readonly": TEXT, "get": NUM})),
        ("{ get half(): number; a: string }", record({"a": TEXT})),
        ("{ [x: string]: number; }", {"type": "object", "additionalProperties": NUM}),
        ("{ [x: string]: unknown; }", {"type": "object"}),
        (
            "{ [x: string]: string | number; a: string; }",
            {**record({"a": TEXT}), "additionalProperties": {"anyOf": [NUM, TEXT]}},
        ),
        ("{ [Symbol.iterator]?: bigint; a: string; }", record({"a": TEXT})),
        ("{ [Symbol.iterator](): Iterator<bigint>; a: string; }", record({"a": TEXT})),
        ("{ a: 1 } & { b?: 2 }", record({"a": {"enum": [1]}}, b={"enum": [2]})),
        (
            '{ kind: "a"; } | { kind: "b"; }',
            {
                "anyOf": [
                    record({"kind": {"enum": ["a"]}}),
                    record({"kind": {"enum": ["b"]}}),
                ]
            },
        ),
        ("{ a: { b: string }[] }", record({"a": {"type": "array", "items": record({"b": TEXT})}})),
        ("/* a comment */ { /** of a */ a: string }", record({"a": TEXT})),
    ],
)
def test_objects(text: str, expected: Any) -> None:
    assert schema(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bigint", [("payload", "is a bigint, which JSON does not have")]),
        ("{ a: 1n }", [("payload.a", "is a bigint, which JSON does not have")]),
        ("{ a: Map<string, Date> }", [("payload.a", "is a Map, which JSON does not have")]),
        ("Set<bigint>", [("payload", "is a Set, which JSON does not have")]),
        ("Promise<string>", [("payload", "is a Promise, which JSON does not have")]),
        ("Error", [("payload", "is an Error, which JSON does not have")]),
        ("Uint8Array<ArrayBuffer>", [("payload", "is a Uint8Array, which JSON does not have")]),
        ("ArrayBuffer", [("payload", "is an ArrayBuffer, which JSON does not have")]),
        ("{ f: () => bigint }", [("payload.f", "is a function, which JSON leaves out")]),
        (
            "{ f(a: (b: Date) => void): Date; }",
            [("payload.f", "is a function, which JSON leaves out")],
        ),
        ("{ f: new (a: string) => Date }", [("payload.f", "is a function, which JSON leaves out")]),
        ("{ f: <T>(a: T) => a is T }", [("payload.f", "is a function, which JSON leaves out")]),
        ("{ s: unique symbol }", [("payload.s", "is a symbol, which JSON leaves out")]),
        ("{ a: { b: any } }", [("payload.a.b", ANY)]),
        ("{ when: Date }", [("payload.when", DATE)]),
        ("{ a: /*elided*/ any[] }", [("payload.a", RECURSIVE)]),
        ('{ a: { "~recursive": 1; }[] }', [("payload.a", RECURSIVE)]),
        (
            'import("./x").Odd<string>',
            [("payload", "is import(./x).Odd<string>, which is not understood: it is not checked")],
        ),
        (
            "A extends B ? C : D",
            [("payload", "is a conditional type, which is not understood: it is not checked")],
        ),
        ("T[K]", [("payload", "is T[K], which is not understood: it is not checked")]),
        ("~", [("payload", "is not understood at 'its end': it is not checked")]),
        ("{ a: string", [("payload", "is not understood at 'its end': it is not checked")]),
    ],
)
def test_what_json_cannot_say_is_noted_with_its_path(text: str, expected: Any) -> None:
    assert notes(text) == expected


def test_a_result_is_made_into_json_so_that_any_and_dates_are_as_good_as_any_other() -> None:
    assert notes("{ a: any; b: Date; }", sent=False) == []
    assert notes("bigint", sent=False) == [("payload", "is a bigint, which JSON does not have")]


def test_the_same_is_noted_once() -> None:
    found = read("Date | Date", "payload", sent=True).notes
    assert found == [Note("payload", DATE)]


@given(
    st.text(st.sampled_from(string.ascii_letters + "{}[]()<>|&;:,?=.\"'`$ 1-~\\\n"), max_size=40)
)
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    assert isinstance(read(text, "payload", sent=True).schema, dict)
