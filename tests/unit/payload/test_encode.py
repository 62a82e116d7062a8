"""Payload types that payloads.py decodes and that stubs and schemas know."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Never, NewType

import attrs
import msgspec
import pydantic
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from devbridge.errors import InvalidValue, PayloadInvalid, PayloadNotJson
from devbridge.payload.decode import decoder
from devbridge.payload.encode import dump
from runner.failure import ResultNotJson
from runner.results import encode


class Mode(enum.Enum):
    FIT = "fit"


class Order(pydantic.BaseModel):
    order_id: int = pydantic.Field(alias="orderId")


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


def decode(kind: Any, value: Any) -> Any:
    by = decoder(kind)
    assert by is not None
    return by(value)


def test_keys_that_are_no_text_are_made_of_text() -> None:
    assert decode(dict[int, str], {"1": "a"}) == {1: "a"}
    with pytest.raises(PayloadInvalid) as caught:
        decode(dict[int, str], {"a": "a"})
    assert caught.value.where == "key in $"


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
class First:
    a: int


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


# --- bytes --------------------------------------------------------------------------------------

BYTES = b"\xff\xfe\xfb"


class Blob(pydantic.BaseModel):
    data: bytes


class Blob64(Blob):
    model_config = pydantic.ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


@pydantic.dataclasses.dataclass
class CheckedBlob:
    data: bytes


@dataclasses.dataclass
class Mixed:
    data: bytes
    blob: Blob
    blob64: Blob64
    checked: CheckedBlob
    by_name: dict[str, list[bytes]] = dataclasses.field(default_factory=dict)
    inner: list[Mixed] = dataclasses.field(default_factory=list)


class MixedDict(typing_extensions.TypedDict):
    data: bytes
    blob: Blob


@attrs.define
class RawAttrs:
    data: bytes
    pairs: tuple[bytes, ...] = ()


class RawStruct(msgspec.Struct):
    data: bytes


def test_bytes_arrive_whoever_writes_and_reads_them() -> None:
    leaf = Mixed(BYTES, Blob(data=b"abcd"), Blob64(data=BYTES), CheckedBlob(data=b"abcd"))
    mixed = dataclasses.replace(leaf, by_name={"a": [BYTES]}, inner=[leaf])
    assert decode(Mixed, json.loads(dump(mixed))) == mixed
    assert decode(list[Mixed], json.loads(dump([mixed]))) == [mixed]
    for value in (Blob64(data=BYTES), RawAttrs(BYTES, (BYTES,)), RawStruct(BYTES)):
        assert decode(type(value), json.loads(dump(value))) == value
    assert decode(MixedDict, {"data": "_wAA", "blob": {"data": "_wAA"}}) == {
        "data": b"\xff\x00\x00",
        "blob": Blob(data=b"_wAA"),
    }


@pytest.mark.parametrize(
    "payload",
    [{"data": b"abcd"}, [b"abcd"], {"a": {b"abcd"}}, {b"abcd": 1}, b"abcd", bytearray(b"abcd")],
)
def test_bytes_of_which_no_type_says_how_they_are_read_are_not_sent(payload: Any) -> None:
    with pytest.raises(PayloadNotJson, match="models read UTF-8 where") as caught:
        dump(payload)
    assert "send the text that the handler's type reads" in str(caught.value.remedy)
    assert encode(payload)


# --- from objects to JSON -----------------------------------------------------------------------


class Rect(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    side: int
    tags: pydantic.Json[list[int]] = []

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.side**2


def test_a_model_is_sent_as_it_is_read() -> None:
    order = Order(orderId=1)
    assert dump(order) == '{"orderId":1}'
    assert decode(Order, json.loads(dump(order))) == order
    rect = Rect(side=2, tags="[1]")  # type: ignore[arg-type]
    assert decode(Rect, json.loads(dump(rect))) == rect
    assert json.loads(encode(rect)) == {"side": 2, "tags": [1], "area": 4}


@pytest.mark.parametrize(
    "field",
    [
        pydantic.Field(5, serialization_alias="x"),
        pydantic.Field(5, validation_alias="x"),
        pydantic.Field(5, validation_alias=pydantic.AliasChoices("x", "y")),
        pydantic.Field(5, exclude=True),
        pydantic.Field(5, exclude_if=lambda value: value == 0),
    ],
)
def test_a_model_of_which_a_field_would_not_arrive_is_not_sent(field: Any) -> None:
    model: Any = pydantic.create_model("Model", a=(int, field))
    outer: Any = pydantic.create_model("Outer", inner=(list[model], ...))
    for payload in (model(), [outer(inner=[model()])]):
        with pytest.raises(PayloadNotJson, match=r"Model\.a is not written") as caught:
            dump(payload)
        assert str(caught.value.remedy).startswith("send a dict of what")
    assert encode(model())


@pytest.mark.parametrize(
    ("field", "config"),
    [
        (pydantic.Field(alias="x"), {}),
        (pydantic.Field(alias="x"), {"populate_by_name": True}),
        (pydantic.Field(validation_alias=pydantic.AliasChoices("x", "a")), {}),
        (pydantic.Field(validation_alias="x"), {"validate_by_name": True}),
    ],
)
def test_a_model_is_sent_under_any_name_that_it_is_read_from(field: Any, config: Any) -> None:
    model: Any = pydantic.create_model("Model", __config__=config, a=(int, field))
    sent = model(x=1)
    assert decode(model, json.loads(dump(sent))) == sent


class After(pydantic.BaseModel):
    a: int = pydantic.Field(5, exclude=True)

    @pydantic.model_validator(mode="after")
    def check(self) -> After:
        return self


class Before(pydantic.BaseModel):
    a: int = pydantic.Field(5, validation_alias="x")

    @pydantic.model_validator(mode="before")
    @classmethod
    def rename(cls, value: Any) -> Any:
        return {"x": value["a"]} if "a" in value else value


def test_only_a_validator_that_gets_the_names_excuses_those_that_are_not_read() -> None:
    with pytest.raises(PayloadNotJson, match=r"After\.a is not written"):
        dump(After(a=9))
    sent = Before.model_validate({"a": 9})
    assert decode(Before, json.loads(dump(sent))) == sent


class Login(pydantic.BaseModel):
    password: pydantic.SecretStr


class OpenLogin(Login):
    @pydantic.field_serializer("password", when_used="json")
    def reveal(self, value: pydantic.SecretStr) -> str:
        return value.get_secret_value()


def test_a_secret_is_not_sent_as_asterisks() -> None:
    with pytest.raises(PayloadNotJson, match=r"Login writes .* for a secret") as caught:
        dump({"logins": [Login(password=pydantic.SecretStr("hunter2"))]})
    assert caught.value.remedy == "send a dict of what Login reads"
    assert dump(OpenLogin(password=pydantic.SecretStr("hunter2"))) == '{"password":"hunter2"}'


@attrs.define
class Point:
    x: int
    when: datetime.date


@dataclasses.dataclass
class Sparse:
    a: int
    b: int | msgspec.UnsetType = msgspec.UNSET


class Counts(msgspec.Struct):
    by_day: dict[datetime.date, int]
    inner: Any = None


DAY = datetime.date(2026, 1, 2)
WRITTEN: Any = [
    (datetime.timedelta(days=1, seconds=2, microseconds=30), '"P1DT2.000030S"'),
    ({DAY: 1}, '{"2026-01-02":1}'),
    ({"a": [{Mode.FIT: DAY}]}, '{"a":[{"fit":"2026-01-02"}]}'),
    ({uuid.UUID(int=1): First(1)}, '{"00000000-0000-0000-0000-000000000001":{"a":1}}'),
    ({1: {None: {True: {1.5: 1}}}, DAY: 1}, None),
    (Point(1, DAY), '{"x":1,"when":"2026-01-02"}'),
    (Sparse(1), '{"a":1}'),
    (Counts({DAY: 1}), '{"by_day":{"2026-01-02":1},"inner":null}'),
    (
        Counts({}, Order(orderId=1)),
        '{"by_day":{},"inner":{"orderId":1}}',
    ),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_payloads_and_results_are_written_alike(value: Any, text: str | None) -> None:
    assert dump(value) == encode(value).decode()
    assert text is None or dump(value) == text


@given(st.timedeltas())
def test_a_duration_is_read_as_it_was_written(value: datetime.timedelta) -> None:
    written = json.loads(dump(value))
    assert decode(datetime.timedelta, written) == value
    assert pydantic.TypeAdapter(datetime.timedelta).validate_python(written) == value


@pytest.mark.parametrize("key", [(1, 2), First(1), object(), frozenset({1})])
def test_a_key_that_is_no_text_in_json_is_refused(key: Any) -> None:
    if isinstance(key, First):
        key = dataclasses.make_dataclass("Key", ["a"], frozen=True)(1)
    with pytest.raises(PayloadNotJson):
        dump({"a": {key: 1}})
    with pytest.raises(ResultNotJson):
        encode({"a": {key: 1}})


def test_the_place_of_a_value_that_json_does_not_have_is_behind_keys_that_it_takes() -> None:
    with pytest.raises(ResultNotJson, match="is nan, which JSON does not have"):
        encode({DAY: 1, "a": math.nan})
    with pytest.raises(ResultNotJson, match="is a object"):
        encode({DAY: 1, "a": object()})
