"""The machines of AWS Batch: a compute environment and a queue, which the jobs of a stage share
that ask for the same, and the role that all machines of a stage have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job
from devbridge.constructs.compute import Batch
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn_of, attribute, ref, sub
from devbridge.deploy.resource_types import made
from devbridge.deploy.synth.stack import Stack

ENVIRONMENT: Final = made(
    "AWS::Batch::ComputeEnvironment", "ComputeEnvironmentName", "Tags", "Type"
)
QUEUE: Final = made("AWS::Batch::JobQueue", "JobQueueName", "JobQueueType")
LAUNCH_TEMPLATE: Final = made("AWS::EC2::LaunchTemplate", "LaunchTemplateName")
PROFILE: Final = made("AWS::IAM::InstanceProfile", "InstanceProfileName", "Path")

STUCK: Final[Mapping[str, int]] = {
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": 600,
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": 600,
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": 4 * 3600,
}
"""After how many seconds a run at the head of its queue is given up, by the reason why it has no
machine, as Batch calls them (user guide, "Jobs stuck in a RUNNABLE status"). What is configured
wrong stays so; of what there is too little, there may be more soon."""
_ROLE: Final = "MachineRole"
_PROFILE: Final = "MachineProfile"
_POLICY: Final = "service-role/AmazonEC2ContainerServiceforEC2Role"
_ROOT_DEVICE: Final = "/dev/xvda"
"""Of AWS's images of Amazon Linux 2023 for ECS."""


@dataclass(frozen=True, slots=True)
class Machines:
    """What jobs ask for; those that ask for the same share it."""

    types: tuple[str, ...]
    gpu: bool
    spot: bool
    disk_gb: int | None
    max_vcpus: int
    subnets: tuple[str, ...]
    groups: tuple[str, ...]

    @staticmethod
    def of(stack: Stack, job: Job) -> Machines:
        """Those of a job."""
        asked, network = job.compute, stack.network(job.vpc)
        assert isinstance(asked, Batch)  # noqa: S101 - who calls this knows
        return Machines(
            types=tuple(asked.machines(job.architecture)),
            gpu=asked.gpu > 0,
            spot=asked.spot,
            disk_gb=asked.disk_gb,
            max_vcpus=asked.max_vcpus,
            subnets=network.subnets,
            groups=network.groups,
        )

    @property
    def digest(self) -> str:
        """Names them."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:8]

    @property
    def queue(self) -> str:
        """The id of their queue in the template."""
        return f"BatchQueue{self.digest}"

    def queue_name(self, stack: Stack) -> str:
        """The name of their queue."""
        return f"{stack.app.name}_{stack.stage}_{self.digest}"


def add_role(stack: Stack) -> None:
    """Add what all machines may: to be machines of ECS. What a job may, its own role says."""
    from troposphere import iam

    policy = sub(f"arn:${{AWS::Partition}}:iam::aws:policy/{_POLICY}")
    stack.role("the machines", _ROLE, [trust("ec2.amazonaws.com")], [], managed=[policy])
    path = names.path(stack.app.name, stack.stage)
    stack.add("the machines", iam.InstanceProfile(_PROFILE, Path=path, Roles=[ref(_ROLE)]))


def add_machines(stack: Stack, machines: Machines, jobs: Sequence[Job]) -> None:
    """Add the environment and the queue of these jobs, which ask for the same."""
    from troposphere import batch

    label = f"the machines of {', '.join(map(str, jobs))}"
    template = stack.add(label, _launch_template(machines))
    resources = batch.ComputeResources(
        Type="SPOT" if machines.spot else "EC2",
        AllocationStrategy="SPOT_CAPACITY_OPTIMIZED" if machines.spot else "BEST_FIT_PROGRESSIVE",
        MinvCpus=0,
        MaxvCpus=machines.max_vcpus,
        InstanceTypes=list(machines.types),
        InstanceRole=arn_of(_PROFILE),
        Subnets=list(machines.subnets),
        SecurityGroupIds=list(machines.groups),
        LaunchTemplate=batch.LaunchTemplateSpecification(
            LaunchTemplateId=ref(template), Version=attribute(template, "LatestVersionNumber")
        ),
        Ec2Configuration=[
            batch.Ec2ConfigurationObject(
                ImageType="ECS_AL2023_NVIDIA" if machines.gpu else "ECS_AL2023"
            )
        ],
        Tags={"devbridge:app": stack.app.name, "devbridge:stage": stack.stage, **stack.app.tags},
    )
    # It has no name, so that it can be replaced; and no service role: that is AWS's own, the one
    # with which an environment can be changed.
    environment = batch.ComputeEnvironment(
        f"BatchMachines{machines.digest}",
        Type="MANAGED",
        State="ENABLED",
        ComputeResources=resources,
    )
    title = stack.add(label, environment)
    queue = batch.JobQueue(
        machines.queue,
        JobQueueName=machines.queue_name(stack),
        Priority=1,
        State="ENABLED",
        ComputeEnvironmentOrder=[
            batch.ComputeEnvironmentOrder(ComputeEnvironment=ref(title), Order=1)
        ],
        JobStateTimeLimitActions=[
            batch.JobStateTimeLimitAction(
                Action="CANCEL", MaxTimeSeconds=seconds, Reason=reason, State="RUNNABLE"
            )
            for reason, seconds in STUCK.items()
        ],
    )
    stack.add(label, queue)


def _launch_template(machines: Machines) -> Any:
    """How machines start: their disk encrypted, and who they are told to those alone who show that
    they run on them."""
    from troposphere import ec2

    disk = ec2.EBSBlockDevice(VolumeType="gp3", Encrypted=True, DeleteOnTermination=True)
    if machines.disk_gb:
        disk.VolumeSize = machines.disk_gb
    return ec2.LaunchTemplate(
        f"BatchStart{machines.digest}",
        LaunchTemplateData=ec2.LaunchTemplateData(
            BlockDeviceMappings=[
                ec2.LaunchTemplateBlockDeviceMapping(DeviceName=_ROOT_DEVICE, Ebs=disk)
            ],
            MetadataOptions=ec2.MetadataOptions(HttpTokens="required", HttpEndpoint="enabled"),
        ),
    )
