"""Metrics of queues, and alarms that look at their own: ministack has no metrics of SQS, takes the
data of all dimensions for one alarm's, looks at it only when a datum is put, and makes no composite
alarms from templates.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from ..host import ministack
from . import judging
from .queues import MOVED

log = logging.getLogger("alarms")

Json = Mapping[str, Any]

SECONDS: Final = "DEVBRIDGE_METRICS_SECONDS"
"""The variable that says how many seconds are between two looks at queues and alarms."""
_SECONDS: Final = 5.0
QUEUES: Final = "AWS/SQS"
_COMPOSITE: Final = "AWS::CloudWatch::CompositeAlarm"
_REQUEST: Final = (
    *("AlarmName", "AlarmRule", "AlarmDescription", "ActionsEnabled", "Tags"),
    *("AlarmActions", "OKActions", "InsufficientDataActions"),
)
_lock = threading.RLock()
"""Held while alarms change their states: each change is told once."""


def pause_of(environment: MutableMapping[str, str]) -> float:
    """Seconds between two looks; taken out of an environment that functions inherit."""
    return float(environment.pop(SECONDS, "") or _SECONDS)


def measure_and_judge(pause: float) -> None:
    """Correct `services.cloudwatch`.

    Args:
        pause: seconds between two looks.
    """
    cloudwatch = ministack("services.cloudwatch")
    cloudwatch._evaluate_alarm = _evaluate
    threading.Thread(target=_look_forever, args=(pause,), daemon=True).start()


def keep_composites(provisioners: Any) -> None:
    """Let CloudFormation make composite alarms."""

    def call(operation: str, request: Json) -> None:
        cloudwatch = ministack("services.cloudwatch")
        with _lock:
            status, _, body = getattr(cloudwatch, operation)({}, dict(request), False, True)
        if status >= 400:
            content = json.loads(body)
            message = content.get("message") or content.get("Message")
            raise ValueError(f"{message} (Service: CloudWatch, Status Code: {status})")

    def put(name: str, properties: Json) -> Any:
        request = {key: properties[key] for key in _REQUEST if key in properties}
        enabled = str(properties.get("ActionsEnabled", True)).lower() != "false"
        call("_put_composite_alarm", {**request, "AlarmName": name, "ActionsEnabled": enabled})
        cloudwatch = ministack("services.cloudwatch")
        return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}

    def create(title: str, properties: Json, stack: str) -> Any:
        name = properties.get("AlarmName")
        return put(name or provisioners._physical_name(stack, title, max_len=255), properties)

    def update(physical: str, _: Json, new: Json, *__: Any) -> Any:
        answer = put(new.get("AlarmName") or physical, new)
        if answer[0] != physical:
            delete(physical, new)
        return answer

    def delete(physical: str, _: Json) -> None:
        call("_delete_alarms", {"AlarmNames": [physical]})

    provisioners._RESOURCE_HANDLERS[_COMPOSITE] = {
        "create": create,
        "update": update,
        "delete": delete,
    }


def _look_forever(pause: float) -> None:
    """Look at queues and alarms, so many seconds apart."""
    while True:
        time.sleep(pause)
        try:
            _look(time.time())
        except Exception:
            log.exception("the alarms")


def _look(now: float) -> None:
    """At the queues that an alarm is for, and at all alarms; if there are none, at nothing."""
    cloudwatch = ministack("services.cloudwatch")
    measured: set[tuple[str, ...]] = set()
    for (account, region, name), alarm in list(cloudwatch._alarms._data.items()):
        try:
            with ministack("core.responses").request_scope(account, region):
                key = (account, region, *_measured(alarm))
                if key not in measured:
                    measured.add(key)
                    _measure(cloudwatch, alarm, now)
                _evaluate(alarm)
        except Exception:
            log.exception("alarm %s", name)


def _measured(alarm: Json) -> tuple[str, str, str]:
    dimensions = ministack("services.cloudwatch")._dims_from_list(alarm.get("Dimensions") or [])
    return alarm.get("Namespace") or "", alarm.get("MetricName") or "", json.dumps(dimensions)


def _measure(cloudwatch: Any, alarm: Json, now: float) -> None:
    """Record the metric of SQS that an alarm looks at, and forget what none will look at again."""
    namespace, metric, _ = _measured(alarm)
    dimensions = cloudwatch._dims_from_list(alarm.get("Dimensions") or [])
    if namespace != QUEUES or dimensions.keys() != {"QueueName"}:
        return
    sqs = ministack("services.sqs")
    url = sqs._queue_name_to_url.get(dimensions["QueueName"])
    queue = sqs._queues.get(url) if url else None
    value = None if queue is None else measure(list(queue["messages"]), metric, now)
    if value is None:
        return
    unit = "Seconds" if metric == "ApproximateAgeOfOldestMessage" else "Count"
    cloudwatch.record_metric(QUEUES, metric, value, unit, dimensions)
    points = cloudwatch._metric_bucket((QUEUES, metric, cloudwatch._dims_key(dimensions)))
    oldest = now - max(3600.0, 2 * judging.window_of(alarm))
    while points and points[0]["Timestamp"] < oldest:
        del points[0]


def measure(messages: list[dict[str, Any]], metric: str, now: float) -> float | None:
    """A metric of a queue with those messages; None: not one that is measured here. Pure.

    In a dead-letter queue a message's age counts from when it was moved there ("Available
    CloudWatch metrics for Amazon SQS").
    """
    waiting = [each for each in messages if each["visible_at"] > now]
    hidden = sum(bool(each.get("receive_count")) for each in waiting)
    ages = [now - each.get(MOVED, each["sent_at"]) for each in messages]
    return {
        "ApproximateAgeOfOldestMessage": max(ages, default=0.0),
        "ApproximateNumberOfMessagesVisible": float(len(messages) - len(waiting)),
        "ApproximateNumberOfMessagesNotVisible": float(hidden),
        "ApproximateNumberOfMessagesDelayed": float(len(waiting) - hidden),
    }.get(metric)


def _evaluate(alarm: dict[str, Any]) -> None:
    """Give an alarm the state that its own datapoints ask for, and tell whom it tells."""
    cloudwatch, now = ministack("services.cloudwatch"), time.time()
    namespace, metric, _ = _measured(alarm)
    if not namespace or not metric:
        return
    dimensions = cloudwatch._dims_from_list(alarm.get("Dimensions") or [])
    points = cloudwatch._metrics.get((namespace, metric, cloudwatch._dims_key(dimensions))) or []
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    values = [
        cloudwatch._stat_value(cloudwatch._calc_stats(each), statistic, each) if each else None
        for each in judging.periods(list(points), alarm, now)
    ]
    with _lock:
        judged, old = judging.judge(values, alarm), alarm["StateValue"]
        if judged is None or judged[0] == old:
            return
        new, reason = judged
        alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(now))
        log.info("alarm %s: %s: %s", alarm["AlarmName"], new, reason)
        cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
        cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)
        cloudwatch._evaluate_parent_alarms(alarm)
