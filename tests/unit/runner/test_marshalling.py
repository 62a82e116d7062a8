"""Against AWS's own runtime for Python, which is written with another library."""

from __future__ import annotations

import json
from collections import OrderedDict, namedtuple
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import marshalling
from runner.marshalling import Fault

marshaller = pytest.importorskip("awslambdaric.lambda_runtime_marshaller")
exceptions = pytest.importorskip("awslambdaric.lambda_runtime_exception")

Point = namedtuple("Point", "x y")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Odd:
    def _asdict(self) -> dict[str, int]:
        return {"a": 1}


def theirs(result: object) -> tuple[str, Any]:
    try:
        text, _ = marshaller.LambdaMarshaller().marshal_response(result)
    except exceptions.FaultException as error:
        return error.exception_type, error.msg
    return "answer", text if isinstance(text, bytes) else text.encode()


def ours(result: object) -> tuple[str, Any]:
    try:
        return "answer", marshalling.answer(result)
    except Fault as error:
        return error.kind, error.message


INSIDE: list[Any] = []
INSIDE.append(INSIDE)
RESULTS = [
    *(None, True, 0, -1, 1.5, 1e300, "", "é\u2028\U0001f600", [], {}, (), (1, [2])),
    *(float("nan"), float("inf"), float("-inf"), 10**40, Level.LOW, {1: 2, None: 3, 1.5: 4}),
    *(Decimal("1.10"), Decimal("1E+5"), Decimal("NaN"), Decimal("-0"), {"a": [Decimal(1)]}),
    *(Point(1, 2), [Point(1, {"p": Point(3, 4)})], {"p": (Point(1, 2),)}, Odd(), [Odd()]),
    *(b"raw", {"body": b"text"}, {b"key": 1}, [b"\xff"], {b"\xff": 1}),
    *(OrderedDict(a=1), {"statusCode": 200, "body": "ok"}),
    *(object(), {1, 2}, Colour.RED, {"a": object()}, {(1, 2): 3}, INSIDE, bytearray(b"x")),
    *((n for n in (1, 2)), ValueError("no"), {Decimal(1): 2}, {Colour.RED: 1}),
]


@pytest.mark.parametrize("runtime", ["AWS_Lambda_python3.11", "AWS_Lambda_python3.13", ""])
@pytest.mark.parametrize("result", RESULTS, ids=range(len(RESULTS)))
def test_an_answer_is_what_awslambdaric_makes_of_it(
    result: object, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", runtime)
    assert ours(result) == theirs(result)


def test_half_a_character_is_an_error_where_it_is_not_escaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11")
    assert ours("\ud800") == theirs("\ud800")
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    assert ours("\ud800")[0] == "Runtime.MarshalError"  # theirs ends there


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(max_size=4), inner)
        | st.tuples(inner, inner).map(lambda pair: Point(*pair))
    ),
    max_leaves=20,
)


@given(JSON)
def test_so_is_any_other(result: object) -> None:
    assert ours(result) == theirs(result)


@given(JSON)
def test_what_needs_no_change_is_not_copied(result: object) -> None:
    if isinstance(result, list | dict) and "Point" not in repr(result):
        assert marshalling._as_json_has_it(result) is result


def test_an_event_is_json() -> None:
    assert marshalling.event('{"a": "é"}'.encode()) == {"a": "é"}
    with pytest.raises(Fault) as raised:
        marshalling.event(b"{")
    assert raised.value.kind == "Runtime.UnmarshalError"
    assert raised.value.message.startswith("Unable to unmarshal input: ")


def test_a_deep_answer_is_an_error_and_no_end() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Fault, match="Unable to marshal response"):
        marshalling.answer(deep)
    assert json.loads(marshalling.answer([1])) == [1]
