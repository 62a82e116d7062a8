"""Beside these, `tests.unit.payload.test_digits` compares it with what devbridge writes."""

from __future__ import annotations

from decimal import Decimal
from json import dumps

import pytest

from runner.digits import Digits, is_decimal, is_long


def test_a_decimal_is_written_as_a_number_beside_any_text() -> None:
    digits = Digits()
    text = dumps({"a": [Decimal("1.10"), "1.10"], "b": '"quoted"'}, default=digits)
    assert digits.written(text) == r'{"a": [1.10, "1.10"], "b": "\"quoted\""}'


def test_what_is_no_decimal_is_nobodys() -> None:
    with pytest.raises(TypeError):
        dumps(object(), default=Digits())
    assert not is_decimal(1.5)


def test_keys_are_text() -> None:
    value = {Decimal("1.10"): ({Decimal(2): None},), 3: []}
    assert Digits().with_text_keys(value) == {"1.10": [{"2": None}], 3: []}


def test_an_integer_is_long_from_4301_digits_on() -> None:
    assert is_long(10**4300)
    assert is_long(-(10**4300))
    assert not is_long(10**4300 - 1)
    assert not is_long(0)
