"""Deployed: what there is of a stage, as its stack's outputs tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from devbridge import names
from devbridge.deploy.access import Access
from devbridge.deploy.refusals import explained
from devbridge.deploy.stacks import find, is_unusable, outputs_of
from devbridge.errors import DeployError, NotDeployed
from devbridge.names import Mode

_OWN_OUTPUTS: Final = frozenset({names.TEMPLATE_HASH, names.MODE, names.BIND_ROLE, names.NAMING})
"""Those that are not for the user."""


def outputs(cloud: Access, app: str, stage: str) -> dict[str, str]:
    """The outputs of a deployed stage that are for the user, the APIs' URLs first.

    Raises:
        NotDeployed: there is no such stack.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    return shown(stack_values(cloud, app, stage))


def stack_values(cloud: Access, app: str, stage: str) -> dict[str, str]:
    """All outputs of a deployed stage, by the names that `names` gives them.

    Raises:
        NotDeployed: there is no such stack.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    found = _deployed(cloud, app, stage)
    if found is None:
        here = cloud.endpoint_url
        local, more = (" --local", "") if here else ("", ", or the embedded cloud with --local")
        raise NotDeployed(
            f"app {app!r} is not deployed to stage {stage!r}",
            where=here or f"account {cloud.account}, region {cloud.region}",
            remedy=f"run `devbridge dev{local}` or `devbridge deploy{local}` first, or name another"
            f" stage with --stage{more}",
        )
    return values_of(cloud, found)


def resources(cloud: Access, app: str, stage: str) -> dict[str, str]:
    """What AWS calls each resource of a stage (a queue: its URL), by CloudFormation's name.

    Raises:
        NotDeployed, CredentialsError, CloudError: as `stack_values`.
    """
    return {
        item["LogicalResourceId"]: item["PhysicalResourceId"]
        for item in summaries(cloud, app, stage)
        if item.get("PhysicalResourceId")
    }


def summaries(cloud: Access, app: str, stage: str) -> Iterator[dict[str, Any]]:
    """What CloudFormation lists of each resource of a stage.

    Raises:
        NotDeployed, CredentialsError, CloudError: as `stack_values`.
    """
    for page in _pages(cloud, app, stage, lambda cfn: cfn.get_paginator("list_stack_resources")):
        for item in page["StackResourceSummaries"]:
            if item["ResourceStatus"] != "DELETE_COMPLETE":
                yield item


def events(cloud: Access, app: str, stage: str) -> Iterator[dict[str, Any]]:
    """What has happened to a stage's stack and its resources, the newest first.

    Raises:
        NotDeployed, CredentialsError, CloudError: as `stack_values`.
    """
    for page in _pages(cloud, app, stage, lambda cfn: cfn.get_paginator("describe_stack_events")):
        yield from page["StackEvents"]


def _pages(
    cloud: Access, app: str, stage: str, paginator: Callable[[Any], Any]
) -> Iterator[dict[str, Any]]:
    stack_values(cloud, app, stage)
    with explained(cloud):
        name, _ = find(cloud, app, stage)
        yield from paginator(cloud.client("cloudformation")).paginate(StackName=name)


def stage_mode(cloud: Access, app: str, stage: str) -> Mode | None:
    """Whether a stage is one of `devbridge dev` or of `devbridge deploy`; None: it is not there.

    Raises:
        CredentialsError, CloudError: the cloud could not be asked.
    """
    found = _deployed(cloud, app, stage)
    if found is None:
        return None
    return "deployed" if outputs_of(found).get(names.MODE) == "deployed" else "dev"


def check_naming(cloud: Access, app: str, stage: str) -> None:
    """Return if the stage's functions and projects have the names that this devbridge looks for.

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


def _deployed(cloud: Access, app: str, stage: str) -> dict[str, Any] | None:
    with explained(cloud):
        _, found = find(cloud, app, stage)
    return None if is_unusable(found) else found


def values_of(cloud: Access, stack: Mapping[str, Any] | None) -> dict[str, str]:
    """A stack's outputs, with URLs that can be reached."""
    found = outputs_of(stack) if stack else {}
    return {key: _reachable(value, cloud.endpoint_url) for key, value in found.items()}


def shown(values: Mapping[str, str]) -> dict[str, str]:
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
