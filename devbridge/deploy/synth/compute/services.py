"""Tasks that never stop: a service of Amazon ECS that reads a job's queue, and what scales it.

Two alarms look at the messages that wait or are worked on. While there are any, one has as many
tasks as they need; when there were none for some minutes, the other has as few as there may be. One
of the two is always on, so whatever has changed the number of tasks, a deployment too, it is right
again a minute later. Tracking a target could not begin at zero ("Scaling based on Amazon SQS").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job
from devbridge.constructs.compute import Workers
from devbridge.deploy import resource_types as types
from devbridge.deploy.policies import Json, allow
from devbridge.deploy.references import arn, ref, sub
from devbridge.deploy.resource_types import ResourceType, made
from devbridge.deploy.synth.compute import containers
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.known import listening
from devbridge.deploy.synth.triggers.queues import read_by_workers

SERVICE: Final = made(
    "AWS::ECS::Service",
    *("Cluster", "Role", "SchedulingStrategy", "ServiceName"),
)
TARGET: Final = made(
    "AWS::ApplicationAutoScaling::ScalableTarget",
    *("ResourceId", "ScalableDimension", "ServiceNamespace"),
)
POLICY: Final = made(
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    *("PolicyName", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace"),
)
MAKES: Final[tuple[ResourceType, ...]] = (SERVICE, TARGET, POLICY, types.ALARM)
IDLE: Final = 3
"""Minutes without any message, after which there are as few tasks as there may be."""
_MINUTE: Final = 60
_METRICS: Final = {
    "waiting": "ApproximateNumberOfMessagesVisible",
    "taken": "ApproximateNumberOfMessagesNotVisible",
}


def protects(stack: Stack) -> Json:
    """That a task may tell ECS not to end it while it works on a message that takes long."""
    cluster = names.cluster(stack.app.name, stack.stage)
    actions = ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"]
    return allow(actions, [arn("ecs", f"task/{cluster}/*")])


def variables(stack: Stack, job: Job) -> Json:
    """What a task must know beside what a run does."""
    from troposphere import Join

    from runner.host.worker import BATCH, QUEUE  # with a server, which only tasks need

    queue, _, batch = read_by_workers(stack, job)
    return {
        QUEUE: queue,
        BATCH: str(batch),
        "DEVBRIDGE_PROJECT": names.project(job, stack.stage),
        "DEVBRIDGE_TRIGGERS": Join(*listening(stack, job)["Fn::Join"]),
    }


def add(stack: Stack, job: Job, cluster: Any, task: Any, provider: str) -> None:
    """Add the service, and what scales it.

    Args:
        task: the reference to the definition of its tasks.
        provider: the capacity provider that runs them.
    """
    from troposphere import ecs

    network = stack.network(job.vpc)
    service = ecs.Service(
        names.logical(job, "Workers"),
        Cluster=cluster,
        TaskDefinition=task,
        # Without a number: the first one proves that it starts, and later deployments keep what
        # the alarms have made of it.
        CapacityProviderStrategy=[
            ecs.CapacityProviderStrategyItem(CapacityProvider=provider, Weight=1)
        ],
        NetworkConfiguration=ecs.NetworkConfiguration(
            AwsvpcConfiguration=ecs.AwsvpcConfiguration(
                Subnets=list(network.subnets),
                SecurityGroups=list(network.groups),
                AssignPublicIp="ENABLED" if containers.is_public(job) else "DISABLED",
            )
        ),
        DeploymentConfiguration=ecs.DeploymentConfiguration(
            DeploymentCircuitBreaker=ecs.DeploymentCircuitBreaker(Enable=True, Rollback=True)
        ),
        PropagateTags="SERVICE",
    )
    stack.add(str(job), service, job.tags)
    _add_scaling(stack, job)


def _add_scaling(stack: Stack, job: Job) -> None:
    from troposphere import applicationautoscaling as scaling

    workers = job.compute.workers
    assert workers  # noqa: S101 - who calls this knows
    target = scaling.ScalableTarget(
        names.logical(job, "Scaled"),
        ServiceNamespace="ecs",
        ScalableDimension="ecs:service:DesiredCount",
        ResourceId=sub(
            f"service/{names.cluster(stack.app.name, stack.stage)}"
            f"/${{{names.logical(job, 'Workers')}.Name}}"
        ),
        MinCapacity=workers.min,
        MaxCapacity=workers.max,
    )
    stack.add(str(job), target, job.tags)
    _add_policy(stack, job, "Busy", 1, _busy(workers))
    _add_policy(stack, job, "Idle", IDLE, [(None, 0, workers.min)])


Step = tuple[int | None, int | None, int]
"""From which difference to the alarm's threshold on, up to which, and how many tasks then."""


