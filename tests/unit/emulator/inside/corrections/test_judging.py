from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.corrections.judging import judge, periods, window_of

ALARM, OK, UNKNOWN = "ALARM", "OK", "INSUFFICIENT_DATA"


def state(values: list[float | None], **alarm: Any) -> str | None:
    given = {"Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold", **alarm}
    found = judge(values, given)
    return found and found[0]


@pytest.mark.parametrize(
    ("values", "needed", "missing", "breaching", "not_breaching", "ignore"),
    [
        ([2, 2, 2], 3, ALARM, ALARM, ALARM, ALARM),
        ([2, 0, 2], 3, OK, OK, OK, OK),
        ([2, 0, 2], 2, ALARM, ALARM, ALARM, ALARM),
        ([None, None, None], 3, UNKNOWN, ALARM, OK, None),
        ([None, None, 0], 3, OK, OK, OK, OK),
        ([2, None, None], 3, ALARM, ALARM, OK, None),
        ([2, None, 0], 2, OK, ALARM, OK, OK),
        ([2, None, 2], 2, ALARM, ALARM, ALARM, ALARM),
    ],
)
def test_missing_data_is_treated_as_said(
    values: list[float | None],
    needed: int,
    missing: str,
    breaching: str,
    not_breaching: str,
    ignore: str | None,
) -> None:
    found = [
        state(values, DatapointsToAlarm=needed, TreatMissingData=treat)
        for treat in ("missing", "breaching", "notBreaching", "ignore")
    ]
    assert found == [missing, breaching, not_breaching, ignore]


@pytest.mark.parametrize(
    ("operator", "states"),
    [
        ("GreaterThanOrEqualToThreshold", [OK, ALARM, ALARM]),
        ("GreaterThanThreshold", [OK, OK, ALARM]),
        ("LessThanThreshold", [ALARM, OK, OK]),
        ("LessThanOrEqualToThreshold", [ALARM, ALARM, OK]),
    ],
)
def test_comparisons(operator: str, states: list[str]) -> None:
    assert [state([value], ComparisonOperator=operator) for value in (0, 1, 2)] == states


def test_reasons_say_what_was_seen() -> None:
    alarm = {"Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
    assert judge([5, 0], alarm) == (
        OK,
        "Threshold Crossed: 2 datapoints [5.0, 0.0] were not greater than the threshold (1.0).",
    )
    found = judge([5], alarm)
    assert found is not None
    assert found[1].endswith("1 datapoint [5.0] was greater than the threshold (1.0).")
    found = judge([5, None], alarm)
    assert found == (
        ALARM,
        "Threshold Crossed: 1 datapoint [5.0] was greater than the threshold (1.0).",
    )
    found = judge([None], alarm)
    assert found == (UNKNOWN, "Insufficient Data: 1 datapoint was unknown.")
    found = judge([None, None], {**alarm, "TreatMissingData": "notBreaching"})
    assert found == (
        OK,
        "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints"
        " were treated as [NonBreaching].",
    )


def test_periods_end_now_and_have_only_their_unit() -> None:
    alarm = {"Period": 60, "EvaluationPeriods": 2, "Unit": "Count"}
    points = [
        {"Timestamp": at, "Value": value, "Unit": unit}
        for at, value, unit in (
            (1000.0, 1, "Count"),
            (950.0, 2, "Count"),
            (930.0, 3, "Count"),
            (990.0, 4, "Seconds"),
            (800.0, 5, "Count"),
        )
    ]
    found = [[point["Value"] for point in each] for each in periods(points, alarm, 1000.0)]
    assert found == [[1, 2], [3]]
    assert window_of(alarm) == 120
    assert window_of({}) == 60
