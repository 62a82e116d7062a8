"""What is checked before a payload is sent agrees with what the handler's side accepts."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import typing
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.errors import PayloadInvalid
from devbridge.languages.python.probe_script import describe
from devbridge.payload.check import FILE, check, checker, compiled, schema
from devbridge.payload.decode import decoder
from devbridge.types.sender_schema import accepted


class Mode(enum.Enum):
    FIT = "fit"
    FILL = "fill"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag=True, rename="kebab", forbid_unknown_fields=True):
    side_length: int


class Row(msgspec.Struct, array_like=True):
    a: int
    b: str = ""


class Pair(NamedTuple):
    a: int
    b: str


class Options(TypedDict):
    fast: bool
    name: NotRequired[str]


@dataclasses.dataclass
class Item:
    size: int
    ratio: float = 1.0


@dataclasses.dataclass
class Everything:
    items: list[Item]
    options: Options
    mode: Mode = Mode.FIT
    level: Level = Level.LOW
    shape: Circle | Square | None = None
    rows: list[Row] = dataclasses.field(default_factory=list)
    pair: Pair | None = None
    tags: dict[str, int] = dataclasses.field(default_factory=dict)
    by_number: dict[int, str] = dataclasses.field(default_factory=dict)
    point: tuple[float, int] = (0.0, 0)
    names: set[str] = dataclasses.field(default_factory=set)
    price: decimal.Decimal | None = None
    when: datetime.datetime | None = None
    id: uuid.UUID | None = None
    data: bytes = b""
    either: Literal["a", 1] | float = "a"
    small: Annotated[int, msgspec.Meta(ge=0, lt=10, multiple_of=2)] = 0
    word: Annotated[str, msgspec.Meta(pattern="^[a-c]+$", max_length=3)] = "a"
    parent: Everything | None = None


class Line(pydantic.BaseModel):
    count: int
    price: decimal.Decimal = decimal.Decimal(0)
    done: bool = False


class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    order_id: int = pydantic.Field(alias="orderId", ge=1)
    lines: list[Line] = pydantic.Field(default_factory=list, max_length=2)
    names: set[str] = pydantic.Field(default_factory=set, max_length=2)
    ratio: float = 1.0
    mode: Mode = Mode.FIT
    level: Level = Level.LOW
    kind: Literal["a", "b", 3] = "a"
    when: datetime.datetime | None = None
    lasts: datetime.timedelta | None = None
    id: uuid.UUID | None = None
    data: bytes = pydantic.Field(b"", min_length=2, max_length=4)
    word: str = pydantic.Field("a", pattern="^[a-c]+$")
    by_number: dict[int, float] = pydantic.Field(default_factory=dict)
    point: tuple[float, int] = (0.0, 0)
    anything: Any = None
    either: int | str | None = None


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"


class Home(pydantic.BaseModel):
    pet: Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]


@dataclasses.dataclass
class Keeper:
    line: Line
    data: Annotated[bytes, pydantic.Field(min_length=2, max_length=2)] = b"hi"


MSGSPEC: list[Any] = [
    Everything,
    list[Item] | None,
    dict[str, Circle | Square],
    int,
    tuple[int, str, Row],
]
PYDANTIC: list[Any] = [Order, list[Line], Order | None, dict[str, Line], Home, Keeper]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.sampled_from([0.0, 1.0, 2.0, 1.5, -1.0, 1e300, 10**25])
    | st.sampled_from(
        ["", "a", "abc", "abc\n", "fit", "x", "1", "1.0", " 2 ", "1e1", "true", "off"]
    )
    | st.sampled_from(["2030-01-01", "2030-01-01T00:00:00Z", "P1D", "aGk=", "Circle", "é"])
    | st.uuids().map(str)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "1", "type", "size", "radius"]), inner, max_size=3)
    ),
    max_leaves=4,
)


def like(schema: Any, defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that mostly fit a schema."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return st.deferred(lambda: like(defs[name], defs))
    return st.one_of(_fitting(schema, defs), _fitting(schema, defs), anything)


def _fitting(  # noqa: PLR0911
    schema: Any, defs: dict[str, Any]
) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([like(item, defs) for item in schema[several]])
    match schema.get("type"):
        case "object" if "properties" in schema:
            properties = {k: like(v, defs) for k, v in schema["properties"].items()}
            required = {k: v for k, v in properties.items() if k in schema.get("required", ())}
            few = st.fixed_dictionaries(
                required, optional={k: v for k, v in properties.items() if k not in required}
            )
            return few | st.fixed_dictionaries(required) | st.just({})
        case "object":
            keys = st.sampled_from(["a", "1", "2.5", "é"])
            return st.dictionaries(keys, like(schema.get("additionalProperties") or {}, defs))
        case "array" if "prefixItems" in schema:
            return st.tuples(*(like(item, defs) for item in schema["prefixItems"])).map(list)
        case "array":
            return st.lists(like(schema.get("items") or {}, defs), max_size=3)
        case "integer":
            return st.integers(-3, 12)
        case "number":
            return st.floats(-9, 9) | st.integers(-3, 12)
        case "boolean":
            return st.booleans()
        case "string":
            return scalars.filter(lambda value: isinstance(value, str))
    return anything


def refusal(by: Any, value: Any) -> PayloadInvalid | None:
    try:
        by(value)
    except PayloadInvalid as error:
        return error
    return None


def both(kind: Any) -> tuple[Any, Any, st.SearchStrategy[Any]]:
    """The handler's side, the caller's side, and values to give to both."""

    def handler(payload: Any) -> None: ...

    handler.__annotations__["payload"] = kind
    handler.__devbridge_handler__ = handler  # type: ignore[attr-defined]
    described = describe(handler, "job")
    assert described["checked"], described
    schema = described["payload"]
    check_payload = compiled("job", accepted(schema, described["checked"]))
    values = like(schema, schema.get("$defs", {}))
    return decoder(kind), check_payload, values.map(lambda value: json.loads(json.dumps(value)))


@pytest.mark.parametrize("kind", MSGSPEC + PYDANTIC, ids=str)
def test_nothing_is_refused_that_the_handlers_side_accepts(kind: Any) -> None:
    decode, check_payload, values = both(kind)

    @given(values)
    def agree(value: Any) -> None:
        if refusal(decode, value) is None:
            assert refusal(check_payload, value) is None

    agree()


def test_a_tag_that_decides_a_union_is_missed_by_both_whatever_its_default() -> None:
    decode, check_payload, _ = both(Home)
    missing, there = {"pet": {"lives": 1}}, {"pet": {"kind": "cat"}}
    for by in (decode, check_payload):
        assert refusal(by, missing)
        assert refusal(by, there) is None


@pytest.mark.parametrize(("data", "fits"), [("aGk=", True), ("hi", False)])
def test_the_length_of_bytes_is_not_that_of_their_base64(data: str, fits: bool) -> None:
    decode, check_payload, _ = both(Keeper)
    value = {"line": {"count": 1}, "data": data}
    assert (refusal(decode, value) is None) == fits
    assert refusal(check_payload, value) is None


ALONE: list[Any] = [
    *typing.get_type_hints(Everything, include_extras=True).values(),
    *(bool, float, str, bytes, datetime.date, datetime.time, datetime.timedelta, frozenset[int]),
    *(dict[float, int], dict[Mode, int], dict[datetime.date, int], tuple[int, ...], list),
    Annotated[float, msgspec.Meta(gt=0, le=1.5)],
    Annotated[list[int], msgspec.Meta(min_length=1, max_length=2)],
    Annotated[set[int], msgspec.Meta(min_length=2, max_length=2)],
    Annotated[bytes, msgspec.Meta(min_length=2, max_length=2)],
    Annotated[dict[str, int], msgspec.Meta(min_length=1)],
    *(Circle, list[Circle], dict[str, Circle | None]),
]
FIELDS: list[Any] = [
    *(int, float, bool, str, bytes, decimal.Decimal, uuid.UUID, Mode, Level, Literal["a", 3]),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, Literal[True]),
    *(set[int], list[int], tuple[int, ...], tuple[int, str], dict[int, float], dict[str, bool]),
    *(Pair, Item, Line, int | str, int | None, pydantic.JsonValue, pydantic.StrictInt),
    pydantic.Json,
    Annotated[str, pydantic.Field(pattern="^[[:alpha:]]+$")],
    Annotated[str, pydantic.Field(pattern="^[a-z--[b]]+$")],
    Annotated[int, pydantic.Field(gt=1, lt=11, multiple_of=2)],
    Annotated[float, pydantic.Field(gt=0, le=2)],
    Annotated[str, pydantic.Field(min_length=2, max_length=2)],
    Annotated[bytes, pydantic.Field(min_length=2, max_length=2)],
    Annotated[decimal.Decimal, pydantic.Field(ge=1, max_digits=3)],
    Annotated[set[int], pydantic.Field(min_length=1, max_length=1)],
]
# fmt: off
SCALARS: list[Any] = [
    None, True, False, 0, 1, 2, 5, 11, -1, 0.0, 1.0, 1.5, -1.0, 1e300, 10**25, "", "a", "abc",
    "abc\n", "fit", "FIT", "1", "1.0", " 2 ", "1e1", "true", "Off", "+1", "1_000", "inf", "nan",
    "\uff11", "2030-01-01", "2030-01-01T00:00:00Z", "P1D", "12:00", "aGk=", "é", "éé", "3", "{}",
    "12345678-1234-5678-1234-567812345678",
]
SAMPLES: list[Any] = [
    *SCALARS, *([v] for v in SCALARS), *({"a": v} for v in SCALARS), [], {}, {"1": 1},
    {"1.5": "x"}, {"size": 1}, [1, 1, 1], ["a", "b"], [1, "a"], [1.0, 1], [1, 2, 3],
    {"type": "Circle", "radius": 1}, {"type": "Square", "side-length": 1, "more": 1},
    {"radius": 1}, [{"radius": 1}], {"a": {"radius": 1}},
    {"count": "1", "more": 1}, {"count": True, "price": 1.5}, {"count": 1.0, "done": "yes"},
    {"fast": True, "more": 1}, {"fast": 1}, {"items": [], "options": {"fast": True}, "more": 1},
]
# fmt: on


@pytest.mark.parametrize(
    ("kind", "samples"),
    [
        *((kind, SAMPLES) for kind in ALONE),
        *(
            (pydantic.create_model("Model", x=(kind, ...)), [{"x": v} for v in SAMPLES])
            for kind in FIELDS
        ),
    ],
    ids=map(str, ALONE + [f"pydantic {kind}" for kind in FIELDS]),
)
def test_no_sample_is_refused_that_the_handlers_side_accepts(kind: Any, samples: list[Any]) -> None:
    decode, check_payload, _ = both(kind)
    for value in samples:
        if decode is None or refusal(decode, value) is None:
            assert refusal(check_payload, value) is None, value


@pytest.mark.parametrize("kind", MSGSPEC, ids=str)
def test_a_value_of_another_json_type_is_refused_by_both(kind: Any) -> None:
    decode, check_payload, values = both(kind)

    @given(values)
    def agree(value: Any) -> None:
        refused = refusal(decode, value)
        if refused and ("Expected `" in refused.what or "Object missing" in refused.what):
            # what only a value of the right JSON type can be: its form, or a key's
            if "got `str`" in refused.what and "key" in str(refused.where):
                return
            assert refusal(check_payload, value) is not None

    agree()


@pytest.mark.parametrize(
    ("value", "where", "what"),
    [
        ({}, "$", "Object missing required field `items`"),
        ([], "$", "Expected `object`, got `array`"),
        ({"items": 1.0, "options": {"fast": True}}, "$.items", "Expected `array`, got `float`"),
        ({"items": [{"size": 5.0}]}, "$", "Object missing required field `options`"),
        (
            {"items": [{"size": 1}, {"size": 5.0}], "options": {"fast": True}},
            "$.items[1].size",
            "Expected `int`, got `float`",
        ),
        (
            {"items": [], "options": {"fast": True}, "mode": "fot"},
            "$.mode",
            "Invalid value 'fot', expected one of ['fill', 'fit']",
        ),
        (
            {"items": [], "options": {"fast": True}, "mode": 1},
            "$.mode",
            "Expected `str`, got `int`",
        ),
        (
            {"items": [], "options": {"fast": True}, "shape": {"type": "Circle", "radius": "x"}},
            "$.shape.radius",
            "Expected `float`, got `str`",
        ),
        (
            {
                "items": [],
                "options": {"fast": True},
                "shape": {"type": "Square", "side-length": 1, "more": 1},
            },
            "$.shape",
            "Object contains unknown field `more`",
        ),
        (
            {"items": [], "options": {"fast": True}, "shape": {"type": "Cone", "radius": 1}},
            "$.shape.type",
            "Invalid value 'Cone'",
        ),
        (
            {"items": [], "options": {"fast": True}, "shape": {"radius": 1}},
            "$.shape",
            "Object missing required field `type`",
        ),
        (
            {"items": [], "options": {"fast": True}, "parent": {"items": [], "options": {}}},
            "$.parent.options",
            "Object missing required field `fast`",
        ),
        (
            {"items": [], "options": {"fast": True}, "parent": "x"},
            "$.parent",
            "Expected `object | null`, got `str`",
        ),
        (
            {"items": [], "options": {"fast": True}, "pair": [1, 2]},
            "$.pair[1]",
            "Expected `str`, got `int`",
        ),
    ],
)
def test_an_error_names_the_path_and_says_what_the_handlers_side_would_say(
    value: Any, where: str, what: str
) -> None:
    _, check_payload, _ = both(Everything)
    error = refusal(check_payload, value)
    assert error is not None
    assert error.where == where
    assert error.what == f"the payload is not what job 'job' takes: {what}"


@pytest.mark.parametrize("pattern", ["^[a-c]+$", "^[a-c]+"])
def test_a_pattern_is_told_as_it_was_written(pattern: str) -> None:
    by_msgspec, check_payload, _ = both(Annotated[str, msgspec.Meta(pattern=pattern)])
    error, other = refusal(check_payload, "?"), refusal(by_msgspec, "?")
    assert error is not None
    assert other is not None
    what = f"Expected `str` matching regex {pattern!r}"
    assert error.what == f"the payload is not what job 'job' takes: {what}"
    assert other.what.endswith(what)


def test_the_file_of_the_zip_is_read_once_and_found_by_both_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / FILE
    file.write_text(json.dumps({"resize-images": {"type": "integer"}}))
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    check("resize_images", 1)
    for name in ("resize_images", "resize-images"):
        with pytest.raises(
            PayloadInvalid, match="'resize-images' takes: Expected `int`, got `str`"
        ):
            check(name, "x")
    assert checker("resize_images") is checker("resize_images")
    assert checker("other") is None
    assert schema("resize-images", str(file)) == {"type": "integer"}
    assert schema("other", str(file)) is None
    check("other", "x")


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    file, new = tmp_path / "schemas.json", tmp_path / "new.json"
    assert checker("a", str(file)) is None
    for kind, refused in (("null", 1), ("integer", None)):
        new.write_text(json.dumps({"a": {"type": kind}}))
        new.replace(file)
        wanted = checker("a", str(file))
        assert wanted is not None
        with pytest.raises(PayloadInvalid):
            wanted(refused)
        assert schema("a", str(file)) == {"type": kind}


def test_another_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"a": {"type": "null"}}')
    monkeypatch.setenv("DEVBRIDGE_SCHEMAS", str(file))
    with pytest.raises(PayloadInvalid):
        check("a", 1)


def test_without_a_file_nothing_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    check("factorial", object())


@pytest.mark.parametrize(
    ("members", "value", "what"),
    [
        ([{"minimum": 5}, {"type": "string"}], 1, "must be bigger than or equal to 5"),
        ([{"minimum": 5}, {"minimum": 9}], 1, "Invalid value 1"),
        ([{"minimum": 5}, {"minimum": 9}, {"type": "string"}], 1, "Expected `str`, got `int`"),
    ],
)
def test_a_member_of_a_union_without_a_type_adds_none_to_what_is_expected(
    members: list[dict[str, Any]], value: Any, what: str
) -> None:
    with pytest.raises(PayloadInvalid) as caught:
        compiled("job", {"anyOf": members})(value)
    assert caught.value.what == f"the payload is not what job 'job' takes: {what}"
