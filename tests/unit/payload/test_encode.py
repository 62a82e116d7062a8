from __future__ import annotations

import dataclasses
import datetime
import json
import math
import uuid
from typing import Any

import attrs
import msgspec
import pydantic
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from devbridge.errors import PayloadNotJson, PayloadTooLarge
from devbridge.payload.encode import checked_size, dump, to_builtins
from runner.failure import ResultNotJson
from runner.results import encode
from tests.unit.payload.samples import First, Mode, Order, decode

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
    assert caught.value.what == (
        "the payload cannot be written as JSON: bytes in a dict, in a list or alone:"
        " models read UTF-8 where other types read base64"
    )
    assert "send the text that the handler's type reads" in str(caught.value.remedy)
    assert encode(payload)


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


class Around(Before):
    inner: After


def test_a_validator_speaks_for_its_own_model_only() -> None:
    with pytest.raises(PayloadNotJson, match=r"After\.a is not written"):
        dump(Around.model_validate({"x": 1, "inner": {}}))


class Login(pydantic.BaseModel):
    user: str = "ann"
    password: pydantic.SecretStr


class OpenLogin(Login):
    @pydantic.field_serializer("password", when_used="json")
    def reveal(self, value: pydantic.SecretStr) -> str:
        return value.get_secret_value()


def test_a_secret_is_not_sent_as_asterisks() -> None:
    with pytest.raises(PayloadNotJson, match=r"Login writes .* for a secret") as caught:
        dump({"logins": [Login(password=pydantic.SecretStr("hunter2"))]})
    assert caught.value.remedy == "send a dict of what Login reads"
    assert (
        dump(OpenLogin(password=pydantic.SecretStr("hunter2")))
        == '{"user":"ann","password":"hunter2"}'
    )


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
    with pytest.raises(ResultNotJson, match="is of type object"):
        encode({DAY: 1, "a": object()})


class Contact(pydantic.BaseModel):
    site: pydantic.HttpUrl
    since: datetime.datetime
    raw: bytes


def test_a_model_as_a_result_has_what_json_has_for_its_fields() -> None:
    contact = Contact(
        site=pydantic.HttpUrl("https://a.example/x"),
        since=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        raw=b"abcd",
    )
    assert to_builtins(contact) == {
        "site": "https://a.example/x",
        "since": "2026-01-02T00:00:00Z",
        "raw": "abcd",
    }
    assert json.loads(encode(contact)) == to_builtins(contact)


class Seen(msgspec.Struct):
    by_id: dict[uuid.UUID, int]
    by_number: dict[int, str]


def test_a_struct_as_a_result_has_texts_for_keys() -> None:
    seen = Seen({uuid.UUID(int=1): 1}, {2: "b"})
    assert to_builtins(seen) == {
        "by_id": {"00000000-0000-0000-0000-000000000001": 1},
        "by_number": {"2": "b"},
    }
    assert json.loads(encode(seen)) == to_builtins(seen)


class Pairs(msgspec.Struct):
    by_pair: dict[tuple[int, int], int]


def test_a_struct_with_keys_that_are_no_text_in_json_is_no_result() -> None:
    with pytest.raises(ResultNotJson):
        encode(Pairs({(1, 2): 3}))


def test_lambda_takes_six_megabytes_of_utf_8_and_no_more() -> None:
    text = '"' + "ü" * 3_145_727 + '"'
    assert checked_size(text) == text.encode()
    with pytest.raises(PayloadTooLarge, match="the payload has 6,291,457 bytes; AWS Lambda takes"):
        checked_size(f"{text} ")


def test_a_half_character_is_sent_escaped() -> None:
    assert checked_size('["\ud800", "ü"]') == b'["\\ud800", "\xc3\xbc"]'
