"""Invokers: the function in front of each job, and the roles that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from devbridge import names
from devbridge.constructs import Job
from devbridge.deploy.policies import KEY_USE, Json, allow, logs_of
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.synth import project
from devbridge.deploy.synth.placement import has_invoker, has_project, offline_policy
from devbridge.deploy.synth.stack import Stack, checked_environment
from devbridge.protocol.messages import Topics

LOG_DAYS: Final = 14
"""How long the log group of the invokers keeps what they log, which is little."""
STUB_HANDLER: Final = "stub_lambda/handler.handler"
INVOKER_HANDLER: Final = "stub_lambda/deployed.handler"
TIMEOUT: Final = 10
"""Seconds that an invoker may take."""


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
        real = [job for job in stubs if has_project(job, stack.settings)]
        statements = [
            *_bridge(stack),
            logs_of(logs),
            *project.invoker_grants(stack, real),
            *_keys(stubs),
        ]
        stack.role("the stubs", "StubRole", [trust("lambda.amazonaws.com")], statements)
    if invoked := [job for job in jobs if job not in stubs]:
        statements = [logs_of(logs), *project.invoker_grants(stack, invoked), *_keys(invoked)]
        stack.role("the invokers", "InvokerRole", [trust("lambda.amazonaws.com")], statements)


def add_invoker(stack: Stack, job: Job) -> None:
    """Add the function that a job is started, cancelled and asked about through."""
    from troposphere import awslambda

    settings, deployed = stack.settings, has_invoker(job, stack.settings)
    environment: dict[str, str] = {
        "DEVBRIDGE_APP": stack.app.name,
        "DEVBRIDGE_STAGE": stack.stage,
        "DEVBRIDGE_JOB": job.name,
    }
    if not deployed:
        environment["DEVBRIDGE_IOT_ENDPOINT"] = settings.iot_host
        environment["DEVBRIDGE_OFFLINE"] = offline_policy(job, settings)
    if has_project(job, settings):
        environment |= project.invoker_variables(stack, job)
    key = stack.assets.invoker if deployed else stack.assets.stub
    what = "starts builds of" if deployed else "forwards to devbridge dev"
    resource = awslambda.Function(
        names.logical(job, "Invoker"),
        FunctionName=names.invoker(job, stack.stage),
        Description=f"{what} job {job.name}",
        Runtime=f"python{settings.python}",
        Handler=INVOKER_HANDLER if deployed else STUB_HANDLER,
        Code=stack.assets.code(key),
        Role=arn_of("InvokerRole" if deployed else "StubRole"),
        Timeout=TIMEOUT,
        MemorySize=256,
        LoggingConfig=awslambda.LoggingConfig(LogGroup=ref("InvokerLogs")),
        Environment=checked_environment(job, environment),
    )
    if job.encryption_key:
        resource.KmsKeyArn = job.encryption_key
    stack.add(str(job), resource, job.tags)


def _bridge(stack: Stack) -> list[Json]:
    """What the stubs need of the bridge to the daemon."""
    topics = Topics(stack.app.name, stack.stage)
    incoming = (topics.replies("*"), topics.presence)
    return [
        allow(["iot:Connect"], [arn("iot", f"client/{topics.stub_client_id('*')}")]),
        allow(["iot:Publish"], [arn("iot", f"topic/{topics.requests}")]),
        allow(["iot:Subscribe"], [arn("iot", f"topicfilter/{topic}") for topic in incoming]),
        allow(["iot:Receive"], [arn("iot", f"topic/{topic}") for topic in incoming]),
    ]


def _keys(jobs: Sequence[Job]) -> list[Json]:
    """What an invoker needs for its environment, and for payloads and results."""
    keys = sorted({job.encryption_key for job in jobs if job.encryption_key})
    return [allow(KEY_USE, keys)] if keys else []
