"""File systems that runs share, and how who binds them gets at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from devbridge import names
from devbridge.constructs import FileSystem, Function, Job
from devbridge.deploy.leftovers import FILE_SYSTEMS
from devbridge.deploy.policies import Json, allow, document
from devbridge.deploy.references import arn_of, ref
from devbridge.deploy.resource_types import made
from devbridge.deploy.synth.placement import in_cloud
from devbridge.deploy.synth.stack import Network, Settings, Stack, keep

FILE_SYSTEM: Final = made(
    "AWS::EFS::FileSystem",
    *("AvailabilityZoneName", "Encrypted", "KmsKeyId", "PerformanceMode"),
    holds_data=True,
    leftover=FILE_SYSTEMS,
)
ACCESS_POINT: Final = made(
    "AWS::EFS::AccessPoint", "ClientToken", "FileSystemId", "PosixUser", "RootDirectory"
)
MOUNT_TARGET: Final = made(
    "AWS::EFS::MountTarget",
    *("FileSystemId", "IpAddress", "IpAddressType", "Ipv6Address", "SubnetId"),
)
_NFS: Final = 2049
_OWNER: Final = "1000"
"""Who all files belong to, whoever runs as which user: so nobody is refused another one's."""


def is_there(files: FileSystem, settings: Settings) -> bool:
    """Whether it is in the cloud: on a deployed stage, or where something in the cloud has it. For
    the laptop it is a folder."""
    if settings.mode == "deployed":
        return True
    jobs = [job for job in files.app.of_type(Job) if in_cloud(job, settings)]
    return any(files in code.bind for code in (*jobs, *files.app.of_type(Function)))


def add_file_system(stack: Stack, files: FileSystem) -> None:
    """Add a file system that is encrypted, mounted with TLS and a role of IAM alone, and can be
    reached from its subnets."""
    from troposphere import Tags, efs

    if not is_there(files, stack.settings):
        return
    name = f"{stack.app.name}_{stack.stage}_{files.name}"
    system = efs.FileSystem(
        names.logical(files),
        Encrypted=True,
        PerformanceMode="generalPurpose",
        ThroughputMode="elastic",
        FileSystemTags=Tags(Name=name, **stack.app.tags),
        # With a policy, nobody is let in whom IAM does not allow to; this one allows nothing.
        FileSystemPolicy=document([_tls_only()]),
    )
    if files.encryption_key:
        system.KmsKeyId = files.encryption_key
    keep(system, files.removal, stack.settings.mode)
    title = stack.add_main(files, system)
    owner = {"OwnerUid": _OWNER, "OwnerGid": _OWNER, "Permissions": "0755"}
    point = efs.AccessPoint(
        access_point(files),
        FileSystemId=ref(title),
        PosixUser=efs.PosixUser(Uid=_OWNER, Gid=_OWNER),
        RootDirectory=efs.RootDirectory(Path="/devbridge", CreationInfo=efs.CreationInfo(**owner)),
        AccessPointTags=Tags(Name=name, **stack.app.tags),
    )
    stack.add(str(files), point)
    _add_targets(stack, files, stack.network(files.vpc))


def _tls_only() -> Json:
    return {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _add_targets(stack: Stack, files: FileSystem, network: Network) -> None:
    """An address in each zone, that the security groups of its network reach."""
    from troposphere import ec2, efs

    group = ec2.SecurityGroup(
        names.logical(files, "Group"),
        GroupDescription=f"reaches devbridge file system {files.name} of {stack.app.name}",
        VpcId=network.vpc,
        SecurityGroupIngress=[
            {
                "IpProtocol": "tcp",
                "FromPort": _NFS,
                "ToPort": _NFS,
                "SourceSecurityGroupId": source,
                "Description": "NFS",
            }
            for source in network.groups
        ],
    )
    title = stack.add(str(files), group)
    for target, subnet in _targets(stack, files).items():
        made = efs.MountTarget(
            target,
            FileSystemId=ref(names.logical(files)),
            SubnetId=subnet,
            SecurityGroups=[ref(title)],
        )
        stack.add(str(files), made)


def _targets(stack: Stack, files: FileSystem) -> dict[str, str]:
    """Its addresses' subnets by their ids, which are the subnets', too, so that a further one
    leaves the others alone. A zone has one address at most: other subnets of it reach that one."""
    subnets: dict[str, str] = {}
    for subnet in stack.network(files.vpc).subnets:
        subnets.setdefault(stack.settings.zones.get(subnet, subnet), subnet)
    return {
        names.logical(files, f"In{subnet.removeprefix('subnet-').capitalize()}"): subnet
        for subnet in subnets.values()
    }


def access_point(files: FileSystem) -> str:
    """The id of what it is mounted through."""
    return names.logical(files, "Access")


def ready(stack: Stack, code: Job | Function) -> list[str]:
    """The ids of what must be there before it can mount what it binds."""
    return [target for files in bound(code) for target in _targets(stack, files)]


def bound(code: Job | Function) -> Iterator[FileSystem]:
    """The file systems that some code binds."""
    return (each for each in code.bind if isinstance(each, FileSystem))


def may_mount(systems: Iterable[FileSystem]) -> list[Json]:
    """What a role needs to mount these, and to write to them: through their access points alone."""
    actions = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    return [
        allow(
            actions,
            [arn_of(names.logical(files))],
            {"StringEquals": {"elasticfilesystem:AccessPointArn": arn_of(access_point(files))}},
        )
        for files in systems
    ]


def mount(stack: Stack, function: Any, code: Job | Function) -> None:
    """Mount what a function of AWS Lambda binds."""
    from troposphere import awslambda

    if not (systems := list(bound(code))):
        return
    function.FileSystemConfigs = [
        awslambda.FileSystemConfig(Arn=arn_of(access_point(files)), LocalMountPath=files.mount)
        for files in systems
    ]
    before = getattr(function, "DependsOn", [])
    function.DependsOn = [*([before] if isinstance(before, str) else before), *ready(stack, code)]
