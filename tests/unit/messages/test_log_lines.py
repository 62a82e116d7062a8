"""Lines that filter patterns of CloudWatch Logs match."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.messages.log_lines import EXAMPLE, line


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", EXAMPLE),
        ("ERROR", f"ERROR {EXAMPLE}"),
        ('ERROR "not found" 404', f"ERROR not found 404 {EXAMPLE}"),
        ('"say \\"no\\""', f'say "no" {EXAMPLE}'),
        ("?ERROR ?WARN", f"ERROR {EXAMPLE}"),
        ("ERROR -fatal", f"ERROR {EXAMPLE}"),
        ("ERROR -example", "ERROR"),
        ("ERROR -ERR", None),
        ("%[0-9]+%", None),
        ("[ip, user, ...]", None),
    ],
)
def test_a_line_has_the_terms_of_its_pattern(pattern: str, expected: str | None) -> None:
    assert line(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.level = "error" }', {"level": "error"}),
        ("{ $.level = error* }", {"level": "errortext"}),
        ('{ ($.a.b = 5) && ($.a.c != "x") }', {"a": {"b": 5, "c": "not x"}}),
        ("{ $.a > 5 && $.b <= 1.5 && $.c < 0 }", {"a": 6, "b": 1.5, "c": -1}),
        ("{ $.a = 1 || $.b = 2 }", {"a": 1}),
        ("{ $.a IS TRUE && $.b IS NULL && $.c NOT EXISTS }", {"a": True, "b": None}),
        ("{ $.a[0] = 1 }", None),
        ("{ $.a = %x% }", None),
    ],
)
def test_a_line_of_json_has_the_values_of_its_pattern(pattern: str, expected: Any) -> None:
    found = line(pattern)
    assert (None if found is None else json.loads(found)) == expected
