"""Plan: what CloudFormation would change, as data; nothing is changed yet."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from devbridge import names
from devbridge.deploy import package
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.changes import LABELS, QUEUE, TABLE, Action, Change, changes_of
from devbridge.deploy.execute import (
    Pace,
    is_denied,
    is_overtaken,
    message_of,
    wait_until_gone,
    watch,
)
from devbridge.deploy.synth import Template
from devbridge.deploy.validation import failed_validations, refusal
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


MARKS: Final[Mapping[Action, str]] = {"add": "+", "change": "~", "replace": "!", "remove": "-"}
"""The first character of a change's line."""


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


def lines(plan: Plan) -> Iterator[str]:
    """The plan for people: one line a change, who may do what apart from the rest.

    A line begins with ``+`` (added), ``~`` (changed), ``!`` (replaced) or ``-`` (removed).
    """
    counts = Counter(change.action for change in plan.changes)
    said: Mapping[Action, str] = {
        "add": "added",
        "change": "changed",
        "replace": "replaced",
        "remove": "removed",
    }
    text = ", ".join(f"{counts[key]} {word}" for key, word in said.items() if counts[key])
    yield f"stack {plan.stack}{' (new)' if plan.creates else ''}: {text or 'only its outputs'}"
    order = list(MARKS)
    changes = sorted(plan.changes, key=lambda c: (order.index(c.action), c.label, c.logical_id))
    width = max((len(change.label) for change in changes), default=0)
    for change in changes:
        if not change.iam:
            yield _line(change, width)
    if any(change.iam for change in changes):
        yield "who may do what:"
    same = 0
    for change in changes:
        if change.iam and _says_the_same(change):
            same += 1
        elif change.iam:
            yield _line(change, width)
            yield from (f"+   {change.logical_id} {text}" for text in change.granted)
            yield from (f"-   {change.logical_id} {text}" for text in change.revoked)
    if same:
        yield f"~ {same} more that follow what they refer to; who may do what stays the same"


def _says_the_same(change: Change) -> bool:
    """Whether it only follows what it refers to."""
    return change.action == "change" and not (change.properties or change.granted or change.revoked)


def _line(change: Change, width: int) -> str:
    what = f"{MARKS[change.action]} {change.label:<{width}}  {change.type}  {change.logical_id}"
    notes = []
    if change.action == "change":
        notes.append(", ".join(change.properties) or change.reason)
    if change.action == "replace":
        notes.append(f"replaced: {change.reason}")
    if change.data:
        notes.append("its data is kept, outside of the app" if change.kept else "ITS DATA IS LOST")
    elif change.kept:
        notes.append("kept, outside of the app")
    return "  ".join([what, *filter(None, notes)])


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "stack": plan.stack,
        "creates": plan.creates,
        "changes": [
            {
                "action": change.action,
                "construct": change.label,
                "logicalId": change.logical_id,
                "type": change.type,
                "physicalId": change.physical_id or None,
                "reason": change.reason or None,
                "properties": list(change.properties),
                "iam": change.iam,
                "granted": list(change.granted),
                "revoked": list(change.revoked),
                "data": change.data,
                "kept": change.kept,
            }
            for change in plan.changes
        ],
    }


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


def find(
    cloud: Access, app: str, stage: str, on_progress: OnProgress = lambda _: None
) -> tuple[str, dict[str, Any] | None]:
    """The name of a stage's stack, and the stack as CloudFormation describes it, or None.

    A stage that was deployed when stacks had other names keeps its own. Who may not ask for that
    one is told so.
    """
    name = names.stack(app, stage)
    if found := describe(cloud, name):
        return name, found
    old = names.old_stack(app, stage)
    try:
        found = describe(cloud, old)
    except cloud.client("cloudformation").exceptions.ClientError as error:
        if not is_denied(error):
            raise
        text = f"there is no stack {name}; whether an older devbridge has deployed the stage as"
        on_progress(Progress("plan", f"{text} {old}, CloudFormation does not tell you"))
        return name, None
    if found is None or is_unusable(found) or found["StackStatus"] == "DELETE_IN_PROGRESS":
        return name, None
    return (old, found) if _owner(found) == (app, stage) else (name, None)


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
    new = json.loads(template.body)
    cloudformation = cloud.client("cloudformation")
    body = _template_argument(cloud, template, key)
    try:
        change_set = cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=f"devbridge-{uuid.uuid4().hex}",
            ChangeSetType="UPDATE" if found else "CREATE",
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            **body,
        )["Id"]
    except cloudformation.exceptions.ClientError as error:
        if is_overtaken(error) or is_denied(error):
            raise
        raise DeployError(
            f"CloudFormation refuses the change: {message_of(error)}", where=f"stack {stack}"
        ) from error
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
    changes = changes_of(items, old, new, template.labels)
    return Plan(stack, change_set, not found, tuple(as_it_is(cloud, changes)))


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


