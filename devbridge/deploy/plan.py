"""Plan: what CloudFormation would change, as data; nothing is changed yet."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from devbridge.deploy import names, package
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.execute import Pace, message_of, wait_until_gone, watch
from devbridge.deploy.synth import Template
from devbridge.errors import DeployError

INLINE_LIMIT: Final = 51_200
"""Bytes that CloudFormation takes in the request; more goes through S3."""

_DONE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_UNUSABLE: Final = (
    "REVIEW_IN_PROGRESS",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
)
_NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True, slots=True)
class Change:
    """What will happen to one resource."""

    action: Literal["add", "change", "replace", "remove"]
    logical_id: str
    type: str
    label: str
    """The construct, as the user knows it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A change set that waits to be executed; `change_set` is empty if there is nothing to do."""

    stack: str
    change_set: str
    creates: bool
    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.change_set)


def describe(cloud: Access, stack: str) -> dict[str, Any] | None:
    """The stack as CloudFormation describes it, or None."""
    cloudformation = cloud.client("cloudformation")
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if found["StackStatus"] == "DELETE_COMPLETE" else found


def is_current(stack: Mapping[str, Any] | None, template: Template) -> bool:
    """Whether the stack was made from this very template, and completely. Pure."""
    if stack is None or stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return False
    return outputs_of(stack).get(names.TEMPLATE_HASH) == template.hash


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """A described stack's outputs. Pure."""
    return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", ())}


def plan(
    cloud: Access,
    stack: str,
    template: Template,
    *,
    tags: Mapping[str, str],
    on_progress: OnProgress,
    pace: Pace,
) -> Plan:
    """A change set that turns the stack into the template.

    What stands in the way is cleared first: another deployment is waited for, and a stack whose
    first creation failed is deleted (it can be nothing else).

    Raises:
        DeployError: CloudFormation refuses the template, the stack is another app's, or it is
            stuck in a failed roll-back.
    """
    found = _settled(cloud, stack, on_progress, pace)
    if found:
        _check_owner(found, tags)
    cloudformation = cloud.client("cloudformation")
    try:
        change_set = cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=f"devbridge-{uuid.uuid4().hex}",
            ChangeSetType="UPDATE" if found else "CREATE",
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            **_template_argument(cloud, template),
        )["Id"]
    except cloudformation.exceptions.ClientError as error:
        raise DeployError(
            f"CloudFormation refuses the change: {message_of(error)}", where=f"stack {stack}"
        ) from error
    described = _described(cloudformation, change_set, pace)
    if described["Status"] == "FAILED":
        reason = described.get("StatusReason", "")
        cloudformation.delete_change_set(ChangeSetName=change_set)
        if any(text in reason for text in _NO_CHANGES):
            return Plan(stack, "", False, ())
        raise DeployError(f"CloudFormation refuses the change: {reason}", where=f"stack {stack}")
    changes = tuple(
        _change(item["ResourceChange"], template.labels)
        for item in described["Changes"]
        if item.get("ResourceChange", {}).get("ResourceType") not in (None, names.STAMP)
    )
    return Plan(stack, change_set, not found, changes)


def _settled(
    cloud: Access, stack: str, on_progress: OnProgress, pace: Pace
) -> dict[str, Any] | None:
    """The stack once it can be changed; None if it is to be created."""
    found = describe(cloud, stack)
    if found and found["StackStatus"] == "DELETE_IN_PROGRESS":
        on_progress(Progress("wait", f"stack {stack} is being removed"))
        wait_until_gone(cloud, found["StackId"], pace)
        return None
    if found and found["StackStatus"] in _UNUSABLE:
        on_progress(Progress("wait", f"stack {stack} is {found['StackStatus']}: made again"))
        cloud.client("cloudformation").delete_stack(StackName=found["StackId"])
        wait_until_gone(cloud, found["StackId"], pace)
        return None
    if found and found["StackStatus"].endswith("_IN_PROGRESS"):
        on_progress(Progress("wait", f"stack {stack}: another deployment is under way"))
        watch(cloud, found["StackId"], set(), lambda _: None, pace=pace)
        return _settled(cloud, stack, on_progress, pace)
    if found and found["StackStatus"] not in _DONE:
        raise DeployError(
            f"the stack is {found['StackStatus']}",
            where=f"stack {stack}",
            remedy="run `devbridge remove`, or continue its roll-back in the AWS console",
        )
    return found


def _check_owner(found: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    # Names are joined with hyphens: app "a-b", stage "c" and app "a", stage "b-c" are one stack.
    theirs = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
    if any(theirs.get(key) != value for key, value in tags.items()):
        owner = ", ".join(f"{key.partition(':')[2]} {theirs.get(key, '?')!r}" for key in tags)
        raise DeployError(
            "the stack is not of this app and stage",
            where=f"stack {found['StackName']}, of {owner}",
            remedy="choose another stage with --stage",
        )


def _template_argument(cloud: Access, template: Template) -> dict[str, str]:
    body = template.body.encode()
    if len(body) <= INLINE_LIMIT:
        return {"TemplateBody": template.body}
    s3, bucket = cloud.client("s3"), package.ensure_bucket(cloud)
    key = f"{hashlib.sha256(body).hexdigest()}.template"
    s3.put_object(Bucket=bucket, Key=key, Body=body, ExpectedBucketOwner=cloud.account)
    return {"TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/{key}"}


def _described(cloudformation: Any, change_set: str, pace: Pace) -> dict[str, Any]:
    """The change set once it is ready or has failed, with all of its changes."""
    for seconds in pace():
        described: dict[str, Any] = cloudformation.describe_change_set(ChangeSetName=change_set)
        if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
            break
        time.sleep(seconds)
    token = described.get("NextToken")
    while token:
        page = cloudformation.describe_change_set(ChangeSetName=change_set, NextToken=token)
        described["Changes"] += page["Changes"]
        token = page.get("NextToken")
    return described


def _change(change: Mapping[str, Any], labels: Mapping[str, str]) -> Change:
    action: Literal["add", "change", "replace", "remove"]
    match change["Action"]:
        case "Add":
            action = "add"
        case "Remove":
            action = "remove"
        case _:
            action = "replace" if change.get("Replacement") == "True" else "change"
    logical_id = change["LogicalResourceId"]
    return Change(action, logical_id, change["ResourceType"], labels.get(logical_id, logical_id))
