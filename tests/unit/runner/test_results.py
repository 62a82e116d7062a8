from __future__ import annotations

import dataclasses
import datetime
import json
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.failure import ResultNotJson
from runner.results import encode


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process whose handler does not import devbridge."""
    monkeypatch.delitem(sys.modules, "devbridge.payload.encode", raising=False)


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
TEXT = st.text(st.characters())


@given(st.recursive(LEAVES | TEXT, lambda s: st.lists(s) | st.dictionaries(TEXT, s)))
def test_every_json_value_is_encoded_as_itself(value: Any) -> None:
    assert json.loads(encode(value).decode()) == value


def test_a_lone_surrogate_survives_as_an_escape() -> None:
    assert encode("\ud800€") == b'"\\ud800\\u20ac"'


def test_text_is_not_escaped_without_need() -> None:
    assert encode({"a": "€\u2028"}) == '{"a":"€\u2028"}'.encode()


def circular() -> Any:
    one: dict[str, Any] = {}
    one["me"] = [one]
    return one


def deep() -> Any:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


LONG = (
    "an integer of more than 4,300 digits, which Python does not read: return it as text:"
    " hex(number), which int(text, 16) reads"
)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (datetime.date(2024, 1, 1), "result is of type datetime.date, which JSON does not have"),
        ({"a": [1, {"b": {2}}]}, "result['a'][1]['b'] is of type set, which JSON does not have"),
        (b"x", "result is of type bytes, which JSON does not have"),
        ([Decimal("NaN")], "result[0] is NaN, which JSON does not have"),
        ({"a": Decimal("-Infinity")}, "result['a'] is -Infinity, which JSON does not have"),
        ({Decimal("NaN"): 1}, "a key of result is NaN, which JSON does not have"),
        ([Decimal("1" * 400 + ".5")], f"result[0] is {'1' * 400}.5, larger than every float"),
        ([Decimal("1e5000")], f"result[0] is {LONG}"),
        ({"a": [10**4300]}, f"result['a'][0] is {LONG}"),
        ({"a": -(10**5000)}, f"result['a'] is {LONG}"),
        ({"a": float("nan")}, "result['a'] is nan, which JSON does not have"),
        ((1, float("-inf")), "result[1] is -inf, which JSON does not have"),
        ({(1, 2): 3}, "result has the key (1, 2) of type tuple; keys must be text"),
        (circular(), "result['me'][0] contains itself"),
        (deep(), "the result is nested too deeply for JSON"),
    ],
)
@pytest.mark.usefixtures("plain")
def test_a_value_that_json_does_not_have_is_named_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(ResultNotJson) as raised:
        encode(value)
    assert str(raised.value) == message


@pytest.mark.usefixtures("plain")
def test_decimals_are_numbers() -> None:
    found = encode({"n": Decimal(5), "of": [Decimal("1.10")], Decimal("2.50"): (Decimal("-0"),)})
    assert found == b'{"n":5,"of":[1.10],"2.50":[-0]}'


def test_a_number_that_python_would_not_read_is_no_result_though_the_limit_was_lifted() -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(ResultNotJson, match="an integer of more than 4,300 digits"):
            encode([10**4300])
        assert encode(["1" * 5000]) == b'["%b"]' % (b"1" * 5000)
        assert encode([10**4300 - 1]) == b"[%b]" % (b"9" * 4300)
    finally:
        sys.set_int_max_str_digits(limit)


@dataclasses.dataclass
class Item:
    due: datetime.date


def test_a_handler_that_uses_devbridge_may_return_what_a_payload_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from devbridge.payload import encode as payloads

    monkeypatch.setitem(sys.modules, "devbridge.payload.encode", payloads)
    assert (
        encode([Item(datetime.date(2026, 1, 2)), {"a": {3}}]) == b'[{"due":"2026-01-02"},{"a":[3]}]'
    )
    with pytest.raises(ResultNotJson, match=r"result\[0\]\['due'\] is of type object"):
        encode([Item(object())])  # type: ignore[arg-type]


@pytest.mark.usefixtures("plain")
def test_a_plain_handler_returns_json_only() -> None:
    with pytest.raises(ResultNotJson, match="Item"):
        encode(Item(datetime.date(2026, 1, 2)))
