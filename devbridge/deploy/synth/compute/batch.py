"""Jobs in AWS Batch: a job definition each, and the machines that they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import FileSystem, Job
from devbridge.constructs.compute import Batch
from devbridge.deploy import resource_types as types
from devbridge.deploy.policies import Json, allow
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.resource_types import ResourceType, made
from devbridge.deploy.synth.compute import containers, machines, parts
from devbridge.deploy.synth.compute.machines import Machines
from devbridge.deploy.synth.file_systems import access_point, bound
from devbridge.deploy.synth.placement import in_cloud
from devbridge.deploy.synth.stack import Stack
from devbridge.packing.assets import Shape
from devbridge.runs.providers.base import INTERRUPTED

DEFINITION: Final = made("AWS::Batch::JobDefinition", "JobDefinitionName")
_ATTEMPTS: Final = 3
_HANDED_OVER: Final = {"OnExitCode": str(INTERRUPTED)}
"""What the runner alone means by it: a command of the user's may have that exit code, too."""
_INFRASTRUCTURE: Final = (
    {"OnStatusReason": "Host EC2*"},
    {"OnStatusReason": "Your Spot Task was interrupted*"},
)
"""What is nobody's failure, and tried again on another machine. All else the runner has dealt with,
or it is the end: without a last rule that matches everything, Batch would try that again."""
_LEAST_SECONDS: Final = 60
"""The shortest timeout that Batch has."""
_ENDED: Final = ("FAILED", "SUCCEEDED")


class InBatch:
    """Batch, as `base.Compute`."""

    name: Final = Batch.name
    makes: Final[tuple[ResourceType, ...]] = (
        DEFINITION,
        machines.QUEUE,
        machines.ENVIRONMENT,
        machines.LAUNCH_TEMPLATE,
        machines.PROFILE,
        types.ROLE,
    )
    first: Final[tuple[str, ...]] = ()
    shape: Final = Shape(brings_sdk=False)

    def networked(self, job: Job) -> bool:
        """See `Compute.networked`."""
        return job.vpc is None

    def add_shared(self, stack: Stack, jobs: Sequence[Job]) -> None:
        """See `Compute.add_shared`: the machines. While nothing runs, there are none."""
        machines.add_role(stack)
        shared: dict[Machines, list[Job]] = {}
        for job in jobs:
            shared.setdefault(Machines.of(stack, job), []).append(job)
        for asked, own in shared.items():
            machines.add_machines(stack, asked, own)

    def add(self, stack: Stack, job: Job) -> None:
        """See `Compute.add`: a job definition."""
        if in_cloud(job, stack.settings):
            _add_definition(stack, job)
        else:
            parts.add_role(stack, job, containers.SERVICE, [])

    def place(self, stack: Stack, job: Job) -> Json:
        """See `Compute.place`."""
        return {
            "queue": f"${{{Machines.of(stack, job).queue}}}",
            "definition": f"${{{_title(job)}}}",
        }

    def invoker_grants(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """See `Compute.invoker_grants`. Of jobs that were submitted nobody knows the names."""
        queues = dict.fromkeys(Machines.of(stack, job).queue_name(stack) for job in jobs)
        definitions = [names.project(job, stack.stage) for job in jobs]
        return [
            allow(
                ["batch:SubmitJob"],
                [
                    *(arn("batch", f"job-queue/{queue}") for queue in queues),
                    *(arn("batch", f"job-definition/{name}:*") for name in definitions),
                ],
            ),
            allow(["batch:DescribeJobs", "batch:ListJobs"], ["*"]),
            allow(["batch:TerminateJob"], [arn("batch", "job/*")]),
        ]

    def left(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """See `Compute.left`: nothing; what is known of a run is in S3."""
        del stack, jobs
        return []

    def passed(self, stack: Stack, job: Job) -> list[Json]:
        """See `Compute.passed`: nothing; whose roles jobs have, their definition says."""
        del stack, job
        return []

    def ended(self, stack: Stack, job: Job) -> Json | None:
        """See `Compute.ended`."""
        name = names.project(job, stack.stage)
        return {
            "source": ["aws.batch"],
            "detail-type": ["Batch Job State Change"],
            "detail": {
                "status": list(_ENDED),
                "jobDefinition": [{"prefix": arn("batch", f"job-definition/{name}:")}],
            },
        }


def _title(job: Job) -> str:
    return names.logical(job, "Definition")


def _add_definition(stack: Stack, job: Job) -> None:
    from troposphere import batch

    role, execution, logs = containers.add_roles(stack, job)
    task = batch.EcsTaskProperties(
        Containers=[_container(stack, job, logs)],
        TaskRoleArn=arn_of(role),
        ExecutionRoleArn=arn_of(execution),
    )
    if systems := list(bound(job)):
        task.Volumes = [_volume(files) for files in systems]
    causes = _INFRASTRUCTURE if job.container else (_HANDED_OVER, *_INFRASTRUCTURE)
    retries = [
        *(batch.EvaluateOnExit(Action="RETRY", **cause) for cause in causes),
        batch.EvaluateOnExit(Action="EXIT", OnReason="*"),
    ]
    definition = batch.JobDefinition(
        _title(job),
        JobDefinitionName=names.project(job, stack.stage),
        Type="container",
        PlatformCapabilities=["EC2"],
        PropagateTags=True,
        RetryStrategy=batch.RetryStrategy(Attempts=_ATTEMPTS, EvaluateOnExit=retries),
        Timeout=batch.Timeout(AttemptDurationSeconds=_seconds(job)),
        # Not ContainerProperties, which have no time to stop.
        EcsProperties=batch.EcsProperties(TaskProperties=[task]),
    )
    stack.add_main(job, definition, job.tags)


def _seconds(job: Job) -> int:
    """How long one of Batch's attempts may take: all of the runner's."""
    return max(_LEAST_SECONDS, math.ceil(parts.total_seconds(job) + parts.SPARE_SECONDS))


def _container(stack: Stack, job: Job, logs: str) -> Any:
    from troposphere import batch

    asked = job.compute
    assert isinstance(asked, Batch)  # noqa: S101 - who calls this knows
    sizes = {"VCPU": asked.cpu, "MEMORY": job.memory_mb, "GPU": asked.gpu}
    return batch.TaskContainerProperties(
        Command=containers.command(job),
        ResourceRequirements=[
            batch.ResourceRequirement(Type=kind, Value=parts.number(size))
            for kind, size in sizes.items()
            if size
        ],
        **containers.definition(stack, job, logs, batch, batch.MountPoints),
    )


def _volume(files: FileSystem) -> Any:
    """A file system: with TLS, and with the job's role."""
    from troposphere import batch

    return batch.Volumes(
        Name=files.name,
        EfsVolumeConfiguration=batch.EfsVolumeConfiguration(
            FileSystemId=ref(names.logical(files)),
            TransitEncryption="ENABLED",
            AuthorizationConfig=batch.AuthorizationConfig(
                AccessPointId=ref(access_point(files)), Iam="ENABLED"
            ),
        ),
    )
