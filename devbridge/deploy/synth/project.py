"""A job's CodeBuild project: its role, its environment, and what its builds start from.

Everything that knows CodeBuild is here: another place for jobs to run would stand beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job, values
from devbridge.deploy.policies import KEY_USE, Json, allow, logs_of, permitted
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn, arn_of, ref, sub
from devbridge.deploy.synth.buildspecs import PLACEHOLDER, buildspec, container_buildspec, number
from devbridge.deploy.synth.placement import has_project
from devbridge.deploy.synth.stack import Stack
from devbridge.job import JOB_NAME
from devbridge.languages.base import Build
from devbridge.languages.known import language_of
from runner.outcome import retry_delay

PACKAGES: Final = "packages"
"""The identifier of the source with what a job imports: the runner looks for it."""
MIN_MINUTES, MAX_MINUTES = (limit // timedelta(minutes=1) for limit in values.BUILD_TIMEOUT)
"""The shortest and the longest timeout that CodeBuild has."""
QUEUED_MINUTES: Final = 8 * 60
"""The longest time that CodeBuild keeps a build waiting for a machine."""
_SPARE_SECONDS: Final = 5 * 60
"""For what a build does beside the attempts of its job."""

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
_PRIVATE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[a-z.]+/([^@:]+)")
"""An image of ECR: its account, region and repository."""


def add_project(stack: Stack, job: Job) -> None:
    """Add a job's project with its role; an empty one where builds never run it."""
    from troposphere import codebuild

    settings, name = stack.settings, names.project(job, stack.stage)
    real = has_project(job, settings)
    log_group = stack.log_group(job, f"/aws/codebuild/{name}")
    trusted = [trust("codebuild.amazonaws.com")]
    if settings.mode == "dev":
        trusted.append(trust(settings.principal_arn))
    role = stack.role(
        str(job),
        names.logical(job, "Role"),
        trusted,
        [
            *_network(job),
            *stack.grants(job.bind),
            *permitted(job.permissions, stack.stage),
            logs_of(log_group),
            *(_run_in_build(stack, job) if real else []),
        ],
        job,
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
        environment.Image = build.image
        environment.ImagePullCredentialsType = "CODEBUILD" if build.curated else "SERVICE_ROLE"
    return environment


def _sources(stack: Stack, job: Job, real: bool) -> tuple[Any, list[Any]]:
    """What builds start from: the primary source, and the secondary ones."""
    from troposphere import codebuild

    if not real:
        return codebuild.Source(Type="NO_SOURCE", BuildSpec=PLACEHOLDER), []
    if job.container:
        spec = container_buildspec(job.container.cmd, _delays(job))
        return codebuild.Source(Type="NO_SOURCE", BuildSpec=spec), []
    code, *packages = (f"{stack.assets.bucket}/{key}" for key in _zips(stack, job))
    spec = buildspec(_build(stack, job).runtimes)
    return codebuild.Source(Type="S3", Location=code, BuildSpec=spec), [
        codebuild.Source(Type="S3", Location=location, SourceIdentifier=PACKAGES)
        for location in packages
    ]


def _pin(stack: Stack, job: Job, project: Any) -> None:
    """Have builds start from the verified versions, whatever is written over the zips later."""
    from troposphere import codebuild

    if job.container or not has_project(job, stack.settings):
        return
    code, *packages = (stack.assets.versions.get(key) for key in _zips(stack, job))
    if code:
        project.SourceVersion = code
    if versions := [version for version in packages if version]:
        project.SecondarySourceVersions = [
            codebuild.ProjectSourceVersion(SourceIdentifier=PACKAGES, SourceVersion=version)
            for version in versions
        ]


def _zips(stack: Stack, job: Job) -> list[str]:
    """The keys of what its builds start from: its code, and its packages if it has any."""
    keys = (stack.assets.jobs[job.name], stack.assets.packages.get(job.name))
    return [key for key in keys if key]


def timeout_minutes(job: Job) -> int:
    """How long a build may take: all attempts with the delays between them. Pure."""
    if job.concurrency and not job.container:
        return MAX_MINUTES  # A run waits for its turn within its build.
    seconds = job.timeout.total_seconds() * (job.retries + 1) + sum(_delays(job))
    if not job.container:
        seconds += _SPARE_SECONDS
    return min(MAX_MINUTES, max(MIN_MINUTES, math.ceil(seconds / 60)))


def _delays(job: Job) -> list[float]:
    """The seconds before each further attempt."""
    delay = job.retry_delay.total_seconds()
    return [retry_delay(delay, attempt) for attempt in range(1, job.retries + 1)]


def _build(stack: Stack, job: Job) -> Build:
    """What its builds run in."""
    if job.container:
        return Build(stack.assets.images[job.name])
    runtime = stack.runtime(job)
    # The embedded cloud runs no images: it knows what AWS's own ones stand for.
    own = job.image if stack.settings.tls else None
    return language_of(job).deployed.build(runtime, job.architecture, own)


def job_variables(job: Job, stage: str) -> dict[str, str]:
    """What tells a job's process which job it is."""
    return {"DEVBRIDGE_APP": job.app.name, "DEVBRIDGE_STAGE": stage, JOB_NAME: job.name}


def _variables(stack: Stack, job: Job, real: bool) -> Json:
    return {
        **job_variables(job, stack.stage),
        **(_runner_variables(stack, job) if real else {}),
        **stack.environment(job),
    }


def _runner_variables(stack: Stack, job: Job) -> dict[str, str]:
    """What the runner is told of its job."""
    attempts = {"DEVBRIDGE_ATTEMPTS": str(job.retries + 1)}
    if job.container:
        return attempts
    found = {
        **attempts,
        "DEVBRIDGE_HANDLER": str(job.handler),
        "DEVBRIDGE_TIMEOUT": number(job.timeout.total_seconds()),
        "DEVBRIDGE_RETRY_DELAY": number(job.retry_delay.total_seconds()),
        "DEVBRIDGE_MEMORY_MB": str(job.memory_mb),
        "DEVBRIDGE_BUCKET": stack.assets.bucket,
        **_build(stack, job).variables,
    }
    if job.inline:
        found["DEVBRIDGE_INLINE"] = "1"
    if job.encryption_key:
        found["DEVBRIDGE_KEY"] = job.encryption_key
    if job.concurrency:
        found["DEVBRIDGE_CONCURRENCY"] = str(job.concurrency)
    return found


def _run_in_build(stack: Stack, job: Job) -> list[Json]:
    """What a build needs beside what its job does."""
    if job.container:
        repository = stack.assets.images[job.name].partition("/")[2].rpartition(":")[0]
        return _pull(arn("ecr", f"repository/{repository}"))
    bucket = stack.assets.bucket
    own = f"{job.app.name}/{stack.stage}/{job.name}/*"
    statements = [
        allow(["s3:GetBucketLocation"], [arn("s3", bucket)]),
        allow(
            ["s3:GetObject", "s3:GetObjectVersion"],
            [arn("s3", f"{bucket}/{key}") for key in _zips(stack, job)],
        ),
        allow(["s3:GetObject", "s3:DeleteObject"], [arn("s3", f"{bucket}/payloads/{own}")]),
        allow(["s3:PutObject"], [arn("s3", f"{bucket}/results/{own}")]),
    ]
    if job.concurrency:
        actions = ["codebuild:ListBuildsForProject", "codebuild:BatchGetBuilds"]
        statements.append(allow(actions, [_project_arn(stack, job)]))
    if job.encryption_key:
        statements.append(allow(KEY_USE, [job.encryption_key]))
    if found := _PRIVATE.match(_build(stack, job).image):
        account, region, repository = found.groups()
        place = f"arn:${{AWS::Partition}}:ecr:{region}:{account}:repository/{repository}"
        statements += _pull(sub(place))
    return statements


def _pull(repository: Any) -> list[Json]:
    """What CodeBuild needs to run an image of an ECR repository."""
    pull = ["BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"]
    return [
        allow(["ecr:GetAuthorizationToken"], ["*"]),
        allow([f"ecr:{action}" for action in pull], [repository]),
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


def invoker_grants(stack: Stack, jobs: Sequence[Job]) -> list[Json]:
    """What an invoker needs to start the builds of these jobs, to tell of them and to stop them."""
    if not jobs:
        return []
    bucket, own = stack.assets.bucket, f"{stack.app.name}/{stack.stage}/*"
    actions = ["StartBuild", "StopBuild", "BatchGetBuilds", "ListBuildsForProject"]
    return [
        allow(
            [f"codebuild:{action}" for action in actions],
            [_project_arn(stack, job) for job in jobs],
        ),
        allow(["s3:DeleteObject", "s3:PutObject"], [arn("s3", f"{bucket}/payloads/{own}")]),
        allow(["s3:GetObject", "s3:PutObject"], [arn("s3", f"{bucket}/runs/{own}")]),
        allow(["s3:GetObject"], [arn("s3", f"{bucket}/results/{own}")]),
    ]


def invoker_variables(stack: Stack, job: Job) -> dict[str, str]:
    """What an invoker must know to start the builds of its job."""
    found = {
        "DEVBRIDGE_PROJECT": names.project(job, stack.stage),
        "DEVBRIDGE_BUCKET": stack.assets.bucket,
    }
    if job.container:
        found["DEVBRIDGE_CONTAINER"] = "1"
    if job.inline:
        found["DEVBRIDGE_INLINE"] = "1"
    if job.encryption_key:
        found["DEVBRIDGE_KEY"] = job.encryption_key
    return found
