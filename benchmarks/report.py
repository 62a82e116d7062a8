"""Numbers, goals and the table that they make. Pure."""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Of = Literal["ratio", "p99 ratio", "ours"]

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What a series of measurements comes to. `p99` is None for a single one."""

    median: float
    p99: float | None = None
    count: int = 1


def figures(values: Sequence[float], *, more_is_better: bool = False) -> Figures:
    """Median and 99th percentile (nearest rank: with less than 100 values, the worst)."""
    if len(values) == 1:
        return Figures(values[0])
    rank = math.ceil(len(values) * 0.99) - 1
    worst_last = sorted(values, reverse=more_is_better)
    return Figures(statistics.median(values), worst_last[rank], len(values))


@dataclass(frozen=True, slots=True)
class Goal:
    """E.g. the ratio of the medians is to be at most 3: ``Goal("ratio", "<=", 3)``."""

    of: Of
    compare: str
    limit: float

    def __str__(self) -> str:
        unit = "" if self.of == "ours" else "x"
        prefix = "p99 " if self.of == "p99 ratio" else ""
        return f"{prefix}{self.compare} {self.limit:g}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    measure: str
    unit: str
    ours: Figures
    floor: Figures | None = None
    floor_is: str = ""
    goals: tuple[Goal, ...] = field(default=())

    @property
    def ratio(self) -> float | None:
        """Ours over the floor, of the medians."""
        return self.ours.median / self.floor.median if self.floor else None

    @property
    def p99_ratio(self) -> float | None:
        """Ours over the floor, of the 99th percentiles."""
        if self.floor is None or self.floor.p99 is None or self.ours.p99 is None:
            return None
        return self.ours.p99 / self.floor.p99

    def met(self, goal: Goal) -> bool | None:
        """Whether a goal was reached; None when its number was not measured."""
        values = {"ratio": self.ratio, "p99 ratio": self.p99_ratio, "ours": self.ours.median}
        value = values[goal.of]
        return None if value is None else _COMPARE[goal.compare](value, goal.limit)


def table(rows: Sequence[Row]) -> str:
    """Plain text; medians, and 99th percentiles behind a slash."""
    head = ("measure", "unit", "ours", "floor", "ratio", "goal", "met?", "floor is")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    left = {0, 1, 5, 7}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def document(rows: Sequence[Row], machine: Mapping[str, object]) -> dict[str, Any]:
    """The same as JSON."""
    return {"machine": dict(machine), "rows": [_document(row) for row in rows]}


def _document(row: Row) -> dict[str, Any]:
    return {
        "measure": row.measure,
        "unit": row.unit,
        "ours": _numbers(row.ours),
        "floor": _numbers(row.floor) if row.floor else None,
        "floor_is": row.floor_is,
        "ratio": row.ratio,
        "p99_ratio": row.p99_ratio,
        "goals": [{"goal": str(goal), "met": row.met(goal)} for goal in row.goals],
    }


def _numbers(one: Figures) -> dict[str, float | int | None]:
    return {"median": one.median, "p99": one.p99, "count": one.count}


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "-" if row.ratio is None else _short(row.ratio)
    if row.p99_ratio is not None:
        ratio += f" / {_short(row.p99_ratio)}"
    return (
        row.measure,
        row.unit,
        _pair(row.ours),
        _pair(row.floor) if row.floor else "-",
        ratio,
        ", ".join(map(str, row.goals)) or "-",
        ", ".join({True: "yes", False: "NO", None: "?"}[row.met(g)] for g in row.goals) or "-",
        row.floor_is,
    )


def _pair(one: Figures) -> str:
    return _short(one.median) + ("" if one.p99 is None else f" / {_short(one.p99)}")


def _short(value: float) -> str:
    """Three digits that count."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 3)}f}"
