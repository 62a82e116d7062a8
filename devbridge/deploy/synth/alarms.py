"""CloudWatch alarms, alone and together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Alarm, CompositeAlarm, DeadLetters
from devbridge.deploy.arns import main_arn
from devbridge.deploy.attributes import resolved
from devbridge.deploy.references import attribute, sub
from devbridge.deploy.synth.messaging import allow_publishing
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.queues import own_dead_letters
from devbridge.durations import spelled

CLOUDWATCH: Final = "cloudwatch.amazonaws.com"
_METRICS: Final = {
    "age": "ApproximateAgeOfOldestMessage",
    "messages": "ApproximateNumberOfMessagesVisible",
}
"""Of SQS ("Available CloudWatch metrics for Amazon SQS"), each once a minute."""


def add_alarm(stack: Stack, alarm: Alarm) -> None:
    """Add an alarm, and its permission to publish."""
    from troposphere import cloudwatch

    if alarm.metric == "age":
        reached = f"a message is {spelled(timedelta(seconds=alarm.threshold))} old"
    else:
        reached = f"{alarm.threshold} or more messages"
    resource = cloudwatch.Alarm(
        names.logical(alarm),
        AlarmDescription=f"{alarm.queue}: {reached}",
        Namespace="AWS/SQS",
        MetricName=_METRICS[alarm.metric],
        Dimensions=[cloudwatch.MetricDimension(Name="QueueName", Value=_queue_name(stack, alarm))],
        Statistic="Maximum",
        Period=int(alarm.period.total_seconds()),
        EvaluationPeriods=alarm.periods,
        Threshold=alarm.threshold,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        # SQS tells nothing of a queue that nobody has used for six hours.
        TreatMissingData="notBreaching",
    )
    _notify(stack, alarm, resource)
    stack.add_main(alarm, resource)


def add_composite_alarm(stack: Stack, alarm: CompositeAlarm) -> None:
    """Add a composite alarm, and its permission to publish."""
    from troposphere import cloudwatch

    word = " AND " if alarm.each else " OR "
    rule = word.join(f'ALARM("${{{names.logical(each)}.Arn}}")' for each in alarm.alarms)
    resource = cloudwatch.CompositeAlarm(names.logical(alarm), AlarmRule=sub(rule))
    _notify(stack, alarm, resource)
    stack.add_main(alarm, resource)


def _queue_name(stack: Stack, alarm: Alarm) -> Any:
    if isinstance(alarm.queue, DeadLetters):
        return attribute(own_dead_letters(alarm.queue.owner), "QueueName")
    return resolved(alarm.queue.queue_name, stack.stage)


def _notify(stack: Stack, alarm: Alarm | CompositeAlarm, resource: Any) -> None:
    for topic in alarm.notify:
        allow_publishing(stack, topic, CLOUDWATCH)
    if alarm.notify:
        resource.AlarmActions = [main_arn(topic) for topic in alarm.notify]
