"""Stage: deploy one, find out what that would change, make what it would deploy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from devbridge import progress
from devbridge.deploy import checks
from devbridge.deploy.access import Access, Progress
from devbridge.deploy.assets import Packed, build_images, pack
from devbridge.deploy.changes import Change
from devbridge.deploy.compare import compare, pins
from devbridge.deploy.deployed import shown, values_of
from devbridge.deploy.execute import execute
from devbridge.deploy.functions import Broken
from devbridge.deploy.package import upload
from devbridge.deploy.plan import Plan, discard, is_current, plan
from devbridge.deploy.refusals import Overtaken, explained
from devbridge.deploy.request import Request
from devbridge.deploy.settings import settings_of
from devbridge.deploy.specs import function_specs, job_specs
from devbridge.deploy.stacks import (
    check_owner,
    deployed_template,
    find,
    is_unusable,
    settled,
)
from devbridge.deploy.synth import Settings, Template
from devbridge.deploy.synth.app import synth
from devbridge.packing.zips import Asset
from devbridge.runs.model import FunctionSpec, JobSpec
from devbridge.words import many

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
    changes: tuple[Change, ...] = ()
    """What was changed."""
    files: frozenset[Path] = frozenset()
    """Those that its functions are made of, without what is installed."""
    functions: Mapping[str, FunctionSpec] = field(default_factory=dict)
    """Those whose requests are handled on the laptop, by name: none on a deployed stage."""


def deploy(
    request: Request,
    *,
    approve: Callable[[Plan], None] | None = None,
    broken: Broken | None = None,
) -> Deployed:
    """Make the stage what app.py says, and return when the stack is complete.

    If nothing changed, it costs one question to CloudFormation, one to S3 for each zip, and one to
    SSM if there are secrets. What somebody has changed in the asset bucket is repaired.

    Args:
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
    cloud = request.cloud
    with explained(cloud):
        settings = settings_of(request)
        checks.check_secrets(request)
        packed = _packed(request, settings, broken)
        synth(request.app, settings, packed.assets)  # what is wrong is said before the upload
        stack, done = _made(request, settings, packed, approve)
        values = values_of(cloud, stack)
    specs = job_specs(request.app, cloud, settings, values, request.python)
    functions = function_specs(request.app, cloud, settings, values, request.python)
    changes = done.changes if done else ()
    return Deployed(shown(values), specs, done is not None, changes, packed.files, functions)


def diff(request: Request) -> Plan:
    """What `deploy` would change; nothing is changed. See `compare` for what it may need.

    Raises:
        as `deploy`.
    """
    app, cloud = request.app, request.cloud
    with explained(cloud):
        settings = settings_of(request)
        packed = _packed(request, settings)
        stack, found = find(cloud, app.name, request.stage, request.on_progress)
        if is_unusable(found):
            found = None
        else:
            found = settled(cloud, stack, request.on_progress, request.pace)
        old = deployed_template(cloud, stack) if found else {}
        # What is stored in place of a zip of that name, only `deploy` verifies.
        template = synth(app, settings, packed.pinned(pins(old)))
        if is_current(found, template):
            return Plan(stack, "", False, ())
        with progress.task("plan", f"stack {stack}"):
            return compare(cloud, stack, found, old, template, tags=request.tags, pace=request.pace)


def synthesize(request: Request) -> tuple[Template, list[Asset]]:
    """The template and the zips that `deploy` would deploy; its warnings are told.

    Raises:
        InvalidValue, AppFailed, BuildError: as `deploy`.
    """
    settings = settings_of(request)
    packed = _packed(request, settings)
    return synth(request.app, settings, packed.assets), packed.zips


def _packed(request: Request, settings: Settings, broken: Broken | None = None) -> Packed:
    with progress.task("pack", f"the code of {request.app.name}"):
        return pack(request, settings, broken)


def _made(
    request: Request,
    settings: Settings,
    packed: Packed,
    approve: Callable[[Plan], None] | None,
) -> tuple[Mapping[str, Any] | None, Plan | None]:
    """The stage's stack once it is what app.py says; and what was done for that."""
    app, cloud, stage, tell = request.app, request.cloud, request.stage, request.on_progress
    name, found = find(cloud, app.name, stage, tell)
    if found and not is_unusable(found):
        check_owner(found, request.tags)
        checks.say_what_is_old(name, request)
    versions = upload(cloud, packed.zips, app.name, tell)
    template = synth(app, settings, packed.pinned(versions))
    if is_current(found, template):
        return found, None
    checks.say_what_is_unbounded(request)
    build_images(cloud, packed.images, stage, tell)
    done = _change(request, name, template, approve)
    return find(cloud, app.name, stage)[1], done


def _change(
    request: Request, stack: str, template: Template, approve: Callable[[Plan], None] | None
) -> Plan:
    """Plan and execute; once more when another deployment has come in between."""
    cloud, tell, pace = request.cloud, request.on_progress, request.pace
    for left in reversed(range(_ATTEMPTS)):
        try:
            with explained(cloud):
                with progress.task("plan", f"stack {stack}"):
                    made = plan(
                        cloud, stack, template, tags=request.tags, on_progress=tell, pace=pace
                    )
                tell(Progress("plan", f"{many(len(made.changes), 'change')} to stack {stack}"))
                if made:
                    _approve(cloud, made, approve)
                    execute(cloud, made, template.labels, tell, pace)
                    checks.say_who_confirms(request, made, template)
                    checks.say_what_is_unheard(request, made, template)
            return made
        except Overtaken as error:
            if not left:
                raise
            tell(Progress("wait", f"{error.what}: working out the changes again"))
    raise AssertionError("the last attempt returns or raises")


def _approve(cloud: Access, planned: Plan, approve: Callable[[Plan], None] | None) -> None:
    if approve is None:
        return
    try:
        approve(planned)
    except BaseException:
        discard(cloud, planned)
        raise
