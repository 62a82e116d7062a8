"""Jobs in AWS Lambda: a function that goes on in another invocation of itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from devbridge import names
from devbridge.constructs import Job, values
from devbridge.constructs.compute import Lambda
from devbridge.constructs.triggers.done import held, reading_time
from devbridge.deploy import resource_types as types
from devbridge.deploy.policies import Json, allow
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.resource_types import ResourceType
from devbridge.deploy.synth.compute import parts
from devbridge.deploy.synth.file_systems import bound, may_mount, mount
from devbridge.deploy.synth.functions import join, may_join
from devbridge.deploy.synth.placement import in_cloud
from devbridge.deploy.synth.stack import Stack, checked_environment
from devbridge.deploy.synth.triggers.known import listening
from devbridge.languages.known import language_of
from devbridge.packing.assets import Shape

SERVICE: Final = "lambda.amazonaws.com"
HANDLER: Final = "runner/host/function.handler"
TIMEOUT: Final = int(values.INVOCATION.total_seconds())
_SPARE_HOPS: Final = 20
"""Beside those that the time of a run takes: attempts that are interrupted have one more each."""
_KEPT_SECONDS: Final = 6 * 3600
"""How long Lambda keeps an invocation that there is no room for: the longest that there is."""


class InLambda:
    """Lambda, as `base.Compute`."""

    name: Final = Lambda.name
    makes: Final[tuple[ResourceType, ...]] = (types.FUNCTION, types.EVENT_INVOKE_CONFIG)
    first: Final[tuple[str, ...]] = ()
    shape: Final = Shape(whole=True)

    def networked(self, job: Job) -> bool:
        """See `Compute.networked`: functions have a network of Lambda's own."""
        del job
        return False

    def add_shared(self, stack: Stack, jobs: Sequence[Job]) -> None:
        """See `Compute.add_shared`: nothing."""

    def add(self, stack: Stack, job: Job) -> None:
        """See `Compute.add`: a function."""
        if in_cloud(job, stack.settings):
            _add_function(stack, job)
            _add_endings(stack, job)
        else:
            parts.add_role(stack, job, SERVICE, [])

    def place(self, stack: Stack, job: Job) -> Json:
        """See `Compute.place`."""
        return {"function": names.job_function(job, stack.stage)}

    def invoker_grants(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """See `Compute.invoker_grants`."""
        return [allow(["lambda:InvokeFunction"], [_function_arn(stack, job) for job in jobs])]

    def left(self, stack: Stack, jobs: Sequence[Job]) -> list[Json]:
        """See `Compute.left`: nothing; what is known of a run is in S3."""
        del stack, jobs
        return []

    def passed(self, stack: Stack, job: Job) -> list[Json]:
        """See `Compute.passed`: nothing."""
        del stack, job
        return []

    def ended(self, stack: Stack, job: Job) -> Json | None:
        """See `Compute.ended`: Lambda tells the invoker itself."""
        del stack, job
        return None


def _title(job: Job) -> str:
    return names.logical(job, names.RUNNER)


def _asked(job: Job) -> Lambda:
    assert isinstance(job.compute, Lambda)  # noqa: S101 - who calls this knows
    return job.compute


def _function_arn(stack: Stack, job: Job) -> object:
    return arn("lambda", f"function:{names.job_function(job, stack.stage)}")


def _add_function(stack: Stack, job: Job) -> None:
    from troposphere import awslambda

    asked = _asked(job)
    logs = parts.add_logs(stack, job)
    role = parts.add_role(
        stack,
        job,
        SERVICE,
        [
            *parts.keeps_runs(stack, job, tells=True, enters=any(held(job.triggers))),
            *may_mount(bound(job)),
        ],
        log_group=logs,
        first=[*may_join(job.vpc), _invoking(stack, job)],
    )
    function = awslambda.Function(
        _title(job),
        FunctionName=names.job_function(job, stack.stage),
        Description=f"runs job {job.name}",
        Runtime=stack.runtime(job),
        Handler=HANDLER,
        Code=stack.assets.code(stack.assets.jobs[job.name]),
        Role=arn_of(role),
        Timeout=_timeout(job),
        MemorySize=job.memory_mb,
        Architectures=[job.architecture],
        # A run goes on by invoking its own function. Lambda takes that for a mistake and stops it
        # after some 16 times, unless it is told; how often is too often, the runner knows better.
        RecursiveLoop="Allow",
        LoggingConfig=awslambda.LoggingConfig(LogGroup=ref(logs)),
        Environment=checked_environment(job, _variables(stack, job)),
    )
    if asked.disk_mb:
        function.EphemeralStorage = awslambda.EphemeralStorage(Size=asked.disk_mb)
    if asked.reserved_concurrency is not None:
        function.ReservedConcurrentExecutions = asked.reserved_concurrency
    if job.encryption_key:
        function.KmsKeyArn = job.encryption_key
    join(function, job.vpc)
    mount(stack, function, job)
    stack.add_main(job, function, job.tags)


def _invoking(stack: Stack, job: Job) -> Json:
    """To invoke itself; and its invoker, which Lambda tells with this role how an invocation has
    ended: it looks whether it may when it is told to."""
    invoker = arn("lambda", f"function:{names.invoker(job, stack.stage)}")
    return allow(["lambda:InvokeFunction"], [_function_arn(stack, job), invoker])


def _timeout(job: Job) -> int:
    """Seconds of an invocation. Queues that it reads itself hide a message for some times as long:
    no longer than needed."""
    if any(held(job.triggers)):
        return math.ceil(reading_time(job, job.triggers).total_seconds())
    return TIMEOUT


def _variables(stack: Stack, job: Job) -> Json:
    own = language_of(job).deployed.function_variables(job.esbuild)
    margin = _asked(job).margin_seconds
    hops = math.ceil(parts.total_seconds(job) / max(1.0, _timeout(job) - margin)) + _SPARE_HOPS
    runner = {
        **parts.runner_variables(stack, job),
        "DEVBRIDGE_MARGIN": parts.number(margin),
        "DEVBRIDGE_MAX_HOPS": str(hops),
    }
    if any(held(job.triggers)):
        runner["DEVBRIDGE_PROJECT"] = names.project(job, stack.stage)
        runner["DEVBRIDGE_TRIGGERS"] = listening(stack, job)
    return parts.variables(stack, job, {**own, **runner})


def _add_endings(stack: Stack, job: Job) -> None:
    """Have Lambda try nothing again, for the runner has, and tell the invoker."""
    from troposphere import awslambda

    invoker = arn_of(names.logical(job, "Invoker"))
    told = awslambda.DestinationConfig(OnFailure=awslambda.OnFailure(Destination=invoker))
    if job.concurrency:
        told.OnSuccess = awslambda.OnSuccess(Destination=invoker)
    config = awslambda.EventInvokeConfig(
        names.logical(job, "Told"),
        FunctionName=ref(_title(job)),
        Qualifier="$LATEST",
        MaximumRetryAttempts=0,
        MaximumEventAgeInSeconds=_KEPT_SECONDS,
        DestinationConfig=told,
    )
    stack.add(str(job), config)
