"""Jobs in AWS CodeBuild: a project, its machine, and what its builds start from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job, values
from devbridge.deploy.pins import Pin
from devbridge.deploy.policies import Json, allow
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.resource_types import ResourceType, made
from devbridge.deploy.synth.compute import images, parts
from devbridge.deploy.synth.compute.buildspecs import PLACEHOLDER, buildspec, container_buildspec
from devbridge.deploy.synth.placement import in_cloud
from devbridge.deploy.synth.stack import Stack
from devbridge.languages.base import Build
from devbridge.languages.known import language_of
from devbridge.packing.assets import Shape

SERVICE: Final = "codebuild.amazonaws.com"
PACKAGES: Final = "packages"
"""The identifier of the source with what a job imports: the runner looks for it."""
MIN_MINUTES, MAX_MINUTES = (limit // timedelta(minutes=1) for limit in values.BUILD_TIMEOUT)
"""The shortest and the longest timeout that CodeBuild has."""
QUEUED_MINUTES: Final = 8 * 60
"""The longest time that CodeBuild keeps a build waiting for a machine."""

_COMPUTE: Final = {
    3 * 1024: "BUILD_GENERAL1_SMALL",
    7 * 1024: "BUILD_GENERAL1_MEDIUM",
    15 * 1024: "BUILD_GENERAL1_LARGE",
    145 * 1024: "BUILD_GENERAL1_2XLARGE",
}
_MACHINE: Final = {
    "x86_64": ("LINUX_CONTAINER", "aws/codebuild/amazonlinux-x86_64-standard:5.0"),
    "arm64": ("ARM_CONTAINER", "aws/codebuild/amazonlinux-aarch64-standard:3.0"),
}
_CURATED: Final = {
    "x86_64": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
    "arm64": "aws/codebuild/amazonlinux-aarch64-standard:4.0",
}
"""CodeBuild's own images from which builds choose versions: they have Node 22 and 24, and Python.
See "Available runtimes" in CodeBuild's user guide. CodeBuild refuses to pull them with a project's
role: "When you use an CodeBuild curated image, you must use CODEBUILD credentials" (API reference,
ProjectEnvironment, imagePullCredentialsType)."""
_ENDED: Final = ("FAILED", "FAULT", "STOPPED", "SUCCEEDED", "TIMED_OUT")


def pins(properties: Mapping[str, Any]) -> Iterator[Pin]:
    """The pins of an ``AWS::CodeBuild::Project``: its code, and its packages."""
    yield _key(properties.get("Source")), properties.get("SourceVersion", "")
    versions = {
        each.get("SourceIdentifier"): each.get("SourceVersion", "")
        for each in properties.get("SecondarySourceVersions") or ()
    }
    for source in properties.get("SecondarySources") or ():
        yield _key(source), versions.get(source.get("SourceIdentifier"), "")


def _key(source: Mapping[str, Any] | None) -> str:
    return str((source or {}).get("Location", "")).partition("/")[2]


PROJECT: Final = made("AWS::CodeBuild::Project", "Name", pins=pins)


class InCodeBuild:
    """CodeBuild, as `base.Compute`."""

    name: Final = "codebuild"
    makes: Final[tuple[ResourceType, ...]] = (PROJECT,)
    first: Final[tuple[str, ...]] = ("codebuild:CreateProject",)
    shape: Final = Shape()

    def networked(self, job: Job) -> bool:
        """See `Compute.networked`: builds have a network of CodeBuild's own."""
        del job
        return False

    def add_shared(self, stack: Stack, jobs: Sequence[Job]) -> None:
        """See `Compute.add_shared`: nothing."""

    def add(self, stack: Stack, job: Job) -> None:
        """See `Compute.add`: a project; an empty one where builds never run it."""
        add_project(stack, job)

    def place(self, stack: Stack, job: Job) -> Json:
        """See `Compute.place`."""
        return {"project": names.project(job, stack.stage)}

    def invoker_grants(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """See `Compute.invoker_grants`."""
        actions = ["StartBuild", "StopBuild", "BatchGetBuilds"]
        return [
            allow(
                [f"codebuild:{action}" for action in actions],
                [_project_arn(stack, job) for job in jobs],
            )
        ]

    def left(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """See `Compute.left`: builds outlive their project, and have the only record."""
        actions = ["codebuild:BatchGetBuilds", "codebuild:StopBuild"]
        return [allow(actions, [_project_arn(stack, job) for job in jobs])]

    def passed(self, stack: Stack, job: Job) -> list[Json]:
        """See `Compute.passed`: nothing."""
        del stack, job
        return []

    def ended(self, stack: Stack, job: Job) -> Json | None:
        """See `Compute.ended`: a build tells itself how it has ended; who waits for its turn must
        hear of it, and who gives up the message of one that has died."""
        if not job.concurrency and not job.triggers:
            return None
        return {
            "source": ["aws.codebuild"],
            "detail-type": ["CodeBuild Build State Change"],
            "detail": {
                "project-name": [names.project(job, stack.stage)],
                "build-status": list(_ENDED),
            },
        }


def add_project(stack: Stack, job: Job) -> None:
    """Add a job's project with its role; an empty one where builds never run it."""
    from troposphere import codebuild

    name, real = names.project(job, stack.stage), in_cloud(job, stack.settings)
    log_group = parts.add_logs(stack, job)
    role = parts.add_role(
        stack,
        job,
        SERVICE,
        _run_in_build(stack, job) if real else [],
        log_group=log_group,
        first=_network(job),
    )
    source, secondary = _sources(stack, job, real)
    project = codebuild.Project(
        names.logical(job, "Project"),
        Name=name,
        Description=f"devbridge job {job.name}",
        Artifacts=codebuild.Artifacts(Type="NO_ARTIFACTS"),
        Source=source,
        Environment=_environment(stack, job, real),
        LogsConfig=codebuild.LogsConfig(
            CloudWatchLogs=codebuild.CloudWatchLogs(Status="ENABLED", GroupName=ref(log_group))
        ),
        ServiceRole=arn_of(role),
        TimeoutInMinutes=timeout_minutes(job),
        QueuedTimeoutInMinutes=QUEUED_MINUTES,
    )
    if secondary:
        project.SecondarySources = secondary
    _pin(stack, job, project)
    if job.vpc:
        project.VpcConfig = codebuild.VpcConfig(
            VpcId=job.vpc.id,
            Subnets=list(job.vpc.subnets),
            SecurityGroupIds=list(job.vpc.security_groups),
        )
    stack.add_main(job, project, job.tags)


def _environment(stack: Stack, job: Job, real: bool) -> Any:
    """The machine of the builds, its image and its variables."""
    from troposphere import codebuild

    machine, image = _MACHINE[job.architecture]
    environment = codebuild.Environment(
        Type=machine,
        Image=image,
        ComputeType=_COMPUTE[job.memory_mb],
        EnvironmentVariables=[
            codebuild.EnvironmentVariable(Name=key, Value=value, Type="PLAINTEXT")
            for key, value in _variables(stack, job, real).items()
        ],
    )
    if real:
        build = _build(stack, job)
        environment.Image = build.image or _CURATED[job.architecture]
        environment.ImagePullCredentialsType = "SERVICE_ROLE" if build.image else "CODEBUILD"
    return environment


def _sources(stack: Stack, job: Job, real: bool) -> tuple[Any, list[Any]]:
    """What builds start from: the primary source, and the secondary ones."""
    from troposphere import codebuild

    if not real:
        return codebuild.Source(Type="NO_SOURCE", BuildSpec=PLACEHOLDER), []
    if job.container:
        spec = container_buildspec(job.container.cmd, parts.delays(job))
        return codebuild.Source(Type="NO_SOURCE", BuildSpec=spec), []
    code, *packages = (f"{stack.assets.bucket}/{key}" for key in parts.zips(stack, job))
    spec = buildspec(_build(stack, job).runtimes)
    return codebuild.Source(Type="S3", Location=code, BuildSpec=spec), [
        codebuild.Source(Type="S3", Location=location, SourceIdentifier=PACKAGES)
        for location in packages
    ]


def _pin(stack: Stack, job: Job, project: Any) -> None:
    """Have builds start from the verified versions, whatever is written over the zips later."""
    from troposphere import codebuild

    if job.container or not in_cloud(job, stack.settings):
        return
    code, *packages = (stack.assets.versions.get(key) for key in parts.zips(stack, job))
    if code:
        project.SourceVersion = code
    if versions := [version for version in packages if version]:
        project.SecondarySourceVersions = [
            codebuild.ProjectSourceVersion(SourceIdentifier=PACKAGES, SourceVersion=version)
            for version in versions
        ]


def timeout_minutes(job: Job) -> int:
    """How long a build may take: all attempts with the delays between them. Pure."""
    seconds = parts.total_seconds(job)
    if not job.container:
        seconds += parts.SPARE_SECONDS
    return min(MAX_MINUTES, max(MIN_MINUTES, math.ceil(seconds / 60)))


def _build(stack: Stack, job: Job) -> Build:
    """What its builds run in."""
    if job.container:
        return Build(stack.assets.images[job.name])
    own = images.own(job, stack.settings)
    return language_of(job).deployed.build(stack.runtime(job), job.architecture, own)


def _variables(stack: Stack, job: Job, real: bool) -> Json:
    runner: dict[str, str] = {}
    if real:
        own = {} if job.container else _build(stack, job).variables
        runner = {**parts.runner_variables(stack, job), **own}
    return parts.variables(stack, job, runner)


def _run_in_build(stack: Stack, job: Job) -> list[Json]:
    """What a build needs beside what its job does."""
    image = _build(stack, job).image
    if job.container:
        return images.pull(image)
    return [
        allow(["s3:GetBucketLocation"], [arn("s3", stack.assets.bucket)]),
        parts.reads_zips(stack, job),
        *parts.keeps_runs(stack, job, tells=False),
        *images.pull(image),
    ]


def _network(job: Job) -> list[Json]:
    """What CodeBuild needs to run a project in a VPC, from its documentation."""
    if not job.vpc:
        return []
    actions = [
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "DescribeDhcpOptions",
        "DescribeNetworkInterfaces",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcs",
    ]
    subnets = [arn("ec2", f"subnet/{subnet}") for subnet in job.vpc.subnets]
    return [
        allow([f"ec2:{action}" for action in actions], ["*"]),
        allow(
            ["ec2:CreateNetworkInterfacePermission"],
            [arn("ec2", "network-interface/*")],
            {
                "StringEquals": {"ec2:AuthorizedService": "codebuild.amazonaws.com"},
                "ArnEquals": {"ec2:Subnet": subnets},
            },
        ),
    ]


def _project_arn(stack: Stack, job: Job) -> Any:
    # By name: by reference, a job that binds a job would depend on itself.
    return arn("codebuild", f"project/{names.project(job, stack.stage)}")
