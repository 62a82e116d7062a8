"""What the commands call: deploy a stage, ask what that would change, ask what is deployed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from devbridge import names
from devbridge.constructs import App, Bindable, Function, Job
from devbridge.deploy import secrets
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.compare import compare, pins
from devbridge.deploy.execute import execute
from devbridge.deploy.functions import Broken, pack_functions
from devbridge.deploy.package import is_tls, upload
from devbridge.deploy.plan import Plan, discard, is_current, plan
from devbridge.deploy.principal import trusted_principal
from devbridge.deploy.refusals import Overtaken, explained
from devbridge.deploy.stacks import (
    Pace,
    check_owner,
    deployed_template,
    find,
    is_unusable,
    outputs_of,
    patient,
    settled,
)
from devbridge.deploy.synth import (
    Assets,
    Settings,
    Template,
    bound_variables,
    has_invoker,
    has_project,
    job_variables,
    synth,
)
from devbridge.errors import DeployError, NotDeployed
from devbridge.folders import STATE_DIR, cache_dir
from devbridge.interpreter import verify_interpreter
from devbridge.names import Mode
from devbridge.packing.container import build_image, image_uri
from devbridge.packing.imported import live
from devbridge.packing.pip import installed_path
from devbridge.packing.python import Builder, invoker_asset, stub_asset
from devbridge.packing.zips import Asset
from devbridge.runs.model import JobSpec

_OWN_OUTPUTS: Final = frozenset({names.TEMPLATE_HASH, names.MODE, names.BIND_ROLE, names.NAMING})
"""Those that are not for the user."""
_ATTEMPTS: Final = 5
"""To deploy while others deploy the same stage."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stage as it is deployed now."""

    outputs: dict[str, str]
    """What the user wants to see, the APIs' URLs first."""
    jobs: list[JobSpec]
    """The jobs that run on the laptop: none on a deployed stage."""
    changed: bool
    """False: everything was there already."""
    files: frozenset[Path] = frozenset()
    """Those that its functions are made of, without what is installed."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """What a deployment would deploy."""

    assets: Assets
    """What the template refers to; without versions as yet."""
    zips: list[Asset]
    images: list[Job]
    """The jobs whose images must be there."""
    warnings: list[str]
    """What the deployed code may lack."""
    files: frozenset[Path]
    """Those that its functions are made of, without what is installed."""


def deploy(
    app: App,
    cloud: Access,
    *,
    stage: str,
    on_progress: OnProgress,
    mode: Mode = "dev",
    python: Path | None = None,
    offline: str = "queue",
    pace: Pace = patient,
    schemas: Mapping[str, Any] = {},
    approve: Callable[[Plan], None] | None = None,
    broken: Broken | None = None,
) -> Deployed:
    """Make the stage what app.py says, and return when the stack is complete.

    If nothing changed, it costs one question to CloudFormation, one to S3 for each zip, and one to
    SSM if there are secrets. What somebody has changed in the asset bucket is repaired.

    Args:
        mode: "dev": with stubs, for `devbridge dev`; "deployed": all jobs in CodeBuild.
        python: the app's interpreter, whose packages its code gets; default: this one.
        offline: what the stubs do when no daemon is connected: queue, error or cloud.
        pace: the pauses between questions to CloudFormation.
        schemas: JSON Schemas of the jobs' payloads by the job's name, for those who bind them.
        approve: is shown the plan before it is carried out; what it raises stops the deployment.
        broken: is told of each function that cannot be packed, and whether a version of it is
            deployed, which then stays; else calls are answered with the error. None: they raise.

    Raises:
        InvalidValue: a name is too long, or an environment is over 4 KB.
        AppFailed: a `transform` raised.
        BuildError: code could not be packaged, or an image not built.
        DeployError: a secret has no value (not in "dev"), or CloudFormation refused the change or
            rolled it back.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    python = python or Path(sys.executable)
    version, tags = _version(python), _tags(app, stage)
    with explained(cloud):
        _check_secrets(cloud, app, stage, mode, on_progress)
        settings = _settings(cloud, stage, mode, version, offline)
        packed = _pack(app, cloud, settings, python, schemas, broken)
        _warn(packed, on_progress)
        synth(app, settings, packed.assets)  # what is wrong with it is said before the upload
        stack, found = find(cloud, app.name, stage, on_progress)
        if found and not is_unusable(found):
            check_owner(found, tags)
            _say_what_is_old(stack, app, stage, on_progress)
        versions = upload(cloud, packed.zips, app.name, on_progress)
        versions = {**packed.assets.versions, **versions}
        template = synth(app, settings, replace(packed.assets, versions=versions))
        changed = not is_current(found, template)
        if changed:
            _say_what_is_unbounded(cloud, app, on_progress)
            _build_images(cloud, packed.images, stage, on_progress)
            _change(cloud, stack, template, tags, on_progress, pace, approve)
            stack, found = find(cloud, app.name, stage)
        values = _values(cloud, found)
    jobs = [job for job in app.of_type(Job) if mode == "dev" and job.live]
    specs = [_spec(job, cloud, stage, values, python, version) for job in jobs]
    return Deployed(_shown(values), specs, changed, packed.files)


