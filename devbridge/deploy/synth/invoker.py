"""Invokers: the function in front of each job, and the roles that they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job
from devbridge.constructs.triggers.queue import INVOKER_TIMEOUT
from devbridge.deploy.policies import (
    KEY_USE,
    MANAGED_LIMIT,
    Json,
    allow,
    document,
    logs_of,
    merged,
    split,
)
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.synth import later, turns
from devbridge.deploy.synth.bridge import bridge
from devbridge.deploy.synth.compute import parts
from devbridge.deploy.synth.compute.known import COMPUTES, compute_of, grouped
from devbridge.deploy.synth.placement import has_invoker, in_cloud, offline_policy
from devbridge.deploy.synth.stack import Stack, checked_environment
from devbridge.deploy.synth.triggers import queues, streams
from devbridge.deploy.synth.triggers.known import listening
from devbridge.protocol.messages import Topics

LOG_DAYS: Final = 14
"""How long the log group of the invokers keeps what they log, which is little."""
STUB_HANDLER: Final = "stub_lambda/handler.handler"
INVOKER_HANDLER: Final = "stub_lambda/deployed.handler"
INVOKER_ROLE: Final = "InvokerRole"
STUB_ROLE: Final = "StubRole"


def add_roles(stack: Stack, jobs: Sequence[Job]) -> None:
    """Add what invokers share: a log group, a role for stubs and one for the others."""
    logs = stack.add_log_group(
        "the invokers",
        "InvokerLogs",
        names.invoker_log_group(stack.app.name, stack.stage),
        LOG_DAYS,
        stack.app.encryption_key,
    )
    stubs = [job for job in jobs if not has_invoker(job, stack.settings)]
    if stubs:
        real = [job for job in stubs if in_cloud(job, stack.settings)]
        statements = [
            *bridge(stack, Topics(stack.app.name, stack.stage).requests),
            logs_of(logs),
            *queues.grants(stack, stubs),
            *streams.grants(stubs),
            *_starting(stack, real),
            *_keys(stubs),
            *later.grants(stack, stubs),
        ]
        stack.role("the stubs", STUB_ROLE, [trust("lambda.amazonaws.com")], statements)
    if invoked := [job for job in jobs if job not in stubs]:
        statements = [
            logs_of(logs),
            *queues.grants(stack, invoked),
            *streams.grants(invoked),
            *_starting(stack, invoked),
            *_keys(invoked),
            *later.grants(stack, invoked),
        ]
        stack.role("the invokers", INVOKER_ROLE, [trust("lambda.amazonaws.com")], statements)


def add_passing(stack: Stack, jobs: Iterable[Job]) -> None:
    """Add the policies with what refers to the jobs' own resources: in the invokers' role, a job
    that binds a job would depend on itself.

    Args:
        jobs: that the cloud runs.
    """
    from troposphere import iam

    of_role: dict[str, list[Json]] = {}
    for job in jobs:
        role = INVOKER_ROLE if has_invoker(job, stack.settings) else STUB_ROLE
        of_role.setdefault(role, []).extend(compute_of(job).passed(stack, job))
    for role, statements in of_role.items():
        portions = split(merged(statements), MANAGED_LIMIT) if statements else []
        for number, portion in enumerate(portions, 1):
            policy = iam.ManagedPolicy(
                f"{role}Passes{number}",
                PolicyDocument=document(portion),
                Path=names.path(stack.app.name, stack.stage),
                Roles=[ref(role)],
            )
            stack.add("the invokers", policy)


def add_invoker(stack: Stack, job: Job) -> None:
    """Add the function that a job is started, cancelled and asked about through."""
    from troposphere import awslambda

    settings, deployed = stack.settings, has_invoker(job, stack.settings)
    environment: dict[str, Any] = {
        "DEVBRIDGE_APP": stack.app.name,
        "DEVBRIDGE_STAGE": stack.stage,
        "DEVBRIDGE_JOB": job.name,
    }
    if not deployed:
        environment["DEVBRIDGE_IOT_ENDPOINT"] = settings.iot_host
        environment["DEVBRIDGE_OFFLINE"] = offline_policy(job, settings)
    if in_cloud(job, settings):
        environment |= _variables(stack, job)
    environment |= later.variables(job, stack.stage)
    if told := listening(stack, job):
        environment["DEVBRIDGE_TRIGGERS"] = told
    key = stack.assets.invoker if deployed else stack.assets.stub
    what = "starts runs of" if deployed else "forwards to devbridge dev"
    resource = awslambda.Function(
        names.logical(job, "Invoker"),
        FunctionName=names.invoker(job, stack.stage),
        Description=f"{what} job {job.name}",
        Runtime=f"python{settings.python}",
        Handler=INVOKER_HANDLER if deployed else STUB_HANDLER,
        Code=stack.assets.code(key),
        Role=arn_of(INVOKER_ROLE if deployed else STUB_ROLE),
        Timeout=int(INVOKER_TIMEOUT.total_seconds()),
        MemorySize=256,
        LoggingConfig=awslambda.LoggingConfig(LogGroup=ref("InvokerLogs")),
        Environment=checked_environment(job, environment),
    )
    if job.later:  # Scheduler does not wait for its answer
        dead_letters = awslambda.DeadLetterConfig(TargetArn=arn_of(later.UNDELIVERED))
        resource.DeadLetterConfig = dead_letters
    if job.encryption_key:
        resource.KmsKeyArn = job.encryption_key
    stack.add(str(job), resource, job.tags)


def _variables(stack: Stack, job: Job) -> dict[str, Any]:
    """What an invoker must know to start the runs of its job in the cloud."""
    found = {
        "DEVBRIDGE_PROJECT": names.project(job, stack.stage),
        "DEVBRIDGE_BUCKET": stack.assets.bucket,
        "DEVBRIDGE_COMPUTE": job.compute.name,
        "DEVBRIDGE_PLACE": parts.place_text(compute_of(job).place(stack, job)),
        "DEVBRIDGE_ATTEMPTS": str(job.retries + 1),
        **turns.variables(stack, job),
    }
    if job.container:
        found["DEVBRIDGE_CONTAINER"] = "1"
    if job.inline:
        found["DEVBRIDGE_INLINE"] = "1"
    if job.encryption_key:
        found["DEVBRIDGE_KEY"] = job.encryption_key
    return found


def _starting(stack: Stack, jobs: Sequence[Job]) -> list[Json]:
    """What invokers need to start runs of these jobs in the cloud, to tell of them and to stop
    them."""
    if not jobs:
        return []
    bucket, own = stack.assets.bucket, f"{stack.app.name}/{stack.stage}/*"

    def objects(*places: str) -> list[Any]:
        return [arn("s3", f"{bucket}/{place}/{own}") for place in places]

    return [
        *(
            statement
            for compute, same in grouped(jobs)
            for statement in compute.invoker_grants(stack, same)
        ),
        *(
            statement
            for compute in COMPUTES
            if (others := [job for job in jobs if compute_of(job) is not compute])
            for statement in compute.left(stack, others)
        ),
        # Of a run that its provider refuses nothing is left.
        allow(["s3:DeleteObject", "s3:PutObject"], objects("payloads", "listed", "runs")),
        allow(["s3:PutObject"], objects("checkpoints")),
        allow(["s3:GetObject"], objects("runs", "checkpoints", "results", "told")),
        *([allow(["s3:GetObject"], objects("payloads"))] if any(j.triggers for j in jobs) else []),
        allow(
            ["s3:ListBucket"],
            [arn("s3", bucket)],
            {"StringLike": {"s3:prefix": f"listed/{own}"}},
        ),
        *turns.grants(stack, jobs),
    ]


def _keys(jobs: Sequence[Job]) -> list[Json]:
    """What an invoker needs for its environment, and for payloads and results."""
    keys = sorted({job.encryption_key for job in jobs if job.encryption_key})
    return [allow(KEY_USE, keys)] if keys else []
