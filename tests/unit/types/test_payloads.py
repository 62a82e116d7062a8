"""Payload types that payloads.py decodes and that stubs and schemas know."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest

from devbridge.errors import PayloadInvalid
from devbridge.payloads import decoder, dump


class Order(pydantic.BaseModel):
    order_id: int = pydantic.Field(alias="orderId")


def decode(kind: Any, value: Any) -> Any:
    by = decoder(kind)
    assert by is not None
    return by(value)


def test_keys_that_are_no_text_are_made_of_text() -> None:
    assert decode(dict[int, str], {"1": "a"}) == {1: "a"}
    with pytest.raises(PayloadInvalid) as caught:
        decode(dict[int, str], {"a": "a"})
    assert caught.value.where == "key in $"


def test_models_are_decoded_inside_of_other_types() -> None:
    order = Order(orderId=1)
    assert decode(list[Order], [{"orderId": 1}]) == [order]
    assert decode(Order | None, None) is None
    with pytest.raises(PayloadInvalid) as caught:
        decode(dict[str, Order], {"a": {"orderId": "x"}})
    assert caught.value.where == "$.a.orderId"


def test_a_model_is_sent_as_it_is_read() -> None:
    order = Order(orderId=1)
    assert dump(order) == '{"orderId":1}'
    assert decode(Order, json.loads(dump(order))) == order
