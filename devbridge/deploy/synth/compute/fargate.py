"""Jobs in AWS Fargate: a task definition of Amazon ECS, and a cluster that a stage's jobs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import FileSystem, Job
from devbridge.constructs.compute import Fargate
from devbridge.deploy.policies import Json, allow
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.resource_types import ResourceType, made
from devbridge.deploy.synth.compute import containers, parts, services
from devbridge.deploy.synth.file_systems import access_point, bound
from devbridge.deploy.synth.placement import in_cloud
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.mappings import reads_itself
from devbridge.packing.assets import Shape
from devbridge.runs.providers.containers import CONTAINER

TASK_DEFINITION: Final = made(
    "AWS::ECS::TaskDefinition",
    *("ContainerDefinitions", "Cpu", "EnableFaultInjection", "EphemeralStorage"),
    *("ExecutionRoleArn", "Family", "InferenceAccelerators", "IpcMode", "Memory", "NetworkMode"),
    *("PidMode", "PlacementConstraints", "ProxyConfiguration", "RequiresCompatibilities"),
    *("RuntimePlatform", "TaskRoleArn", "Volumes"),
    revised=True,
)
CLUSTER: Final = made("AWS::ECS::Cluster", "ClusterName")
_CLUSTER_TITLE: Final = "Cluster"
_SPOT: Final = "FARGATE_SPOT"
_ARCHITECTURES: Final = {"x86_64": "X86_64", "arm64": "ARM64"}


class InFargate:
    """Fargate, as `base.Compute`."""

    name: Final = Fargate.name
    makes: Final[tuple[ResourceType, ...]] = (TASK_DEFINITION, CLUSTER, *services.MAKES)
    first: Final[tuple[str, ...]] = ()
    shape: Final = Shape(brings_sdk=False)

    def networked(self, job: Job) -> bool:
        """See `Compute.networked`."""
        return job.vpc is None

    def add_shared(self, stack: Stack, jobs: Sequence[Job]) -> None:
        """See `Compute.add_shared`: the cluster, which costs nothing."""
        from troposphere import ecs

        del jobs
        cluster = ecs.Cluster(
            _CLUSTER_TITLE,
            ClusterName=names.cluster(stack.app.name, stack.stage),
            CapacityProviders=["FARGATE", _SPOT],
        )
        stack.add("the cluster", cluster)

    def add(self, stack: Stack, job: Job) -> None:
        """See `Compute.add`: a task definition."""
        if in_cloud(job, stack.settings):
            _add_task(stack, job)
        else:
            parts.add_role(stack, job, containers.SERVICE, [])

    def place(self, stack: Stack, job: Job) -> Json:
        """See `Compute.place`."""
        network = stack.network(job.vpc)
        return {
            "cluster": names.cluster(stack.app.name, stack.stage),
            "definition": f"${{{_title(job)}}}",
            "container": CONTAINER,
            "subnets": list(network.subnets),
            "groups": list(network.groups),
            "publicIp": containers.is_public(job),
            "spot": _asked(job).spot,
        }

    def invoker_grants(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """See `Compute.invoker_grants`."""
        cluster = names.cluster(stack.app.name, stack.stage)
        there = {"ArnEquals": {"ecs:cluster": arn("ecs", f"cluster/{cluster}")}}
        families = [names.project(job, stack.stage) for job in jobs]
        return [
            allow(
                ["ecs:RunTask"],
                [arn("ecs", f"task-definition/{family}:*") for family in families],
                there,
            ),
            allow(["ecs:DescribeTasks", "ecs:StopTask"], [arn("ecs", f"task/{cluster}/*")]),
        ]

    def left(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """See `Compute.left`: nothing; what is known of a run is in S3."""
        del stack, jobs
        return []

    def passed(self, stack: Stack, job: Job) -> list[Json]:
        """See `Compute.passed`: the roles that a task gets."""
        del stack
        roles = [arn_of(names.logical(job, role)) for role in ("Role", "ExecutionRole")]
        to = {"StringEquals": {"iam:PassedToService": containers.SERVICE}}
        return [allow(["iam:PassRole"], roles, to)]

    def ended(self, stack: Stack, job: Job) -> Json | None:
        """See `Compute.ended`: a task that has stopped."""
        family = names.project(job, stack.stage)
        return {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {
                "lastStatus": ["STOPPED"],
                "taskDefinitionArn": [{"prefix": arn("ecs", f"task-definition/{family}:")}],
            },
        }


def _title(job: Job) -> str:
    return names.logical(job, "Task")


def _asked(job: Job) -> Fargate:
    assert isinstance(job.compute, Fargate)  # noqa: S101 - who calls this knows
    return job.compute


def _add_task(stack: Stack, job: Job) -> None:
    serves = bool(_asked(job).workers) and reads_itself(stack, job)
    own = [services.protects(stack)] if serves else []
    role, execution, logs = containers.add_roles(stack, job, own)
    family = names.project(job, stack.stage)
    stack.add_main(job, _task(stack, job, _title(job), family, (role, execution, logs)), job.tags)
    if serves:
        title, reads = names.logical(job, "WorkerTask"), services.variables(stack, job)
        roles = (role, execution, logs)
        task = _task(stack, job, title, f"{family}_worker", roles, reads)
        stack.add(str(job), task, job.tags)
        provider = _SPOT if _asked(job).spot else "FARGATE"
        services.add(stack, job, ref(_CLUSTER_TITLE), ref(title), provider)


def _task(
    stack: Stack,
    job: Job,
    title: str,
    family: str,
    roles: tuple[str, str, str],
    more: Mapping[str, Any] = {},
) -> Any:
    """A definition of what runs the job.

    Args:
        roles: the titles of the job's role, of that of ECS, and of the log group.
        more: further variables.
    """
    from troposphere import ecs

    asked, (role, execution, logs) = _asked(job), roles
    task = ecs.TaskDefinition(
        title,
        Family=family,
        RequiresCompatibilities=["FARGATE"],
        NetworkMode="awsvpc",
        Cpu=str(int(asked.cpu * 1024)),
        Memory=str(job.memory_mb),
        RuntimePlatform=ecs.RuntimePlatform(
            CpuArchitecture=_ARCHITECTURES[job.architecture], OperatingSystemFamily="LINUX"
        ),
        TaskRoleArn=arn_of(role),
        ExecutionRoleArn=arn_of(execution),
        ContainerDefinitions=[_container(stack, job, logs, more)],
    )
    if systems := list(bound(job)):
        task.Volumes = [_volume(files) for files in systems]
    if asked.disk_gb:
        task.EphemeralStorage = ecs.EphemeralStorage(SizeInGiB=asked.disk_gb)
    return task


def _container(stack: Stack, job: Job, logs: str, more: Mapping[str, Any]) -> Any:
    from troposphere import ecs

    return ecs.ContainerDefinition(
        # As the command, it would be given to what the image starts by itself, if it does.
        EntryPoint=containers.command(job),
        **containers.definition(stack, job, logs, ecs, ecs.MountPoint, more),
    )


def _volume(files: FileSystem) -> Any:
    """A file system: with TLS, and with the job's role."""
    from troposphere import ecs

    return ecs.Volume(
        Name=files.name,
        EFSVolumeConfiguration=ecs.EFSVolumeConfiguration(
            FilesystemId=ref(names.logical(files)),
            TransitEncryption="ENABLED",
            AuthorizationConfig=ecs.AuthorizationConfig(
                AccessPointId=ref(access_point(files)), IAM="ENABLED"
            ),
        ),
    )
