"""CloudFormation's stacks: find and describe them, wait for them, watch what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from devbridge import names
from devbridge.deploy import remedies
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.refusals import is_denied
from devbridge.deploy.settling import Settling
from devbridge.errors import DeployError

Pace = Callable[[], Iterator[float]]
"""Makes the series of pauses, in seconds, between questions to CloudFormation."""

_STACK: Final = "AWS::CloudFormation::Stack"
_ROLLS_BACK: Final = ("ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")
_FOLLOW_UP: Final = ("cancelled", "canceled")
"""CloudFormation says so of what it stopped because something else had failed."""
_DONE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_UNUSABLE: Final = (
    "REVIEW_IN_PROGRESS",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
)


def patient() -> Iterator[float]:
    """From 50 ms, which suits the embedded cloud, to 2 s, which suits CloudFormation."""
    seconds = 0.05
    while True:
        yield seconds
        seconds = min(seconds * 1.4, 2.0)


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
        on_progress(Progress("warning", f"{text} {old}, CloudFormation does not tell you"))
        return name, None
    if found is None or is_unusable(found) or found["StackStatus"] == "DELETE_IN_PROGRESS":
        return name, None
    return (old, found) if _owner(found) == (app, stage) else (name, None)


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """A described stack's outputs. Pure."""
    return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", ())}


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


def is_unusable(found: Mapping[str, Any] | None) -> bool:
    """Whether a stack can only be made anew: its creation failed, or its removal. Pure."""
    return found is not None and found["StackStatus"] in _UNUSABLE


def check_owner(found: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Raise DeployError if a described stack has other tags: it is of another app or stage."""
    theirs = _tags(found)
    if any(theirs.get(key) != value for key, value in tags.items()):
        owner = ", ".join(f"{key.partition(':')[2]} {theirs.get(key, '?')!r}" for key in tags)
        raise DeployError(
            "the stack belongs to another app or stage",
            where=f"stack {found['StackName']}, of {owner}",
            remedy="choose another stage with --stage",
        )


def _owner(found: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The app and the stage of a described stack, as its tags say."""
    tags = _tags(found)
    return tags.get("devbridge:app"), tags.get("devbridge:stage")


def _tags(found: Mapping[str, Any]) -> Mapping[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}


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
        on_progress(Progress("wait", f"stack {stack} is {found['StackStatus']}: making it again"))
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


def watch(
    cloud: Access,
    stack_id: str,
    seen: set[str],
    on_progress: OnProgress,
    *,
    pace: Pace,
    labels: Mapping[str, str] | None = None,
    settling: Settling | None = None,
) -> tuple[str, Progress | None]:
    """Report each resource as it settles, until the stack has; its status and the first failure.

    Args:
        seen: ids of events that are not news; those that are get added.
        settling: sees each event.
    """
    cloudformation = cloud.client("cloudformation")
    cause: Progress | None = None
    for seconds in pace():
        # The status first: the events that led to it are then all there.
        status = status_of(cloudformation, stack_id)
        for event in new_events(cloudformation, stack_id, seen):
            if settling:
                settling.saw(event, time.monotonic())
            progress = _progress(event, labels or {})
            if progress is None:
                continue
            if cause is None and progress.failed and not _is_follow_up(progress.reason):
                cause = progress
            on_progress(progress)
        if not status.endswith("_IN_PROGRESS"):
            return status, cause
        time.sleep(seconds)
    raise AssertionError("a pace never ends")


def wait_until_gone(cloud: Access, stack_id: str, pace: Pace) -> None:
    """Return when a stack that is being deleted is gone.

    Raises:
        DeployError: it could not be deleted.
    """
    status, cause = watch(cloud, stack_id, set(), lambda _: None, pace=pace)
    if status != "DELETE_COMPLETE":
        raise not_deleted(status, cause, stack_id)


def not_deleted(status: str, cause: Progress | None, stack_id: str) -> DeployError:
    """The error of a stack that could not be deleted."""
    first = f"{cause.text}: {cause.reason}" if cause else "no reason is given"
    again = "remove what stands in the way, then run `devbridge remove` again"
    return DeployError(
        f"the stack is {status}: {first}",
        where=stack_id,
        remedy=remedies.remedy(cause.type, cause.reason, again) if cause else again,
    )


def status_of(cloudformation: Any, stack_id: str) -> str:
    """A stack's status; DELETE_COMPLETE if it is no longer known."""
    try:
        return str(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return "DELETE_COMPLETE"
        raise


def event_ids(cloudformation: Any, stack: str) -> set[str]:
    """The events that there are already: what `watch` need not report."""
    seen: set[str] = set()
    new_events(cloudformation, stack, seen)
    return seen


def new_events(cloudformation: Any, stack: str, seen: set[str]) -> list[dict[str, Any]]:
    """The events that are not in `seen`, oldest first; they are in it from now on."""
    news: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        try:
            page = cloudformation.describe_stack_events(StackName=stack, **token)
        except cloudformation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                break
            raise
        fresh = [event for event in page["StackEvents"] if event["EventId"] not in seen]
        news += fresh
        # They come newest first: a page with a known one is the last of interest.
        if len(fresh) < len(page["StackEvents"]) or "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    seen.update(event["EventId"] for event in news)
    return news[::-1]


def _progress(event: Mapping[str, Any], labels: Mapping[str, str]) -> Progress | None:
    """The progress that an event means: a resource has settled, a roll-back begins. Pure."""
    status = event["ResourceStatus"]
    if event["ResourceType"] == _STACK and status in _ROLLS_BACK:
        return Progress("wait", "rolling back: putting everything back as it was")
    if event["ResourceType"] in (_STACK, names.STAMP) or status.endswith("_IN_PROGRESS"):
        return None
    logical_id = event["LogicalResourceId"]
    return Progress(
        "resource",
        labels.get(logical_id, logical_id),
        type=event["ResourceType"],
        status=status,
        logical_id=logical_id,
        reason=event.get("ResourceStatusReason", ""),
    )


def _is_follow_up(reason: str) -> bool:
    return any(word in reason.lower() for word in _FOLLOW_UP)
