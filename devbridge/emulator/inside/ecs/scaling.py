"""What scales a service: its bounds, step policies, and the alarms that call them. Pure: all of it
is in the service's own record, and ends with that.

"Step scaling policies" (Application Auto Scaling): of the kind that says how many tasks there are
to be, ``ExactCapacity``. AWS looks each minute; here an evaluation period is one look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Json = dict[str, Any]
Measure = Callable[[str, str, Json], float | None]
"""Of a namespace, a metric and its dimensions."""

SCHEDULER: Final = "ServiceSchedulerInitiated"
"""Why a task of a service is stopped that the service has no need of."""
_AT_LEAST: Final = "GreaterThanOrEqualToThreshold"
_BELOW: Final = "LessThanThreshold"
_TARGET, _POLICIES, _ALARMS, _LOOKS = "_target", "_policies", "_scaling_alarms", "_looks"


def put_target(service: Json, properties: Mapping[str, Any]) -> None:
    """Have a service scaled within these bounds."""
    service[_TARGET] = [int(properties["MinCapacity"]), int(properties["MaxCapacity"])]


def put_policy(service: Json, name: str, properties: Mapping[str, Any]) -> str:
    """Give a service a policy; its ARN.

    Raises:
        ValueError: this cloud knows none of that kind.
    """
    steps = properties.get("StepScalingPolicyConfiguration") or {}
    if properties.get("PolicyType") != "StepScaling" or steps.get("AdjustmentType") != (
        "ExactCapacity"
    ):
        raise ValueError("the embedded cloud scales by steps of ExactCapacity only")
    _, _, _, region, account, resource = service["serviceArn"].split(":", 5)
    arn = (
        f"arn:aws:autoscaling:{region}:{account}:scalingPolicy:devbridge:resource/ecs/{resource}"
        f":policyName/{name}"
    )
    service.setdefault(_POLICIES, {})[arn] = list(steps.get("StepAdjustments") or ())
    return arn


def put_alarm(service: Json, name: str, properties: Mapping[str, Any]) -> None:
    """Have an alarm of several metrics call the service's policies.

    Raises:
        ValueError: this cloud knows none of that kind.
    """
    metrics = list(properties["Metrics"])
    sums = [each for each in metrics if "Expression" in each]
    if len(sums) != 1 or not set(_terms(sums[0])) <= {each["Id"] for each in metrics}:
        raise ValueError("the embedded cloud knows alarms of one sum of metrics only")
    if properties.get("ComparisonOperator") not in (_AT_LEAST, _BELOW):
        raise ValueError(f"the embedded cloud knows {_AT_LEAST} and {_BELOW} of such an alarm only")
    service.setdefault(_ALARMS, {})[name] = dict(properties)


def wanted(service: Json, measure: Measure) -> int | None:
    """How many tasks a service is to have now; None: as many as it has."""
    if _TARGET not in service or service.get("status") != "ACTIVE":
        return None
    least, most = service[_TARGET]
    found = None
    for name, alarm in (service.get(_ALARMS) or {}).items():
        value = _value(alarm, measure)
        looks = service.setdefault(_LOOKS, {})
        looks[name] = looks.get(name, 0) + 1 if _breaches(alarm, value) else 0
        if value is None or looks[name] < int(alarm.get("EvaluationPeriods") or 1):
            continue
        for action in alarm.get("AlarmActions") or ():
            steps = (service.get(_POLICIES) or {}).get(action) or ()
            tasks = tasks_at(value - float(alarm["Threshold"]), steps)
            found = found if tasks is None else tasks
    return None if found is None else max(least, min(most, found))


def tasks_at(difference: float, steps: Any) -> int | None:
    """What steps say of a metric that is so far from the alarm's threshold; None: nothing."""
    for step in steps:
        lower = float(step.get("MetricIntervalLowerBound", "-inf"))
        upper = float(step.get("MetricIntervalUpperBound", "inf"))
        inside = lower <= difference < upper if difference >= 0 else lower < difference <= upper
        if inside:
            return int(step["ScalingAdjustment"])
    return None


def _value(alarm: Json, measure: Measure) -> float | None:
    """The sum that an alarm looks at."""
    metrics = {each["Id"]: each for each in alarm["Metrics"]}
    (total,) = (each for each in metrics.values() if "Expression" in each)
    found = []
    for term in _terms(total):
        metric = metrics[term]["MetricStat"]["Metric"]
        dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions") or ()}
        found.append(measure(metric["Namespace"], metric["MetricName"], dimensions))
    return None if None in found else sum(each for each in found if each is not None)


def _terms(total: Json) -> list[str]:
    return [each.strip() for each in str(total["Expression"]).split("+")]


def _breaches(alarm: Json, value: float | None) -> bool:
    if value is None:
        return False
    threshold = float(alarm["Threshold"])
    return value >= threshold if alarm["ComparisonOperator"] == _AT_LEAST else value < threshold
