"""Checks: what is refused, or said, before a deployment changes anything."""

from __future__ import annotations

import json

from devbridge import names
from devbridge.constructs import App, Bucket, Function, Job
from devbridge.deploy import secrets
from devbridge.deploy.access import Progress
from devbridge.deploy.plan import Plan
from devbridge.deploy.request import Request
from devbridge.deploy.resource_types import RULE, SUBSCRIPTION
from devbridge.deploy.synth import Template, in_cloud
from devbridge.durations import spelled
from devbridge.errors import DeployError, InvalidValue


def check_timeouts(request: Request) -> None:
    """Say which timeouts are shorter than what a job's place makes of them on a stage of dev.

    Raises:
        InvalidValue: on a deployed stage, a job's timeout is shorter than those of its place are.
    """
    short = [job for job in request.app.of_type(Job) if job.timeout < job.compute.least]
    if short and request.mode == "deployed":
        listed = ", ".join(f"{job}: {spelled(job.timeout)}" for job in short)
        allowed = dict.fromkeys(map(_timeouts, short))
        raise InvalidValue(
            f"a timeout is too short for a deployed stage: {listed}",
            where=", ".join(str(job.where) for job in short),
            remedy=f"allowed there: {', '.join(allowed)}; write that, and keep the"
            " short one for dev: devbridge dev --timeout"
            f" {spelled(short[0].timeout)!r}",
        )
    for job in short:
        if job.container and in_cloud(job, request):  # no runner is there to end it in time
            text = (
                f"{job}: in {type(job.compute).__name__} it may take {spelled(job.compute.least)},"
                f" the least that there is; {spelled(job.timeout)} holds on this machine"
            )
            request.on_progress(Progress("warning", text))


def _timeouts(job: Job) -> str:
    """The timeouts of its place."""
    least, most = job.compute.least, job.compute.timeouts[1]
    return f"{spelled(least)} to {spelled(most)} in {type(job.compute).__name__}"


def say_hints(request: Request) -> None:
    """Say what of the jobs that AWS runs is allowed, and could be better."""
    for job in request.app.of_type(Job):
        for hint in job.hints if in_cloud(job, request) else ():
            request.on_progress(Progress("warning", f"{job}: {hint}"))


def check_secrets(request: Request) -> None:
    """Say which secrets have no value yet.

    Raises:
        DeployError: a secret has no value, and nobody could set it before it is needed.
    """
    app = request.app
    missing = secrets.missing(request.cloud, app, request.stage)
    how = {name: f"devbridge secrets set {name} {request.options}" for name in missing}
    if missing and request.mode == "deployed":
        raise DeployError(
            f"secrets without a value: {', '.join(missing)}",
            where=names.stack(app.name, request.stage),
            remedy="set them first:" + "".join(f"\n    {command}" for command in how.values()),
        )
    for name, command in how.items():
        request.on_progress(Progress("warning", f"secret {name!r} has no value: {command}"))


def say_what_is_old(stack: str, request: Request) -> None:
    """Say that a stack has the name that an older devbridge gave it, if it has."""
    if stack != names.stack(request.app.name, request.stage):
        request.on_progress(
            Progress(
                "warning",
                f"stack {stack} keeps its old name, which policies for one app do not cover;"
                " see docs/deploying.md",
            )
        )


def say_what_is_unbounded(request: Request) -> None:
    """Say which permissions boundaries the embedded cloud does not have."""
    # AWS refuses a role whose boundary does not exist; the embedded cloud does not bound it.
    app, cloud = request.app, request.cloud
    if not cloud.endpoint_url:
        return
    iam = cloud.client("iam")
    bounded: list[App | Job | Function] = [app, *app.of_type(Job), *app.of_type(Function)]
    for arn in sorted(filter(None, {each.permissions_boundary for each in bounded})):
        try:
            iam.get_policy(PolicyArn=arn)
        except iam.exceptions.NoSuchEntityException:
            request.on_progress(
                Progress(
                    "warning", f"no policy {arn} here: the roles it should bound are not bounded"
                )
            )


def say_who_confirms(request: Request, plan: Plan, template: Template) -> None:
    """Say to which addresses SNS writes for the first time: nothing is delivered before that mail
    was answered. The embedded cloud writes to nobody."""
    new = [each for each in plan.changes if each.type == SUBSCRIPTION.name]
    if not new or request.cloud.endpoint_url:
        return
    made = json.loads(template.body)["Resources"]
    for change in new:
        properties = made.get(change.logical_id, {}).get("Properties", {})
        if change.action in ("add", "replace") and properties.get("Protocol") == "email":
            text = f"{change.label}: AWS sends a mail; until its link is followed, it gets no other"
            request.on_progress(Progress("warning", text))


def say_what_is_unheard(request: Request, plan: Plan, template: Template) -> None:
    """Say for each new rule of a bucket that exists that it may match nothing: whether S3 tells
    EventBridge of its objects is for its owner to say ("Enabling Amazon EventBridge", S3)."""
    existing = {bucket.known.get("bucket_name") for bucket in request.app.of_type(Bucket)}
    new = [each for each in plan.changes if each.type == RULE.name and each.action == "add"]
    if not new or existing <= {None}:
        return
    made = json.loads(template.body)["Resources"]
    for change in new:
        pattern = made.get(change.logical_id, {}).get("Properties", {}).get("EventPattern", {})
        if pattern.get("source") != ["aws.s3"]:
            continue
        (bucket,) = pattern["detail"]["bucket"]["name"]
        if isinstance(bucket, str) and bucket in existing:
            text = (
                f"{change.label}: OnObject hears nothing of bucket {bucket} unless its owner has"
                " turned on EventBridge's notifications: see docs/triggers.md"
            )
            request.on_progress(Progress("warning", text))