def diff(
    app: App,
    cloud: Access,
    *,
    stage: str,
    mode: Mode = "deployed",
    python: Path | None = None,
    offline: str = "queue",
    pace: Pace = patient,
    schemas: Mapping[str, Any] = {},
    on_progress: OnProgress = lambda _: None,
) -> Plan:
    """What `deploy` would change; nothing is changed. See `compare` for what it may need.

    Raises:
        as `deploy`.
    """
    python = python or Path(sys.executable)
    with explained(cloud):
        settings = _settings(cloud, stage, mode, _version(python), offline)
        packed = _pack(app, cloud, settings, python, schemas)
        _warn(packed, on_progress)
        stack, found = find(cloud, app.name, stage, on_progress)
        found = None if is_unusable(found) else settled(cloud, stack, on_progress, pace)
        old = deployed_template(cloud, stack) if found else {}
        # What is stored in place of a zip of that name, only `deploy` verifies.
        template = synth(app, settings, replace(packed.assets, versions=pins(old)))
        if is_current(found, template):
            return Plan(stack, "", False, ())
        return compare(cloud, stack, found, old, template, tags=_tags(app, stage), pace=pace)


def synthesize(
    app: App,
    cloud: Access,
    *,
    stage: str,
    mode: Mode = "deployed",
    python: Path | None = None,
    offline: str = "queue",
    schemas: Mapping[str, Any] = {},
    on_progress: OnProgress = lambda _: None,
) -> tuple[Template, list[Asset]]:
    """The template and the zips that `deploy` would deploy; its warnings are told.

    Raises:
        InvalidValue, AppFailed, BuildError: as `deploy`.
    """
    python = python or Path(sys.executable)
    settings = _settings(cloud, stage, mode, _version(python), offline)
    packed = _pack(app, cloud, settings, python, schemas)
    _warn(packed, on_progress)
    return synth(app, settings, packed.assets), packed.zips


def outputs(cloud: Access, app: str, stage: str) -> dict[str, str]:
    """The outputs of a deployed stage that are for the user, the APIs' URLs first.

    Raises:
        NotDeployed: there is no such stack.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    return _shown(stack_values(cloud, app, stage))


def stack_values(cloud: Access, app: str, stage: str) -> dict[str, str]:
    """All outputs of a deployed stage, by the names that `names` gives them.

    Raises:
        NotDeployed: there is no such stack.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    found = _deployed(cloud, app, stage)
    if found is None:
        raise NotDeployed(
            f"app {app!r} is not deployed to stage {stage!r}",
            where=f"account {cloud.account}, region {cloud.region}",
            remedy="run `devbridge dev` or `devbridge deploy` first, or name another stage with "
            "--stage" + (", or the embedded cloud with --local" if not cloud.endpoint_url else ""),
        )
    return _values(cloud, found)


def stage_mode(cloud: Access, app: str, stage: str) -> Mode | None:
    """Whether a stage is one of `devbridge dev` or of `devbridge deploy`; None: it is not there.

    Raises:
        CredentialsError, CloudError: the cloud could not be asked.
    """
    found = _deployed(cloud, app, stage)
    if found is None:
        return None
    return "deployed" if outputs_of(found).get(names.MODE) == "deployed" else "dev"


def environment(app: App, stage: str, outputs: Mapping[str, str]) -> dict[str, str]:
    """The variables that binding everything in the app gives.

    Args:
        outputs: of the stack: `stack_values`.
    """
    return _bound((c for c in app.constructs if isinstance(c, Bindable)), stage, outputs)


def _bound(bind: Iterable[Bindable], stage: str, values: Mapping[str, str]) -> dict[str, str]:
    return bound_variables(bind, stage, lambda target, what: values[names.output(target, what)])


def _deployed(cloud: Access, app: str, stage: str) -> dict[str, Any] | None:
    with explained(cloud):
        _, found = find(cloud, app, stage)
    return None if is_unusable(found) else found


