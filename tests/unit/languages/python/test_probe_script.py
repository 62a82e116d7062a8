"""What the script says of one handler; `test_probe` runs it in processes of its own."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NewType

import msgspec
import pytest

from devbridge.languages.python.probe_script import describe


@dataclasses.dataclass
class Order:
    number: int
    note: str = ""


class Paid(msgspec.Struct, tag=True):
    order: Order
    by: str | None = None


Renamed = NewType("Renamed", Order)


def of(handler: Callable[..., Any], job: str = "job") -> dict[str, Any]:
    return describe(handler, job)


def decorated(handler: Callable[..., Any], job: str = "job") -> Any:
    """As `job_handler` leaves it."""

    @functools.wraps(handler)
    def wrapper(*args: Any) -> Any:
        return handler(*args)

    wrapper.__devbridge_handler__ = handler  # type: ignore[attr-defined]
    wrapper.__devbridge_job__ = job  # type: ignore[attr-defined]
    return wrapper


def test_a_handler_without_annotations_takes_and_returns_anything() -> None:
    def handler(event, context): ...  # type: ignore[no-untyped-def]

    assert of(handler) == {
        **{"payload": None, "result": None, "instances": [], "checked": None, "warning": ""}
    }


def test_only_a_decorated_handlers_payload_is_checked() -> None:
    def handler(payload: Order) -> int: ...  # type: ignore[empty-body]

    plain, checked = of(handler), of(decorated(handler))
    assert (plain["checked"], checked["checked"]) == (None, "msgspec")
    assert plain["payload"] == checked["payload"]
    assert checked["result"] == {"type": "integer"}
    assert checked["payload"]["$defs"]["Order"]["required"] == ["number"]


def test_the_handler_of_another_job_is_told() -> None:
    assert "its handler is for job 'other'" in of(decorated(lambda payload: 1, "other"))["warning"]


def test_a_result_has_all_its_fields_and_a_payload_may_lack_a_tag_outside_of_unions() -> None:
    def handler(payload: Paid) -> Paid: ...  # type: ignore[empty-body]

    found = of(handler)
    assert found["payload"]["$defs"]["Paid"]["required"] == ["order"]
    assert found["result"]["$defs"]["Paid"]["required"] == ["type", "order", "by"]
    assert found["result"]["$defs"]["Order"]["required"] == ["number", "note"]


@pytest.mark.parametrize("kind", [Order, Order | None, Renamed, Renamed | None])
def test_the_classes_of_a_payload_are_known_by_their_fields(kind: Any) -> None:
    def handler(payload: Any) -> None: ...

    handler.__annotations__["payload"] = kind
    first = of(handler)["instances"][0]
    assert first == {
        "class": f"{__name__}.Order",
        "form": "dataclass",
        "fields": {"number": "int", "note": "str"},
    }


def test_an_annotation_that_cannot_be_resolved_leaves_the_other_one() -> None:
    def handler(payload: Missing) -> str: ...  # type: ignore[empty-body, name-defined]  # noqa: F821

    found = of(handler)
    assert found["result"] == {"type": "string"}
    assert "callers do not know its payload: its annotation cannot be resolved" in found["warning"]


def test_a_type_without_a_schema_is_named() -> None:
    def handler(payload: Order) -> list[object | complex]: ...  # type: ignore[empty-body]

    assert "callers do not know its result" in of(handler)["warning"]


def test_a_keyword_is_no_payload() -> None:
    def handler(*, payload: Order) -> None: ...

    assert of(handler)["payload"] is None
    assert of(handler)["result"] == {"type": "null"}


def test_a_decimal_is_sent_as_text_or_number_and_returned_as_a_number() -> None:
    def handler(payload: dict[str, Decimal]) -> list[Decimal | None]: ...  # type: ignore[empty-body]

    found = of(handler)
    assert found["payload"]["additionalProperties"] == {"type": "string", "format": "decimal"}
    assert found["result"]["items"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
