"""Checks: what is refused, or said, before a deployment changes anything."""

from __future__ import annotations

from devbridge import names
from devbridge.constructs import App, Function, Job
from devbridge.deploy import secrets
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.errors import DeployError
from devbridge.names import Mode


def check_secrets(cloud: Access, app: App, stage: str, mode: Mode, on_progress: OnProgress) -> None:
    """Say which secrets have no value yet.

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


def say_what_is_old(stack: str, app: App, stage: str, on_progress: OnProgress) -> None:
    """Say that a stack has the name that an older devbridge gave it, if it has."""
    if stack != names.stack(app.name, stage):
        on_progress(
            Progress(
                "plan",
                f"stack {stack} keeps its old name, which policies for one app do not cover;"
                " see docs/deploying.md",
            )
        )


def say_what_is_unbounded(cloud: Access, app: App, on_progress: OnProgress) -> None:
    """Say which permissions boundaries the embedded cloud does not have."""
    # AWS refuses a role whose boundary does not exist; the embedded cloud does not bound it.
    if not cloud.endpoint_url:
        return
    iam = cloud.client("iam")
    bounded: list[App | Job | Function] = [app, *app.of_type(Job), *app.of_type(Function)]
    for arn in sorted(filter(None, {each.permissions_boundary for each in bounded})):
        try:
            iam.get_policy(PolicyArn=arn)
        except iam.exceptions.NoSuchEntityException:
            on_progress(
                Progress("plan", f"no policy {arn} here: the roles it should bound are not bounded")
            )
