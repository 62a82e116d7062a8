from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import pathlib
import typing
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Never, NewType

import attrs
import msgspec
import pydantic
import pytest
import typing_extensions

from devbridge.errors import InvalidValue, PayloadInvalid
from devbridge.payload.decode import decoder
from devbridge.payload.encode import dump
from tests.unit.payload.samples import First, Mode, Order, decode


@pydantic.dataclasses.dataclass
class Checked:
    count: int = pydantic.Field(gt=0, alias="theCount")

    @pydantic.field_validator("count")
    @classmethod
    def lucky(cls, value: int) -> int:
        if value == 13:
            raise ValueError("13 brings bad luck")
        return value


@dataclasses.dataclass
class Holder:
    order: Order


class HolderDict(typing_extensions.TypedDict):
    order: Order


Renamed = NewType("Renamed", Order)


class Exact(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    when: datetime.datetime
    day: datetime.date
    lasts: datetime.timedelta
    id: uuid.UUID
    mode: Mode
    price: decimal.Decimal
    pair: tuple[int, str]
    names: set[str]
    data: bytes
    path: pathlib.Path
    by_number: dict[int, str]


def test_keys_that_are_no_text_are_made_of_text() -> None:
    assert decode(dict[int, str], {"1": "a"}) == {1: "a"}
    with pytest.raises(PayloadInvalid) as caught:
        decode(dict[int, str], {"a": "a"})
    assert caught.value.where == "$.a"


@pytest.mark.parametrize("kind", [Any, object, dict, dict[str, Any], dict[str, object]])
def test_what_can_be_anything_stays_as_it_is(kind: Any) -> None:
    assert decoder(kind) is None


def test_models_are_decoded_inside_of_other_types() -> None:
    order = Order(orderId=1)
    assert decode(list[Order], [{"orderId": 1}]) == [order]
    assert decode(Order | None, None) is None
    assert decode(Holder, {"order": {"orderId": 1}}) == Holder(order)
    assert decode(HolderDict, {"order": {"orderId": 1}}) == {"order": order}
    with pytest.raises(PayloadInvalid) as caught:
        decode(dict[str, Order], {"a": {"orderId": "x"}})
    assert caught.value.where == "$.a.orderId"


def test_models_are_decoded_under_other_names() -> None:
    order = Order(orderId=1)
    alias: Any = typing_extensions.TypeAliasType("alias", Order | None)
    assert decode(Renamed, {"orderId": 1}) == order
    assert decode(alias, {"orderId": 1}) == order
    assert decode(Annotated[alias, "more"], None) is None


def test_a_dataclass_of_pydantic_is_validated_by_pydantic() -> None:
    assert decode(Checked, {"theCount": "5"}) == Checked(theCount=5)
    for wrong in ({}, {"theCount": -1}, {"theCount": 13}):
        with pytest.raises(PayloadInvalid) as caught:
            decode(Checked, wrong)
        assert caught.value.where == "$.theCount"
    assert dump(Checked(theCount=5)) == '{"theCount":5}'


def test_a_strict_model_takes_what_json_has_for_its_types() -> None:
    exact = Exact(
        when=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        day=datetime.date(2026, 1, 2),
        lasts=datetime.timedelta(days=1),
        id=uuid.UUID(int=1),
        mode=Mode.FIT,
        price=decimal.Decimal("1.50"),
        pair=(1, "a"),
        names={"a"},
        data=b"a",
        path=pathlib.Path("/a"),
        by_number={1: "a"},
    )
    assert decode(Exact, json.loads(dump(exact))) == exact
    assert decode(Exact, exact) is exact
    with pytest.raises(PayloadInvalid):
        decode(Exact, {**json.loads(dump(exact)), "price": []})


@dataclasses.dataclass
class Second:
    b: int


@dataclasses.dataclass
class Initial:
    a: dataclasses.InitVar[int]


class Constant(typing_extensions.TypedDict):
    a: typing_extensions.ReadOnly[int]


@pytest.mark.parametrize("kind", [First | Second, Initial, Constant, Never])
def test_a_type_that_no_json_can_be_turned_into_is_refused_at_once(kind: Any) -> None:
    with pytest.raises(InvalidValue, match="cannot be the type of a payload"):
        decoder(kind)


class Foreign:
    """A class that nothing but its own code makes instances of."""


@attrs.define
class WithModel:
    order: Order


@attrs.define
class WithForeign:
    foreign: Foreign


class StructWithModel(msgspec.Struct):
    orders: list[Order] = []


@dataclasses.dataclass
class Deep:
    inner: dict[str, WithModel | None]


@dataclasses.dataclass
class Both:
    order: Order
    point: WithForeign


@dataclasses.dataclass
class Recursive:
    foreign: list[Foreign]
    again: Recursive | None = None


@pytest.mark.parametrize(
    "kind", [Foreign, WithModel, WithForeign, StructWithModel, Deep, Both, Recursive]
)
def test_a_class_that_only_its_own_code_makes_is_refused_wherever_it_is(kind: Any) -> None:
    with pytest.raises(InvalidValue, match="cannot be the type of a payload"):
        decoder(kind)


@dataclasses.dataclass
class WithDefaults:
    anything: object
    lines: Iterable[int]
    more: Any = None
    foreign: Foreign | None = None
    made: Foreign = dataclasses.field(init=False, default_factory=Foreign)
    again: WithDefaults | None = None


def test_a_class_that_a_payload_need_not_have_is_no_reason_to_refuse_it() -> None:
    found = decode(WithDefaults, {"anything": 1, "lines": [2], "again": None})
    assert (found.anything, found.lines, type(found.made)) == (1, [2], Foreign)


class Dog(pydantic.BaseModel):
    kind: typing.Literal["dog"] = "dog"
    name: str


class Cat(pydantic.BaseModel):
    kind: typing.Literal["cat"] = "cat"
    lives: int


Chosen = Annotated[Dog | Cat, pydantic.Field(discriminator="kind")]


class Owner(pydantic.BaseModel):
    pet: Dog | Cat
    chosen: dict[str, Chosen | None] = {}


class Named(msgspec.Struct):
    name: str


@pytest.mark.parametrize(
    ("kind", "value", "where"),
    [
        (dict[str, Named], {"a": {"name": "x"}, "b": {"name": 1}}, "$.b.name"),
        (list[dict[str, list[Named]]], [{"a": [], "b": [{}]}], "$[0].b[0]"),
        (dict[str, dict[int, int]], {"a": {"1": 1}, "b": {"x": 1}}, "$.b.x"),
        (Owner, {"pet": {"kind": "dog", "name": 1}}, "$.pet.name"),
        (
            Owner,
            {"pet": {"name": "x"}, "chosen": {"a": {"kind": "cat", "lives": "x"}}},
            "$.chosen.a.lives",
        ),
        (Owner, {"pet": {"name": "x"}, "chosen": {"a": {"kind": "cat"}}}, "$.chosen.a.lives"),
        (dict[int, Dog], {"x": {"name": "x"}}, "$.x"),
    ],
)
def test_the_path_is_the_one_in_the_payload(kind: Any, value: Any, where: str) -> None:
    convert = decoder(kind)
    assert convert is not None
    with pytest.raises(PayloadInvalid) as caught:
        convert(value)
    assert caught.value.where == where
    assert ("as a key" in str(caught.value)) == where.endswith(".x")


def test_a_payload_is_not_an_order() -> None:
    convert = decoder(Owner | None)
    assert convert is not None
    with pytest.raises(PayloadInvalid, match=r"the payload is not an Owner \| None: "):
        convert(5)
