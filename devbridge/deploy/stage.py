"""Stage: deploy one, find out what that would change, make what it would deploy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devbridge import names
from devbridge.constructs import App
from devbridge.deploy import checks
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.assets import Packed, build_images, pack
from devbridge.deploy.compare import compare, pins
from devbridge.deploy.deployed import shown, values_of
from devbridge.deploy.execute import execute
from devbridge.deploy.functions import Broken
from devbridge.deploy.package import upload
from devbridge.deploy.plan import Plan, discard, is_current, plan
from devbridge.deploy.refusals import Overtaken, explained
from devbridge.deploy.settings import settings_of, version_of
from devbridge.deploy.specs import job_specs
from devbridge.deploy.stacks import (
    Pace,
    check_owner,
    deployed_template,
    find,
    is_unusable,
    patient,
    settled,
)
from devbridge.deploy.synth import Settings, Template
from devbridge.deploy.synth.app import synth
from devbridge.names import Mode
from devbridge.packing.zips import Asset
from devbridge.runs.model import JobSpec

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
    with explained(cloud):
        settings = _settings(app, cloud, stage, mode, python, offline)
        checks.check_secrets(cloud, app, stage, mode, on_progress)
        packed = pack(app, cloud, settings, python, schemas, on_progress, broken)
        synth(app, settings, packed.assets)  # what is wrong with it is said before the upload
        stack, changed = _made(app, cloud, settings, packed, on_progress, pace, approve)
        values = values_of(cloud, stack)
    specs = job_specs(app, cloud, settings, values, python)
    return Deployed(shown(values), specs, changed, packed.files)


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
        settings = _settings(app, cloud, stage, mode, python, offline)
        packed = pack(app, cloud, settings, python, schemas, on_progress)
        stack, found = find(cloud, app.name, stage, on_progress)
        found = None if is_unusable(found) else settled(cloud, stack, on_progress, pace)
        old = deployed_template(cloud, stack) if found else {}
        # What is stored in place of a zip of that name, only `deploy` verifies.
        template = synth(app, settings, packed.pinned(pins(old)))
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
    settings = _settings(app, cloud, stage, mode, python, offline)
    packed = pack(app, cloud, settings, python, schemas, on_progress)
    return synth(app, settings, packed.assets), packed.zips


def _settings(
    app: App, cloud: Access, stage: str, mode: Mode, python: Path, offline: str
) -> Settings:
    names.stack(app.name, stage)  # what is wrong with the stage's name is said first
    version = version_of(python)
    return settings_of(cloud, stage=stage, mode=mode, python=version, offline=offline)


def _made(
    app: App,
    cloud: Access,
    settings: Settings,
    packed: Packed,
    on_progress: OnProgress,
    pace: Pace,
    approve: Callable[[Plan], None] | None,
) -> tuple[Mapping[str, Any] | None, bool]:
    """The stage's stack once it is what app.py says; and whether it had to be changed."""
    stage, tags = settings.stage, _tags(app, settings.stage)
    name, found = find(cloud, app.name, stage, on_progress)
    if found and not is_unusable(found):
        check_owner(found, tags)
        checks.say_what_is_old(name, app, stage, on_progress)
    versions = upload(cloud, packed.zips, app.name, on_progress)
    template = synth(app, settings, packed.pinned(versions))
    if is_current(found, template):
        return found, False
    checks.say_what_is_unbounded(cloud, app, on_progress)
    build_images(cloud, packed.images, stage, on_progress)
    _change(cloud, name, template, tags, on_progress, pace, approve)
    return find(cloud, app.name, stage)[1], True


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
            on_progress(Progress("wait", f"{error.what}: working out the changes again"))


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
