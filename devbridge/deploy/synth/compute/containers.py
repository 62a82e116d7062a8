"""Containers that Amazon ECS starts, for whoever has it do so: their image, their command, their
variables, and the role that ECS needs before anything of the job's runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job
from devbridge.deploy.policies import Json, logs_of
from devbridge.deploy.principal import trust
from devbridge.deploy.references import ref
from devbridge.deploy.synth.compute import images, parts
from devbridge.deploy.synth.compute.commands import container_script
from devbridge.deploy.synth.file_systems import bound, may_mount
from devbridge.deploy.synth.stack import Stack
from devbridge.languages.base import Build
from devbridge.languages.known import language_of
from devbridge.runs.providers.containers import CONTAINER
from runner.host import fetch

SERVICE: Final = "ecs-tasks.amazonaws.com"


def add_roles(stack: Stack, job: Job, own: Sequence[Json] = ()) -> tuple[str, str, str]:
    """Add the job's role, that of ECS for it, and its log group; their titles.

    Args:
        own: what the job's role has beside.
    """
    logs = parts.add_logs(stack, job)
    statements = [*may_mount(bound(job)), *own]
    if not job.container:
        enters = bool(job.compute.workers)
        kept = parts.keeps_runs(stack, job, tells=True, enters=enters)
        statements += [parts.reads_zips(stack, job), *kept]
    role = parts.add_role(stack, job, SERVICE, statements)
    execution = stack.role(
        str(job),
        names.logical(job, "ExecutionRole"),
        [trust(SERVICE)],
        [logs_of(logs), *images.pull(build(stack, job).image)],
        job,
    )
    return role, execution, logs


def build(stack: Stack, job: Job) -> Build:
    """What its containers run in."""
    if job.container:
        return Build(stack.assets.images[job.name])
    own = images.own(job, stack.settings)
    return language_of(job).deployed.image(stack.runtime(job), own)


def command(job: Job) -> list[str]:
    """What a container runs: what fetches the job's code and then becomes the runner; or the user's
    own command, tried as often as the job says."""
    if job.container:
        script = container_script(job.container.cmd, parts.delays(job), job.timeout.total_seconds())
        return ["/bin/sh", "-c", script]
    return ["python3", "-c", fetch.script()]


def definition(
    stack: Stack,
    job: Job,
    logs: str,
    service: Any,
    mount_point: Any,
    more: Mapping[str, Any] = {},
) -> dict[str, Any]:
    """What is the same in the definition of its container, whoever starts it.

    Args:
        more: variables that it has beside.
        logs: the title of its log group.
        service: troposphere's module of who does, which has the types of these.
        mount_point: its type of a mount, whose name is not the same in each.
    """
    made = {
        "Name": CONTAINER,
        "Image": build(stack, job).image,
        "Essential": True,
        "StopTimeout": parts.GRACE,
        "Environment": [
            service.Environment(Name=name, Value=value)
            for name, value in {**_variables(stack, job), **more}.items()
        ],
        "LogConfiguration": service.LogConfiguration(
            LogDriver="awslogs",
            Options={
                "awslogs-group": ref(logs),
                "awslogs-region": ref("AWS::Region"),
                # Who reads a run's output knows the names of its streams, which begin so.
                "awslogs-stream-prefix": CONTAINER,
            },
        ),
    }
    mounts = [
        mount_point(ContainerPath=files.mount, SourceVolume=files.name) for files in bound(job)
    ]
    return {**made, "MountPoints": mounts} if mounts else made


def _variables(stack: Stack, job: Job) -> Json:
    own: Json = {"AWS_REGION": ref("AWS::Region"), "AWS_DEFAULT_REGION": ref("AWS::Region")}
    if not job.container:
        code, *packages = (parts.pinned(stack, key) for key in parts.zips(stack, job))
        own |= {"DEVBRIDGE_CODE": code, "DEVBRIDGE_GRACE": str(parts.GRACE)}
        if packages:
            own["DEVBRIDGE_PACKAGES"] = packages[0]
    runner = {**parts.runner_variables(stack, job), **build(stack, job).variables}
    return parts.variables(stack, job, {**runner, **own})


def is_public(job: Job) -> bool:
    """Whether its machines get public addresses: those of the default VPC reach AWS by no other
    way."""
    return job.vpc is None
