"""Payload types, and decoding to them."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import pydantic

from devbridge.payload.decode import decoder


class Mode(enum.Enum):
    FIT = "fit"


class Order(pydantic.BaseModel):
    order_id: int = pydantic.Field(alias="orderId")


def decode(kind: Any, value: Any) -> Any:
    by = decoder(kind)
    assert by is not None
    return by(value)


@dataclasses.dataclass
class First:
    a: int