def check_naming(cloud: Access, app: str, stage: str) -> None:
    """
    Raises:
        NotDeployed: the stage is there, but was deployed by a devbridge that gave functions and
            projects other names than this one looks for. Who may not ask, is not told.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    found = None
    with suppress(DeployError):
        found = _deployed(cloud, app, stage)
    if found:
        require_naming(outputs_of(found), app, stage)


def require_naming(values: Mapping[str, str], app: str, stage: str) -> None:
    """`check_naming`, of a stage whose outputs are known: `stack_values`."""
    if values.get(names.NAMING) != names.NAMING_VERSION:
        raise NotDeployed(
            f"stage {stage!r} was deployed by another version of devbridge, which names functions"
            " and projects differently",
            where=f"app {app!r}",
            remedy=f"deploy it once more: devbridge deploy --stage {stage}, or devbridge dev",
        )


def _settings(cloud: Access, stage: str, mode: Mode, version: str, offline: str) -> Settings:
    dev = mode == "dev"
    return Settings(
        stage=stage,
        principal_arn=trusted_principal(cloud.principal_arn, cloud.client("iam")) if dev else "",
        iot_host=cloud.iot_endpoint().host.partition(":")[0] if dev else "",
        python=version,
        mode=mode,
        offline=offline,
        tls=is_tls(cloud.endpoint_url),
    )


def _pack(
    app: App,
    cloud: Access,
    settings: Settings,
    python: Path,
    schemas: Mapping[str, Any],
    broken: Broken | None = None,
) -> _Packed:
    """Pack the code."""

    def key(asset: Asset | None) -> str:
        return names.asset(app.name, asset.key) if asset else ""

    builder = _builder(app, cloud, python, settings.python, schemas)
    jobs = app.of_type(Job)
    in_cloud = [job for job in jobs if has_project(job, settings)]
    contained = [job for job in in_cloud if job.container]
    for job in in_cloud:
        if missing := app.missing.get(str(job.handler)):
            raise missing
    there = [each for each in app.of_type(Function) if str(each.handler) not in app.missing]
    builder.analyse([*there, *(job for job in in_cloud if not job.container)])
    functions, kept = pack_functions(app, cloud, settings.stage, builder, broken)
    sources = {job.name: builder.job_assets(job) for job in in_cloud if not job.container}
    invoked = [has_invoker(job, settings) for job in jobs]
    stub = stub_asset() if not all(invoked) else None
    invoker = invoker_asset() if any(invoked) else None
    assets = Assets(
        bucket=names.asset_bucket(cloud.account, cloud.region),
        stub=key(stub),
        invoker=key(invoker),
        functions={**kept.keys, **{name: key(asset) for name, asset in functions.items()}},
        jobs={name: key(made.code) for name, made in sources.items()},
        packages={name: key(made.packages) for name, made in sources.items() if made.packages},
        images={
            job.name: image_uri(job, cloud, settings.stage) for job in in_cloud if job.container
        },
        versions=kept.versions,
    )
    packed = [stub, invoker, *functions.values()]
    packed += [asset for made in sources.values() for asset in (made.packages, made.code)]
    return _Packed(
        assets,
        [asset for asset in packed if asset],
        contained,
        builder.warnings,
        frozenset(file for each in there for file in builder.app_files(each)),
    )


def _builder(
    app: App, cloud: Access, python: Path, version: str, schemas: Mapping[str, Any]
) -> Builder:
    local = cloud.endpoint_url is not None
    imported = live(app.root / STATE_DIR, app.root)
    return Builder(python, version, _cache(), local=local, schemas=schemas, live=imported)


def lacking(app: App, cloud: Access, python: Path, jobs: Iterable[str]) -> list[str]:
    """What live runs of these jobs have imported, and deployed ones would not have, in words.

    Raises:
        BuildError: it cannot be told what would be packed.
    """
    builder = _builder(app, cloud, python, _version(python), {})
    for job in app.of_type(Job):
        if job.name in set(jobs) and not job.container:
            builder.compare(job)
    return [text for text in builder.warnings if "live runs have imported" in text]


def _warn(packed: _Packed, on_progress: OnProgress) -> None:
    for text in packed.warnings:
        on_progress(Progress("warning", text))


def _check_secrets(
    cloud: Access, app: App, stage: str, mode: Mode, on_progress: OnProgress
) -> None:
    """
    Raises:
        DeployError: a secret has no value, and nobody could set it before it is needed.
    """
    missing = secrets.missing(cloud, app, stage)
    if missing and mode == "deployed":
        raise DeployError(
            f"secrets without a value: {', '.join(missing)}",
            where=names.stack(app.name, stage),
            remedy="set them first:"
            + "".join(f"\n    devbridge secrets set {name} --stage {stage}" for name in missing),
        )
    for name in missing:
        on_progress(
            Progress(
                "plan",
                f"secret {name!r} has no value: devbridge secrets set {name} --stage {stage}",
            )
        )


def _say_what_is_old(stack: str, app: App, stage: str, on_progress: OnProgress) -> None:
    if stack != names.stack(app.name, stage):
        on_progress(
            Progress(
                "plan",
                f"stack {stack} keeps its old name, which policies for one app do not cover;"
                " see docs/deploying.md",
            )
        )


def _say_what_is_unbounded(cloud: Access, app: App, on_progress: OnProgress) -> None:
    # AWS refuses a role whose boundary does not exist; the embedded cloud does not bound it.
    if not cloud.endpoint_url:
        return
    iam = cloud.client("iam")
    bounded: list[App | Job | Function] = [app, *app.of_type(Job), *app.of_type(Function)]
    for arn in sorted(filter(None, {each.permissions_boundary for each in bounded})):
        try:
            iam.get_policy(PolicyArn=arn)
        except iam.exceptions.NoSuchEntityException:
            on_progress(Progress("plan", f"no policy {arn} here: its roles are not bounded"))


def _build_images(cloud: Access, jobs: list[Job], stage: str, on_progress: OnProgress) -> None:
    for job in jobs:
        if cloud.endpoint_url is None:
            build_image(job, cloud, lambda text: on_progress(Progress("build", text)), stage=stage)
        else:
            on_progress(
                Progress("build", f"{job}: no image, the embedded cloud runs no containers")
            )


def _change(
    cloud: Access,
    stack: str,
    template: Template,
    tags: Mapping[str, str],
    on_progress: OnProgress,
    pace: Pace,
    approve: Callable[[Plan], None] | None,
) -> None:
    """Plan and execute; once more when another deployment has come in between."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            with explained(cloud):
                made = plan(cloud, stack, template, tags=tags, on_progress=on_progress, pace=pace)
                on_progress(Progress("plan", f"{len(made.changes)} changes to stack {stack}"))
                if made:
                    _approve(cloud, made, approve)
                    execute(cloud, made, template.labels, on_progress, pace)
            return
        except Overtaken as error:
            if not left:
                raise
            on_progress(Progress("wait", f"{error.what}: what is to change is worked out anew"))


