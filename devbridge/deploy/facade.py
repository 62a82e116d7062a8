"""The one call that `devbridge dev` makes, and its counterparts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from devbridge.build.environment import Target
from devbridge.build.python import function_asset, stub_asset
from devbridge.cloud.install import cache_dir
from devbridge.constructs import App, Function, Job, Table
from devbridge.daemon.model import JobSpec
from devbridge.deploy import execute, names
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.package import upload
from devbridge.deploy.plan import describe, is_current, outputs_of, plan
from devbridge.deploy.principal import trusted_principal
from devbridge.deploy.synth import Code, job_environment, synth
from devbridge.errors import DeployError, NotDeployed
from devbridge.interpreter import verify_interpreter
from devbridge.resources import variable


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stage as it is deployed now."""

    outputs: dict[str, str]
    """What the user wants to see, the APIs' URLs first."""
    jobs: list[JobSpec]
    changed: bool
    """False: everything was there already."""


def deploy(
    app: App,
    cloud: Access,
    *,
    stage: str,
    on_progress: OnProgress,
    python: Path | None = None,
    offline: str = "queue",
    pace: execute.Pace = execute.patient,
) -> Deployed:
    """Make the stage what app.py says: for `devbridge dev`, with stubs for the jobs.

    Blocks until the stack is complete; costs one question to CloudFormation if nothing changed.

    Args:
        python: the app's interpreter, whose packages its functions get; default: this one.
        offline: what the stubs do when no daemon is connected: queue, error or cloud.
        pace: the pauses between questions to CloudFormation.

    Raises:
        InvalidValue: a name is too long, or an environment is over 4 KB.
        BuildError: a function could not be packaged.
        DeployError: CloudFormation refused the change or rolled it back.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    python = python or Path(sys.executable)
    stack = names.stack(app.name, stage)
    version = _version(python)
    functions = app.of_type(Function)
    cache = cache_dir() / "wheels"
    stub = stub_asset()
    assets = {
        function.name: function_asset(
            function,
            python=python,
            target=None if cloud.endpoint_url else Target(version, function.architecture),
            cache=cache,
        )
        for function in functions
    }
    bucket = names.asset_bucket(cloud.account, cloud.region)
    with _asking(cloud):
        template = synth(
            app,
            stage=stage,
            principal_arn=trusted_principal(cloud.principal_arn, cloud.client("iam")),
            iot_host=cloud.iot_endpoint().host.partition(":")[0],
            python=version,
            stub=Code(bucket, stub.key),
            functions={name: Code(bucket, asset.key) for name, asset in assets.items()},
            offline=offline,
        )
        found = describe(cloud, stack)
        changed = not is_current(found, template)
        if changed:
            upload(cloud, [stub, *assets.values()], on_progress)
            tags = {"devbridge:app": app.name, "devbridge:stage": stage}
            planned = plan(cloud, stack, template, tags=tags, on_progress=on_progress, pace=pace)
            on_progress(Progress("plan", f"{len(planned.changes)} changes to stack {stack}"))
            if planned:
                execute.execute(cloud, planned, template.labels, on_progress, pace)
            found = describe(cloud, stack)
        values = outputs_of(found) if found else {}
    jobs = [_spec(job, stage, values) for job in app.of_type(Job)]
    return Deployed(_shown(values, cloud.endpoint_url), jobs, changed)


def outputs(cloud: Access, app: str, stage: str) -> dict[str, str]:
    """The outputs of a deployed stage, the APIs' URLs first.

    Raises:
        NotDeployed: there is no such stack.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    with _asking(cloud):
        found = describe(cloud, names.stack(app, stage))
    if found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS":
        raise NotDeployed(
            f"app {app!r} is not deployed to stage {stage!r}",
            where=f"account {cloud.account}, region {cloud.region}",
            remedy="run `devbridge dev` first, or name another stage with --stage",
        )
    return _shown(outputs_of(found), cloud.endpoint_url)


def remove(
    cloud: Access,
    app: str,
    stage: str,
    on_progress: OnProgress,
    pace: execute.Pace = execute.patient,
) -> bool:
    """Delete the stage with everything in it, tables too; False if there was nothing.

    Raises:
        DeployError: something could not be deleted.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    with _asking(cloud):
        found = describe(cloud, names.stack(app, stage))
        if found is None:
            return False
        execute.remove(cloud, found["StackId"], on_progress, pace)
        return True


@contextmanager
def _asking(cloud: Access) -> Iterator[None]:
    """Failures of credentials and connection as the cloud explains them, others as ours."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        with cloud.explained():
            yield
    except ClientError as error:
        raise DeployError(
            f"AWS refuses {error.operation_name}: {execute.message_of(error)}",
            where=f"{cloud.principal_arn}, region {cloud.region}",
            remedy="the developer needs that permission to deploy",
        ) from error


def _spec(job: Job, stage: str, values: Mapping[str, str]) -> JobSpec:
    environment = {**job_environment(job, stage), **job.environment}
    for target in job.bind:
        if isinstance(target, Table):
            key = variable("Table", "tableName", target.name)
            environment[key] = values[names.output(target, "Table")]
        else:
            key = variable("Job", "functionName", target.name)
            environment[key] = names.invoker(target, stage)
    return JobSpec(
        name=job.name,
        handler=str(job.handler),
        timeout=job.timeout.total_seconds(),
        memory_mb=job.memory_mb,
        role_arn=values[names.output(job, "Role")],
        environment=environment,
        project_arn=values[names.output(job, "Project")],
        max_attempts=job.retries + 1,
        retry_delay=job.retry_delay.total_seconds(),
        concurrency=job.concurrency,
    )


def _shown(values: Mapping[str, str], endpoint_url: str | None) -> dict[str, str]:
    """Outputs for the user: URLs first, reachable ones."""
    shown = {key: value for key, value in values.items() if key != names.TEMPLATE_HASH}
    ordered = sorted(shown, key=lambda key: (not key.endswith("Url"), key))
    return {
        key: _reachable(shown[key], endpoint_url) if key.endswith("Url") else shown[key]
        for key in ordered
    }


def _reachable(url: str, endpoint_url: str | None) -> str:
    """An API's URL on the embedded cloud's port of today, which may not be that of its creation."""
    port = urlsplit(endpoint_url).port if endpoint_url else None
    parts = urlsplit(url)
    if port is None or parts.port is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}"))


def _version(python: Path) -> str:
    if python == Path(sys.executable):
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    return verify_interpreter(python).minor
