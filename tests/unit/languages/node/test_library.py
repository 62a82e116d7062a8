from __future__ import annotations

import pytest

from devbridge.languages.node.library import ANY, DATE, Known, known, left_out

NO = "which JSON does not have"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("string", Known({"type": "string"})),
        ("unknown", Known({})),
        ("undefined", Known(None)),
        ("any", Known({}, ANY, only_read=True)),
        ("Date", Known({"type": "string", "format": "date-time"}, DATE, only_read=True)),
        ("Function", Known(None, "is a function, which JSON leaves out")),
        ("symbol", left_out("symbol")),
        ("bigint", Known({}, f"is a bigint, {NO}")),
        ("WeakMap", Known({}, f"is a WeakMap, {NO}")),
        ("AggregateError", Known({}, f"is an AggregateError, {NO}")),
        ("BigUint64Array", Known({}, f"is a BigUint64Array, {NO}")),
        ("SharedArrayBuffer", Known({}, f"is a SharedArrayBuffer, {NO}")),
        ("URL", None),
        ("Mapping", None),
    ],
)
def test_what_json_makes_of_javascript_s_own_types(name: str, expected: Known | None) -> None:
    assert known(name) == expected
