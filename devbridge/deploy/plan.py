"""Plan: what CloudFormation would change, as data; nothing is changed yet."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from devbridge import names
from devbridge.deploy import kinds, package
from devbridge.deploy.access import Access, OnProgress
from devbridge.deploy.changes import LABELS, Change, changes_of
from devbridge.deploy.refusals import is_denied, is_overtaken, message_of
from devbridge.deploy.stacks import (
    Pace,
    check_owner,
    deployed_template,
    describe,
    outputs_of,
    settled,
)
from devbridge.deploy.synth import Template
from devbridge.deploy.validation import failed_validations, refusal
from devbridge.errors import DeployError

INLINE_LIMIT: Final = 51_200
"""Bytes that CloudFormation takes in the request; more goes through S3."""

_NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change; false if there is nothing to do."""

    stack: str
    change_set: str
    """The one that waits to be executed; "" if there is none."""
    creates: bool
    """Whether the stack does not exist yet."""
    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.change_set or self.changes)

    @property
    def dangerous(self) -> tuple[Change, ...]:
        """The changes that take data away from the app."""
        return tuple(change for change in self.changes if change.data)

    @property
    def moving(self) -> frozenset[str]:
        """The jobs, by their labels, of which what has run them goes. See `deploy.moves`."""
        return frozenset(
            change.label for change in self.changes if change.action == "remove" and change.reason
        )


def is_current(stack: Mapping[str, Any] | None, template: Template) -> bool:
    """Whether the stack was made from this very template, and completely. Pure."""
    if stack is None or stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return False
    return outputs_of(stack).get(names.TEMPLATE_HASH) == template.hash


def plan(
    cloud: Access,
    stack: str,
    template: Template,
    *,
    tags: Mapping[str, str],
    on_progress: OnProgress,
    pace: Pace,
) -> Plan:
    """A change set that turns the stack into the template. Execute it, or `discard` it.

    Another deployment is waited for. A stack whose first creation failed, which can only be
    deleted, is deleted first.

    Raises:
        DeployError: CloudFormation refuses the template, the stack is another app's, or it is
            stuck in a failed roll-back.
    """
    found = settled(cloud, stack, on_progress, pace)
    if found:
        check_owner(found, tags)
    key = names.template(tags["devbridge:app"], file_of(template))
    return changed(cloud, stack, found, template, key, tags, pace)


def changed(
    cloud: Access,
    stack: str,
    found: Mapping[str, Any] | None,
    template: Template,
    key: str,
    tags: Mapping[str, str],
    pace: Pace,
) -> Plan:
    """The plan of a new change set.

    Args:
        found: the stack, described; None if it is to be created.
        key: of the template in the asset bucket, if it must be put there.

    Raises:
        DeployError: CloudFormation refuses the template.
    """
    cloudformation = cloud.client("cloudformation")
    change_set = _created(cloud, stack, "UPDATE" if found else "CREATE", template, key, tags)
    described = _described(cloudformation, stack, change_set, pace)
    if described["Status"] == "FAILED":
        reason = described.get("StatusReason", "")
        told_elsewhere = "validation" in reason.lower() or "DescribeEvents" in reason
        refused = failed_validations(cloud, stack, change_set) if told_elsewhere else ()
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=change_set)
        if _is_none(reason):
            return Plan(stack, "", False, ())
        raise refusal(
            f"CloudFormation refuses the change: {reason}",
            refused,
            template.labels,
            where=f"stack {stack}",
        )
    items = [item["ResourceChange"] for item in described["Changes"] if "ResourceChange" in item]
    old = deployed_template(cloud, stack) if found else {}
    changes = changes_of(items, old, json.loads(template.body), template.labels)
    return Plan(stack, change_set, not found, tuple(as_it_is(cloud, changes)))


def _created(
    cloud: Access,
    stack: str,
    kind: Literal["CREATE", "UPDATE"],
    template: Template,
    key: str,
    tags: Mapping[str, str],
) -> str:
    """The id of a new change set, which CloudFormation is still working on."""
    cloudformation = cloud.client("cloudformation")
    body = _template_argument(cloud, template, key)
    try:
        made = cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=f"devbridge-{uuid.uuid4().hex}",
            ChangeSetType=kind,
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            **body,
        )
    except cloudformation.exceptions.ClientError as error:
        if is_overtaken(error) or is_denied(error):
            raise
        raise DeployError(
            f"CloudFormation refuses the change: {message_of(error)}", where=f"stack {stack}"
        ) from error
    return str(made["Id"])


def _is_none(reason: str) -> bool:
    """Whether a change set has failed because there is nothing to change."""
    return any(text in reason for text in _NO_CHANGES)


def discard(cloud: Access, plan: Plan) -> None:
    """Delete the plan's change set, and the empty stack that was made for it."""
    if not plan.change_set:
        return
    cloudformation = cloud.client("cloudformation")
    cloudformation.delete_change_set(StackName=plan.stack, ChangeSetName=plan.change_set)
    found = describe(cloud, plan.stack)
    if plan.creates and found and found["StackStatus"] == "REVIEW_IN_PROGRESS":
        cloudformation.delete_stack(StackName=found["StackId"])


def as_it_is(cloud: Access, changes: tuple[Change, ...]) -> Iterator[Change]:
    """The changes, corrected by what templates do not tell."""
    for change in changes:
        left = kinds.resource_type(change.type).leftover
        if left is None:
            yield change
        elif change.data and not left.lost_if_empty and left.is_empty(cloud, change.physical_id):
            yield replace(change, data=False)
        elif change.action == "replace" and left.replaced_in_place and cloud.endpoint_url:
            yield replace(change, kept=False)
        else:
            yield change


def file_of(template: Template) -> str:
    """The name of a template's file in the asset bucket."""
    return f"{hashlib.sha256(template.body.encode()).hexdigest()}.template"


def _template_argument(cloud: Access, template: Template, key: str) -> dict[str, str]:
    # With the constructs, so that what is removed some day can be called by its name.
    content = json.loads(template.body)
    content["Metadata"] = {**content.get("Metadata", {}), LABELS: dict(template.labels)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    body = text.encode()
    if len(body) <= INLINE_LIMIT:
        return {"TemplateBody": text}
    return {"TemplateURL": package.put_template(cloud, key, body)}


def _described(cloudformation: Any, stack: str, change_set: str, pace: Pace) -> dict[str, Any]:
    """The change set once it is ready or has failed, with all of its changes."""
    # With the stack's name too, because that is what a policy can name.
    named = {"StackName": stack, "ChangeSetName": change_set}
    for seconds in pace():
        described: dict[str, Any] = cloudformation.describe_change_set(**named)
        if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
            break
        time.sleep(seconds)
    token = described.get("NextToken")
    while token:
        page = cloudformation.describe_change_set(**named, NextToken=token)
        described["Changes"] += page["Changes"]
        token = page.get("NextToken")
    return described
