"""Specs: what the daemon must know of the jobs it runs, and the variables that binding gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from devbridge import names
from devbridge.constructs import App, Bindable, Function, Job
from devbridge.deploy import kinds
from devbridge.deploy.access import Access
from devbridge.deploy.assets import cache
from devbridge.deploy.attributes import Deployed, known
from devbridge.deploy.local_folders import folders
from devbridge.deploy.secrets import VARIABLE, parameters
from devbridge.deploy.synth import Settings, job_variables
from devbridge.deploy.synth.live_functions import ROLE
from devbridge.deploy.synth.placement import has_code, in_cloud, is_live
from devbridge.languages.base import Packing
from devbridge.languages.known import language_of
from devbridge.runs.model import FunctionSpec, JobSpec


def job_specs(
    app: App, cloud: Access, settings: Settings, values: Mapping[str, str], python: Path
) -> list[JobSpec]:
    """The jobs that run on the laptop: none on a deployed stage.

    Args:
        values: outputs of the stage's stack: `stack_values`.
        python: the app's interpreter, for what `install` names.
    """
    return [
        spec_of(job, cloud, settings, values, python)
        for job in app.of_type(Job)
        if settings.mode == "dev" and job.live
    ]


def function_specs(
    app: App, cloud: Access, settings: Settings, values: Mapping[str, str], python: Path
) -> dict[str, FunctionSpec]:
    """The functions whose requests are handled on the laptop, by name: none on a deployed stage.
    Arguments as `job_specs`."""
    return {
        function.name: function_spec(function, cloud, settings, values, python)
        for function in app.of_type(Function)
        if is_live(function, settings)
    }


def function_spec(
    function: Function,
    cloud: Access,
    settings: Settings,
    values: Mapping[str, str],
    python: Path,
) -> FunctionSpec:
    """What must be known of one function to handle its requests. Arguments as `job_specs`."""
    stage = settings.stage
    role_arn = values[names.output(function, ROLE)]
    here = Deployed(role_arn.split(":")[1], cloud.region, cloud.account, values)
    packing = Packing(python=python, version=settings.python, cache=cache(), local=True)
    environment = {
        **function.environment,
        **_bound(function.bind, stage, values),
        **{name: known(each, stage, here) for name, each in function.references.items()},
        **language_of(function).environment(function, packing),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{settings.runtime(function)}",
    }
    return FunctionSpec(
        name=function.name,
        handler=str(function.handler),
        timeout=function.timeout.total_seconds(),
        memory_mb=function.memory_mb,
        role_arn=role_arn,
        environment=environment,
        shell=function.app.shell,
        definition_arn=known(function.arn, stage, here),
        runtime=function.runtime or "",
        build={"esbuild": function.esbuild, "install": function.install},
        function_name=names.function(function, stage),
        stands_in=has_code(function, settings),
        log_group=names.function_log_group(function, stage),
        reserved=function.reserved_concurrency,
        vpc=function.vpc is not None,
    )


def spec_of(
    job: Job, cloud: Access, settings: Settings, values: Mapping[str, str], python: Path
) -> JobSpec:
    """What must be known of one job to run it. Arguments as `job_specs`."""
    stage = settings.stage
    role_arn = values[names.output(job, "Role")]
    environment = {
        **job_variables(job, stage),
        **job.environment,
        **_bound(job.bind, stage, values),
    }
    packing = Packing(python=python, version=settings.python, cache=cache(), local=True)
    here = Deployed(role_arn.split(":")[1], cloud.region, cloud.account, values)
    environment |= {name: known(each, stage, here) for name, each in job.references.items()}
    if job.secrets:
        environment[VARIABLE] = parameters(job, stage)
    environment |= language_of(job).environment(job, packing)
    return JobSpec(
        name=job.name,
        handler=str(job.handler or ""),
        stands_in=in_cloud(job, settings),
        timeout=job.timeout.total_seconds(),
        memory_mb=job.memory_mb,
        role_arn=role_arn,
        environment=environment,
        shell=job.app.shell,
        definition_arn=known(job.definition_arn, stage, here),
        max_attempts=job.retries + 1,
        retry_delay=job.retry_delay.total_seconds(),
        concurrency=job.concurrency,
        command=tuple(job.container.cmd) if job.container else (),
        command_dir=job.container.directory if job.container else "",
        runtime=job.runtime or "" if job.language else "",
        build={"esbuild": job.esbuild, "install": job.install},
    )


def environment(app: App, stage: str, outputs: Mapping[str, str]) -> dict[str, str]:
    """The variables that binding everything in the app gives.

    Args:
        outputs: of the stack: `stack_values`.
    """
    return _bound((c for c in app.constructs if isinstance(c, Bindable)), stage, outputs)


def _bound(bind: Iterable[Bindable], stage: str, values: Mapping[str, str]) -> dict[str, str]:
    bind = list(bind)
    known = kinds.bindings().variables(
        bind, stage, lambda target, output: values[names.output(target, output.name)]
    )
    return known | folders(bind, stage)