def deployed_template(cloud: Access, stack: str) -> Mapping[str, Any]:
    """The template that a stack was made from.

    Raises:
        DeployError: it is not JSON, so it is not ours.
    """
    cloudformation = cloud.client("cloudformation")
    body = cloudformation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    if not isinstance(body, Mapping):
        raise DeployError("the stack's template is not JSON", where=f"stack {stack}")
    return body


def as_it_is(cloud: Access, changes: tuple[Change, ...]) -> Iterator[Change]:
    """The changes, corrected by what templates do not tell."""
    for change in changes:
        if change.data and change.type == QUEUE and _is_empty(cloud, change.physical_id):
            yield replace(change, data=False)
        elif change.action == "replace" and change.type == TABLE and cloud.endpoint_url:
            # The embedded cloud makes the new table in place of the old one, whatever its policy.
            yield replace(change, kept=False)
        else:
            yield change


def _is_empty(cloud: Access, url: str) -> bool:
    sqs = cloud.client("sqs")
    try:
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    except sqs.exceptions.ClientError:
        return False  # nobody knows
    return not any(
        int(counts.get(f"ApproximateNumberOfMessages{which}", 0))
        for which in ("", "NotVisible", "Delayed")
    )


def is_unusable(found: Mapping[str, Any] | None) -> bool:
    """Whether a stack can only be made anew: its creation failed, or its removal. Pure."""
    return found is not None and found["StackStatus"] in _UNUSABLE


def settled(
    cloud: Access, stack: str, on_progress: OnProgress, pace: Pace
) -> dict[str, Any] | None:
    """The stack once it can be changed; None if it is to be created."""
    found = describe(cloud, stack)
    if found and found["StackStatus"] == "DELETE_IN_PROGRESS":
        on_progress(Progress("wait", f"stack {stack} is being removed"))
        wait_until_gone(cloud, found["StackId"], pace)
        return None
    if found and is_unusable(found):
        on_progress(Progress("wait", f"stack {stack} is {found['StackStatus']}: made again"))
        cloud.client("cloudformation").delete_stack(StackName=found["StackId"])
        wait_until_gone(cloud, found["StackId"], pace)
        return None
    if found and found["StackStatus"].endswith("_IN_PROGRESS"):
        on_progress(Progress("wait", f"stack {stack}: another deployment is under way"))
        watch(cloud, found["StackId"], set(), lambda _: None, pace=pace)
        return settled(cloud, stack, on_progress, pace)
    if found and found["StackStatus"] not in _DONE:
        raise DeployError(
            f"the stack is {found['StackStatus']}",
            where=f"stack {stack}",
            remedy="run `devbridge remove`, or continue its roll-back in the AWS console",
        )
    return found


def check_owner(found: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Raise DeployError if a described stack has other tags: it is of another app or stage."""
    theirs = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
    if any(theirs.get(key) != value for key, value in tags.items()):
        owner = ", ".join(f"{key.partition(':')[2]} {theirs.get(key, '?')!r}" for key in tags)
        raise DeployError(
            "the stack is not of this app and stage",
            where=f"stack {found['StackName']}, of {owner}",
            remedy="choose another stage with --stage",
        )


def _owner(found: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The app and the stage of a described stack, as its tags say."""
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
    return tags.get("devbridge:app"), tags.get("devbridge:stage")


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