def _approve(cloud: Access, planned: Plan, approve: Callable[[Plan], None] | None) -> None:
    if approve is None:
        return
    try:
        approve(planned)
    except BaseException:
        discard(cloud, planned)
        raise


def _tags(app: App, stage: str) -> dict[str, str]:
    return {"devbridge:app": app.name, "devbridge:stage": stage}


def _spec(
    job: Job, cloud: Access, stage: str, values: Mapping[str, str], python: Path, version: str
) -> JobSpec:
    environment = {
        **job_variables(job, stage),
        **job.environment,
        **_bound(job.bind, stage, values),
    }
    if job.install:
        folder = installed_path(job.install, python, _cache(), version=version)
        environment["DEVBRIDGE_PATH"] = str(folder)
    role_arn = values[names.output(job, "Role")]
    partition, place = role_arn.split(":")[1], f"{cloud.region}:{cloud.account}"
    return JobSpec(
        name=job.name,
        handler=str(job.handler or ""),
        timeout=job.timeout.total_seconds(),
        memory_mb=job.memory_mb,
        role_arn=role_arn,
        environment=environment,
        shell=job.app.shell,
        project_arn=f"arn:{partition}:codebuild:{place}:project/{names.project(job, stage)}",
        max_attempts=job.retries + 1,
        retry_delay=job.retry_delay.total_seconds(),
        concurrency=job.concurrency,
        command=tuple(job.container.cmd) if job.container else (),
        command_dir=job.container.directory if job.container else "",
    )


def _values(cloud: Access, stack: Mapping[str, Any] | None) -> dict[str, str]:
    """A stack's outputs, with URLs that can be reached."""
    found = outputs_of(stack) if stack else {}
    return {key: _reachable(value, cloud.endpoint_url) for key, value in found.items()}


def _shown(values: Mapping[str, str]) -> dict[str, str]:
    """Outputs for the user: URLs first."""
    shown = [key for key in values if key not in _OWN_OUTPUTS]
    return {key: values[key] for key in sorted(shown, key=lambda k: (not k.endswith("Url"), k))}


def _reachable(value: str, endpoint_url: str | None) -> str:
    """A URL on the embedded cloud's port of today, which may not be that of its creation."""
    port = urlsplit(endpoint_url).port if endpoint_url else None
    if port is None or not value.startswith("http:"):
        return value
    parts = urlsplit(value)
    if parts.port is None:
        return value
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}"))


def _cache() -> Path:
    return cache_dir() / "build"


def _version(python: Path) -> str:
    if python == Path(sys.executable):
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    return verify_interpreter(python).minor
