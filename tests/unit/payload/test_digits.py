from __future__ import annotations

import dataclasses
import json
import math
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pydantic
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from devbridge.errors import PayloadNotJson
from devbridge.payload.digits import is_long, needs_text, number, problem, reader
from devbridge.payload.encode import dump
from runner import digits as of_runner
from tests.unit.payload.samples import decode

LONG = Decimal("0.12345678901234567890123456789012345678")


@dataclasses.dataclass
class Row:
    price: Decimal
    weight: float = 0.0
    more: Any = None
    prices: list[Decimal | None] = dataclasses.field(default_factory=list)
    by_name: dict[str, Decimal] = dataclasses.field(default_factory=dict)
    either: Decimal | float = 0.0
    pair: tuple[str, Decimal] | None = None


class Struct(msgspec.Struct):
    price: Decimal
    row: Row | None = None
    by_price: dict[Decimal, int] = {}


class Keys(typing_extensions.TypedDict):
    price: Decimal
    weight: float


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=True)
    price: Decimal = pydantic.Field(alias="thePrice", max_digits=4000)
    weight: float = 0.0
    more: Any = None
    inner: list[Model] | dict[str, Model | None] = []


@pydantic.dataclasses.dataclass
class Checked:
    price: Decimal
    of: Annotated[Model | None, "more"] = None


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    price: Decimal
    weight: float


def arrives(kind: Any, payload: Any) -> Any:
    return decode(kind, reader(kind)(dump(payload).encode()))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal(5), "5"),
        (Decimal("-0"), "-0"),
        (Decimal("5.00"), "5.00"),
        (Decimal("5E+2"), "500"),
        (Decimal("1E-7"), "1E-7"),
        (LONG, str(LONG)),
        (Decimal(10**37 + 1), str(10**37 + 1)),
        (
            {"a": [Decimal("1.10")], "b": (Decimal(2), {Decimal("0.5")})},
            '{"a":[1.10],"b":[2,[0.5]]}',
        ),
        ({Decimal("1.10"): 1, Decimal("5E+2"): 2}, '{"1.10":1,"500":2}'),
        (Row(Decimal(1), pair=("a", Decimal("2.0")), either=Decimal(3)), None),
        (Struct(Decimal("1.10")), '{"price":1.10,"row":null,"by_price":{}}'),
        (Struct(Decimal("1.10"), by_price={Decimal("2.5"): 1}), None),
        (
            Model(thePrice=Decimal("1.10")),
            '{"thePrice":"1.10","weight":0.0,"more":null,"inner":[]}',
        ),
    ],
)
def test_a_decimal_is_a_number_but_where_a_model_writes_it(value: Any, text: str | None) -> None:
    assert text is None or dump(value) == text
    json.loads(dump(value))


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_in_json_is_refused(value: str) -> None:
    with pytest.raises(PayloadNotJson, match=f"{value}, which JSON does not have"):
        dump({"a": [Decimal(value)]})


@pytest.mark.parametrize(
    "value", [lambda: 10**4300, lambda: -(10**5000), lambda: Decimal("1e4300")]
)
def test_a_number_that_python_does_not_read_is_refused_with_what_works(value: Any) -> None:
    with pytest.raises(PayloadNotJson, match="an integer of more than 4,300 digits") as caught:
        dump([value()])
    assert caught.value.remedy == "send it as text: hex(number), which int(text, 16) reads"
    assert int(json.loads(dump([hex(int(value()))]))[0], 16) == value()


def test_an_integer_is_long_only_outside_of_texts() -> None:
    assert is_long(f"[-{'1' * 4301}]")
    assert not is_long(f'["{"1" * 4301}", {"1" * 4300}]')
    assert json.loads(dump([10**4300 - 1])) == [10**4300 - 1]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20) | st.decimals())
def test_the_runner_writes_the_same(value: Decimal) -> None:
    assert problem(value) == of_runner.problem(value)
    if not problem(value):
        assert number(value) == of_runner.number(value)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_each_digit_arrives_where_a_decimal_is_declared(value: Decimal) -> None:
    for kind in (Decimal, Row, Struct, Keys, Model, Checked, dict[str, Decimal], list[Decimal]):
        payload: Any = {"price": value, "weight": 0.5}
        if kind in (Decimal, list[Decimal]):
            payload = value if kind is Decimal else [value]
        if kind == dict[str, Decimal]:
            payload = {"price": value}
        found = arrives(kind, payload)
        if kind in (Keys, dict[str, Decimal]):
            found = found["price"]
        elif kind == list[Decimal]:
            (found,) = found
        elif kind is not Decimal:
            found = found.price
        assert (found, type(found)) == (value, Decimal), kind
        exponent = value.as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent >= 0 or found.as_tuple() == value.as_tuple(), kind


def test_other_numbers_stay_floats_and_integers() -> None:
    more = {"a": [Decimal("1.5"), Decimal(2)]}
    row = arrives(Row, {"price": 1, "weight": LONG, "more": more, "either": Decimal("1.5")})
    assert row == Row(Decimal(1), float(LONG), {"a": [1.5, 2]}, either=1.5)
    assert [*map(type, (row.weight, row.more["a"][0], row.either))] == [float, float, float]
    assert arrives(Strict, {"price": LONG, "weight": Decimal("0.5")}) == Strict(
        price=LONG, weight=0.5
    )
    model = arrives(Model, {"thePrice": 1, "more": [LONG], "inner": {"a": {"thePrice": LONG}}})
    assert model.more == [float(LONG)]
    assert model.inner["a"].price == LONG
    row = arrives(
        Row, {"price": 1, "prices": [LONG, None], "by_name": {"a": LONG}, "pair": ["a", LONG]}
    )
    assert (row.prices, row.by_name, row.pair) == ([LONG, None], {"a": LONG}, ("a", LONG))


@pytest.mark.parametrize(
    "payload", [Row(LONG), Struct(LONG, Row(LONG), {LONG: 1}), Model(thePrice=LONG)]
)
def test_an_instance_arrives_as_it_was(payload: Any) -> None:
    assert arrives(type(payload), payload) == payload


def test_what_declares_no_decimal_reads_as_always() -> None:
    assert reader(float) is json.loads
    assert reader(Any) is json.loads
    assert math.isclose(decode(Decimal, 0.1), Decimal("0.1"))


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("[1, 1.5, 5.0, 100, 10.05]", False),
        ('{"a": "text", "b": 1e5}', False),
        ("1.50", True),
        ("[0.12345678901234567890]", True),
        ("12345678901234567.5", True),
    ],
)
def test_a_text_is_kept_as_one_where_digits_could_be_lost(text: str, needed: bool) -> None:
    assert needs_text(text) is needed
    assert needed or json.dumps(json.loads(text))
