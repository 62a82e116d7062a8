"""Compare: what a deployment would change, found out without changing anything.

CloudFormation knows best. But to ask it takes the right to make change sets, which who only looks
need not have: without it the two templates are compared here, and what only CloudFormation can know
is marked so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from devbridge import names
from devbridge.deploy import kinds
from devbridge.deploy.access import Access
from devbridge.deploy.changes import Change, all_added, changes_of, difference
from devbridge.deploy.pins import Pin
from devbridge.deploy.plan import Plan, as_it_is, changed, discard, file_of
from devbridge.deploy.refusals import code_of, is_denied
from devbridge.deploy.stacks import Pace, check_owner
from devbridge.deploy.synth import Template


def compare(
    cloud: Access,
    stack: str,
    found: Mapping[str, Any] | None,
    deployed: Mapping[str, Any],
    template: Template,
    *,
    tags: Mapping[str, str],
    pace: Pace,
) -> Plan:
    """What the template would change in the stack. It needs GetTemplate and Describe* alone.

    For a stage that is not there all is new; CloudFormation is not asked, for it would make a
    stack. A template that must be uploaded for it goes where nothing is deployed from.

    Args:
        found: the stack, described; None if there is none that could be updated.
        deployed: its template.

    Raises:
        DeployError: CloudFormation refuses the template, or the stack is another app's.
    """
    new = json.loads(template.body)
    if found is None:
        return Plan(stack, "", True, all_added(new, template.labels))
    check_owner(found, tags)
    from botocore.exceptions import ClientError

    try:
        key = names.compared(tags["devbridge:app"], file_of(template))
        planned = changed(cloud, stack, found, template, key, tags, pace)
    except ClientError as error:
        # Nor is a bucket made for it.
        if not is_denied(error) and code_of(error) != "NoSuchBucket":
            raise
        items = difference(deployed, new)
        changes = changes_of(items, deployed, new, template.labels)
        return Plan(stack, "", False, tuple(as_it_is(cloud, _named(cloud, stack, changes))))
    discard(cloud, planned)
    return planned


def _named(cloud: Access, stack: str, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """The changes, with the names in the cloud of what holds data and goes."""
    return tuple(
        replace(change, physical_id=_physical_id(cloud, stack, change.logical_id))
        if change.data
        else change
        for change in changes
    )


def _physical_id(cloud: Access, stack: str, logical_id: str) -> str:
    cloudformation = cloud.client("cloudformation")
    with suppress(cloudformation.exceptions.ClientError):  # then nobody knows
        found = cloudformation.describe_stack_resource(
            StackName=stack, LogicalResourceId=logical_id
        )["StackResourceDetail"]
        return str(found.get("PhysicalResourceId", ""))
    return ""


def pins(template: Mapping[str, Any]) -> dict[str, str]:
    """The versions of the zips that a deployed template starts from, by their keys. Pure."""
    return {
        key: version
        for resource in (template.get("Resources") or {}).values()
        for key, version in _pins(resource.get("Type", ""), resource.get("Properties") or {})
        if key and version
    }


def _pins(kind: str, properties: Mapping[str, Any]) -> Iterator[Pin]:
    return kinds.resource_type(kind).pins(properties)
