"""Validation: what CloudFormation found wrong before it touched any resource.

It checks properties, names that are taken and the like first (its early validation). What it found
is in no event of a resource, only in the events of the operation: DescribeEvents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devbridge.deploy import remedies
from devbridge.deploy.access import Access
from devbridge.errors import DeployError

_KINDS: Final = ("VALIDATION_ERROR", "HOOK_INVOCATION_ERROR")
_OPERATIONS: Final = ("CREATE_STACK", "UPDATE_STACK", "CREATE_CHANGESET")
_ALLOW: Final = (
    "allow whoever deploys cloudformation:DescribeEvents, which gives the cause;"
    " or look at the stack's events in the AWS console"
)


@dataclass(frozen=True, slots=True)
class Invalid:
    """One thing that is wrong with a template."""

    logical_id: str
    type: str
    """Of the resource, e.g. ``AWS::S3::Bucket``."""
    reason: str
    path: str = ""
    """Within the template: ``/Resources/Files/Properties/BucketName``."""


def failed_validations(
    cloud: Access, stack: str, change_set: str | None = None
) -> Sequence[Invalid] | None:
    """What the last operation on a stack, or the making of a change set, was refused for.

    None: CloudFormation does not tell who asks.
    """
    from botocore.exceptions import ClientError

    client = cloud.client("cloudformation")
    if not hasattr(client, "describe_events"):  # an older boto3
        return None
    about = {"StackName": stack, **({"ChangeSetName": change_set} if change_set else {})}
    events: list[Mapping[str, Any]] = []
    try:
        for page in client.get_paginator("describe_events").paginate(**about):
            events += page.get("OperationEvents", ())
    except ClientError:
        return None
    return of_last_operation(events)


def of_last_operation(events: Sequence[Mapping[str, Any]]) -> tuple[Invalid, ...]:
    """What the last of several operations was refused for. Pure."""
    about = [each for each in events if each.get("OperationType") in _OPERATIONS]
    if not about:
        return ()
    last = max(about, key=lambda each: str(each.get("Timestamp", "")))["OperationId"]
    found = [
        _invalid(each)
        for each in about
        if each["OperationId"] == last
        and each.get("EventType") in _KINDS
        and "WARN" not in (each.get("ValidationFailureMode"), each.get("HookFailureMode"))
    ]
    return tuple(dict.fromkeys(found))


def _invalid(event: Mapping[str, Any]) -> Invalid:
    hook = f"the hook {event['HookType']} refuses it" if event.get("HookType") else ""
    reason = event.get("ValidationStatusReason") or event.get("HookStatusReason") or hook
    return Invalid(
        event.get("LogicalResourceId", ""),
        event.get("ResourceType", ""),
        reason or event.get("ValidationName") or "no reason is given",
        event.get("ValidationPath", ""),
    )


def refusal(
    what: str,
    found: Sequence[Invalid] | None,
    labels: Mapping[str, str],
    *,
    where: str,
    afterwards: str = "",
) -> DeployError:
    """The error of a stack that was refused: each cause with its resource, and what to do.

    Args:
        what: what is said if there is nothing more precise.
        found: the causes; None: they could not be asked for.
        labels: logical id -> construct.
        afterwards: what has become of the stack.
    """
    if not found:
        remedy = _ALLOW if found is None else None
        return DeployError(what, where=where, remedy=remedy)
    said = [_said(each, labels) for each in found]
    first = found[0]
    remedy = remedies.remedy(
        first.type, f"{first.reason} {first.path.rpartition('/Properties/')[2]}"
    )
    return DeployError("; ".join(said), where=where, remedy=remedy + afterwards)


def _said(each: Invalid, labels: Mapping[str, str]) -> str:
    label = labels.get(each.logical_id, each.logical_id)
    prop = each.path.partition("/Properties/")[2]
    about = f", {prop.replace('/', '.')}" if prop else ""
    kind = f" {each.type}" if each.type and each.type not in label else ""
    return f"{label}:{kind} fails CloudFormation's validation{about}: {each.reason}"
