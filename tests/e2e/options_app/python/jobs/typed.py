from dataclasses import dataclass
from datetime import date
from typing import Literal

from devbridge.job import job_handler


@dataclass
class Line:
    sku: str
    count: int = 1


@dataclass
class Order:
    lines: list[Line]
    kind: Literal["normal", "express"]
    due: date | None = None


@dataclass
class Shipped:
    items: int
    due: date | None


@job_handler("typed")
def handler(payload: Order) -> Shipped:
    return Shipped(sum(line.count for line in payload.lines), payload.due)
