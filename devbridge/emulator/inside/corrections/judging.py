"""What an alarm of CloudWatch makes of its metric. Pure.

"Using Amazon CloudWatch alarms", "Configuring how CloudWatch alarms treat missing data".
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, Final

Json = Mapping[str, Any]

ALARM: Final = "ALARM"
OK: Final = "OK"
UNKNOWN: Final = "INSUFFICIENT_DATA"
_COMPARE: Final = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


def window_of(alarm: Json) -> float:
    """The seconds that an alarm looks back."""
    return float(alarm.get("Period") or 60) * int(alarm.get("EvaluationPeriods") or 1)


def periods(points: Sequence[Json], alarm: Json, now: float) -> list[list[Json]]:
    """An alarm's datapoints in its periods, the latest first. They end now, so that what happens is
    seen at once; on AWS a period is over first."""
    period = float(alarm.get("Period") or 60)
    found: list[list[Json]] = [[] for _ in range(int(alarm.get("EvaluationPeriods") or 1))]
    for point in points:
        place = int((now - point["Timestamp"]) // period)
        if place in range(len(found)) and alarm.get("Unit") in (None, "", point.get("Unit")):
            found[place].append(point)
    return found


def judge(values: Sequence[float | None], alarm: Json) -> tuple[str, str] | None:
    """The state that an alarm should have, and why; None: the one that it has.

    Args:
        values: its statistic of each period, the latest first; None: of one without data.
    """
    compare, words = _COMPARE.get(alarm.get("ComparisonOperator", ""), (operator.gt, "beyond"))
    threshold, treat = float(alarm.get("Threshold") or 0), alarm.get("TreatMissingData")
    needed = int(alarm.get("DatapointsToAlarm") or len(values))
    present = [value for value in values if value is not None]
    breaching = [value for value in present if compare(value, threshold)]
    missing = len(values) - len(present)
    fine = "not " if len(breaching) < needed else ""
    reason = (
        f"Threshold Crossed: {_datapoints(present)} {'was' if len(present) == 1 else 'were'}"
        f" {fine}{words} the threshold ({threshold})."
    )
    if not present:
        return _without_data(missing, treat)
    if len(breaching) + (missing if treat == "breaching" else 0) >= needed:
        return ALARM, reason
    if len(breaching) == len(present) < needed and treat not in ("breaching", "notBreaching"):
        return None if treat == "ignore" else (ALARM, reason.replace(" not ", " "))
    return OK, reason


def _without_data(count: int, treat: Any) -> tuple[str, str] | None:
    known = {
        "breaching": (ALARM, _of_missing(count, "Breaching")),
        "notBreaching": (OK, _of_missing(count, "NonBreaching")),
        "ignore": None,
    }
    unknown = f"Insufficient Data: {_count(count, 'datapoint')} unknown."
    return known.get(str(treat), (UNKNOWN, unknown))


def _of_missing(count: int, treated: str) -> str:
    return (
        f"Threshold Crossed: no datapoints were received for {_count(count, 'period', '')} and"
        f" {_count(count, 'missing datapoint')} treated as [{treated}]."
    )


def _count(count: int, word: str, verb: str = " was") -> str:
    verb = " were" if verb and count != 1 else verb
    return f"{count} {word}{'' if count == 1 else 's'}{verb}"


def _datapoints(values: Sequence[float]) -> str:
    shown = ", ".join(str(float(value)) for value in values)
    return f"{_count(len(values), 'datapoint', '')} [{shown}]"
