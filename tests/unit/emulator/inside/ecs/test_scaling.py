"""How many tasks a service is to have, as its alarms and policies say."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.ecs import scaling

STEPS: list[dict[str, Any]] = [
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": "10", "ScalingAdjustment": "1"},
    {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 2},
]
ZERO: list[dict[str, Any]] = [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": 0}]


def policy(steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    made = {"AdjustmentType": "ExactCapacity", "StepAdjustments": steps, **more}
    return {"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": made}


def alarm(action: str, **more: Any) -> dict[str, Any]:
    def metric(key: str) -> dict[str, Any]:
        named = {"Namespace": "AWS/SQS", "MetricName": key, "Dimensions": []}
        return {"Id": key, "MetricStat": {"Metric": named}}

    return {
        "Metrics": [metric("a"), metric("b"), {"Id": "sum", "Expression": "a + b"}],
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
        "EvaluationPeriods": 1,
        "AlarmActions": [action],
        **more,
    }


@pytest.fixture
def service() -> dict[str, Any]:
    """One with a policy for messages, and one for none in two looks."""
    made: dict[str, Any] = {
        "serviceArn": "arn:aws:ecs:eu-west-1:1:service/c/s",
        "status": "ACTIVE",
    }
    scaling.put_target(made, {"MinCapacity": "0", "MaxCapacity": 5})
    busy = scaling.put_policy(made, "busy", policy(STEPS))
    idle = scaling.put_policy(made, "idle", policy(ZERO))
    scaling.put_alarm(made, "busy", alarm(busy))
    below: Any = {"ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 2}
    scaling.put_alarm(made, "idle", alarm(idle, **below))
    return made


def wanted(service: dict[str, Any], a: float | None, b: float = 0) -> int | None:
    return scaling.wanted(service, lambda _, metric, __: a if metric == "a" else b)


@pytest.mark.parametrize(("a", "b", "tasks"), [(1, 0, 1), (4, 6, 1), (10, 1, 2), (0, 500, 2)])
def test_there_are_as_many_as_the_sum_of_the_metrics_needs(
    service: dict[str, Any], a: float, b: float, tasks: int
) -> None:
    assert wanted(service, a, b) == tasks


def test_none_are_left_when_there_was_nothing_in_so_many_looks(service: dict[str, Any]) -> None:
    assert [wanted(service, 0), wanted(service, 0)] == [None, 0]
    assert wanted(service, 1) == 1
    assert wanted(service, 0) is None


def test_never_more_or_fewer_than_the_target_allows(service: dict[str, Any]) -> None:
    scaling.put_target(service, {"MinCapacity": 1, "MaxCapacity": 1})
    assert wanted(service, 500) == 1
    assert [wanted(service, 0), wanted(service, 0)][1] == 1


def test_what_is_not_measured_changes_nothing(service: dict[str, Any]) -> None:
    assert wanted(service, None) is None
    assert scaling.wanted({"status": "ACTIVE"}, lambda *_: 1.0) is None
    assert wanted({**service, "status": "DRAINING"}, 5) is None


def test_what_this_cloud_does_not_know_is_refused(service: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="ExactCapacity only"):
        scaling.put_policy(service, "x", policy(STEPS, AdjustmentType="ChangeInCapacity"))
    other = {"Metrics": [{"Id": "m", "Expression": "a / b"}]}
    with pytest.raises(ValueError, match="one sum of metrics"):
        scaling.put_alarm(service, "x", alarm("arn", **other))
    with pytest.raises(ValueError, match="LessThanThreshold of such an alarm only"):
        scaling.put_alarm(service, "x", alarm("arn", ComparisonOperator="GreaterThanThreshold"))
