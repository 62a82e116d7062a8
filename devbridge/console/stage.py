"""A stage as the console shows it: what was deployed, by whom it is run, and until when one may."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from devbridge import names
from devbridge.cloud.session import Cloud
from devbridge.console import stage_model
from devbridge.console.subject import Subject
from devbridge.constructs import Secret
from devbridge.deploy import outputs
from devbridge.deploy.deployed import events, summaries
from devbridge.deploy.secrets import stored
from devbridge.errors import DevbridgeError

T = TypeVar("T")

DEPLOYMENTS: Final = 10
_EVENTS: Final = 1000
"""Events of the stack that are looked at for them."""
_STACK: Final = "AWS::CloudFormation::Stack"
_LINKS: Final = {
    "AWS::Lambda::Function": "lambda/home?region={region}#/functions/{id}",
    "AWS::DynamoDB::Table": "dynamodbv2/home?region={region}#table?name={id}",
    "AWS::Logs::LogGroup": "cloudwatch/home?region={region}#logsV2:log-groups/log-group/{id}",
    "AWS::S3::Bucket": "s3/buckets/{id}?region={region}",
    "AWS::ApiGatewayV2::Api": "apigateway/main/api-detail?api={id}&region={region}",
}
"""Pages of AWS's console."""


def stage(subject: Subject) -> stage_model.Stage:
    """The stage. What cannot be asked is told, and the rest is there."""
    problems: list[str] = []
    app, config = subject.app(), subject.config
    there = _asked(subject.cloud, problems)

    def of(ask: Callable[[Cloud], Sequence[T]]) -> list[T]:
        if there is None:
            return []
        return list(_asked(lambda: _explained(there, ask), problems) or ())

    set_ = {*of(lambda cloud: stored(cloud, app.name, config.stage))}
    named = {secret.name for secret in app.of_type(Secret)}
    values = of(lambda cloud: [*outputs(cloud, app.name, config.stage).items()])
    parts = of(lambda cloud: [*summaries(cloud, app.name, config.stage)])
    happened = of(lambda cloud: [*itertools.islice(events(cloud, app.name, config.stage), _EVENTS)])
    return stage_model.Stage(
        app=app.name,
        stage=config.stage,
        root=str(config.root),
        live=subject.live,
        cloud=_cloud(subject, there),
        since=subject.since if subject.live else None,
        developer=None if there is None else there.principal_arn,
        credentials_end=None if there is None else there.credentials_expire_at(),
        outputs=[
            stage_model.Output(name, value, value if value.startswith("http") else None)
            for name, value in values
        ],
        resources=[_resource(part, there) for part in parts],
        deployments=[*itertools.islice(deployments(happened), DEPLOYMENTS)],
        secrets=[stage_model.Secret(name, name in set_) for name in sorted(named | set_)],
        taken_by=subject.taken_by(),
        problems=list(dict.fromkeys(problems)),
    )


def deployments(happened: Sequence[Mapping[str, Any]]) -> Iterator[stage_model.Deployment]:
    """The deployments that a stack's events tell, the newest first. Pure.

    Args:
        happened: CloudFormation's events, the newest first.
    """
    end: Mapping[str, Any] | None = None
    changes: dict[str, stage_model.Changed] = {}
    for event in happened:
        status = str(event["ResourceStatus"])
        if event["ResourceType"] != _STACK or event["PhysicalResourceId"] != event["StackId"]:
            name = str(event["LogicalResourceId"])
            settled = not status.endswith("IN_PROGRESS")
            if end is not None and settled and event["ResourceType"] != names.STAMP:
                word = status.lower().replace("_", " ")
                changes.setdefault(
                    name, stage_model.Changed(name, str(event["ResourceType"]), word)
                )
        elif end is None and not status.endswith("IN_PROGRESS"):
            end, changes = event, {}
        elif end is not None and status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
            yield _deployment(end, changes)
            end = None
    if end is not None:
        yield _deployment(end, changes)


def _deployment(
    end: Mapping[str, Any], changes: Mapping[str, stage_model.Changed]
) -> stage_model.Deployment:
    what = str(end["ResourceStatus"]).lower().replace("_", " ")
    return stage_model.Deployment(end["Timestamp"].timestamp(), what, [*changes.values()][::-1])


def _asked(ask: Callable[[], T], problems: list[str]) -> T | None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return ask()
    except DevbridgeError as error:
        problems.append(error.what)
    except (BotoCoreError, ClientError) as error:
        problems.append(str(error))
    return None


def _explained(there: Cloud, ask: Callable[[Cloud], T]) -> T:
    with there.explained():
        return ask(there)


def _cloud(subject: Subject, there: Cloud | None) -> str:
    if there is None:
        return "not reached"
    if there.endpoint_url is None:
        return f"AWS, account {there.account}, {there.region}"
    kind = "the embedded cloud" if subject.config.endpoint is None else "the cloud"
    return f"{kind} at {there.endpoint_url}"


def _resource(part: Mapping[str, Any], there: Cloud | None) -> stage_model.Resource:
    kind, name = str(part["ResourceType"]), str(part.get("PhysicalResourceId") or "")
    link = None
    if there is not None and there.endpoint_url is None and kind in _LINKS:
        page = _LINKS[kind].format(region=there.region, id=name.replace("/", "$252F"))
        link = f"https://{there.region}.console.aws.amazon.com/{page}"
    return stage_model.Resource(str(part["LogicalResourceId"]), kind, name, link)