def _busy(workers: Workers) -> list[Step]:
    steps = list(workers.steps())
    ends: list[int | None] = [first - 1 for first, _ in steps[1:]]
    return [
        (first - 1, end, tasks) for (first, tasks), end in zip(steps, [*ends, None], strict=True)
    ]


def _add_policy(stack: Stack, job: Job, name: str, minutes: int, steps: Sequence[Step]) -> None:
    """Add a policy and its alarm, of messages being there (Busy), or none for minutes (Idle)."""
    from troposphere import applicationautoscaling as scaling
    from troposphere import cloudwatch

    policy = scaling.ScalingPolicy(
        names.logical(job, name),
        PolicyName=name.lower(),
        PolicyType="StepScaling",
        ScalingTargetId=ref(names.logical(job, "Scaled")),
        StepScalingPolicyConfiguration=scaling.StepScalingPolicyConfiguration(
            AdjustmentType="ExactCapacity",
            Cooldown=_MINUTE,
            MetricAggregationType="Maximum",
            StepAdjustments=[_step(*step) for step in steps],
        ),
    )
    busy = name == "Busy"
    alarm = cloudwatch.Alarm(
        names.logical(job, f"{name}Alarm"),
        AlarmDescription=f"{job}: messages for its workers"
        if busy
        else f"{job}: no message for its workers",
        Metrics=_backlog(stack, job),
        EvaluationPeriods=minutes,
        Threshold=1,
        ComparisonOperator=f"{'GreaterThanOrEqualTo' if busy else 'LessThan'}Threshold",
        # SQS tells nothing of a queue that nobody has used for six hours.
        TreatMissingData="notBreaching" if busy else "breaching",
        AlarmActions=[ref(names.logical(job, name))],
    )
    stack.add(str(job), policy)
    stack.add(str(job), alarm)


def _step(first: int | None, end: int | None, tasks: int) -> Any:
    from troposphere import applicationautoscaling as scaling

    bounds = {"MetricIntervalLowerBound": first, "MetricIntervalUpperBound": end}
    given = {key: value for key, value in bounds.items() if value is not None}
    return scaling.StepAdjustment(ScalingAdjustment=tasks, **given)


def _backlog(stack: Stack, job: Job) -> list[Any]:
    """The metric of messages that wait or are worked on."""
    from troposphere import cloudwatch

    _, queue, _ = read_by_workers(stack, job)
    found = [
        cloudwatch.MetricDataQuery(
            Id=key,
            MetricStat=cloudwatch.MetricStat(
                Metric=cloudwatch.Metric(
                    Namespace="AWS/SQS",
                    MetricName=metric,
                    Dimensions=[cloudwatch.MetricDimension(Name="QueueName", Value=queue)],
                ),
                Period=_MINUTE,
                Stat="Maximum",
            ),
            ReturnData=False,
        )
        for key, metric in _METRICS.items()
    ]
    total = cloudwatch.MetricDataQuery(
        Id="backlog", Expression=" + ".join(_METRICS), Label="backlog", ReturnData=True
    )
    return [*found, total]
