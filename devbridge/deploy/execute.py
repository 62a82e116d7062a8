"""Execute: carry a change set out, and watch every resource until the stack has settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from devbridge.deploy import names
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.errors import DeployError

if TYPE_CHECKING:
    from devbridge.deploy.plan import Plan

Pace = Callable[[], Iterator[float]]
"""Makes the series of pauses, in seconds, between questions to CloudFormation."""

_STACK: Final = "AWS::CloudFormation::Stack"
_GOOD: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_FOLLOW_UP: Final = ("cancelled", "canceled")
"""CloudFormation says so of what it stopped because something else had failed."""


def patient() -> Iterator[float]:
    """From 50 ms, which suits the embedded cloud, to 2 s, which suits CloudFormation."""
    seconds = 0.05
    while True:
        yield seconds
        seconds = min(seconds * 1.4, 2.0)


def execute(
    cloud: Access, plan: Plan, labels: Mapping[str, str], on_progress: OnProgress, pace: Pace
) -> None:
    """Execute the plan and return when the stack is complete.

    Args:
        labels: logical id -> construct, for progress and errors.

    Raises:
        DeployError: a resource failed; the first cause is named, and the stack is as it was.
    """
    cloudformation = cloud.client("cloudformation")
    seen = _event_ids(cloudformation, plan.stack)
    cloudformation.execute_change_set(ChangeSetName=plan.change_set)
    # A stack that is gone has no name any more, but keeps its id.
    stack_id = cloudformation.describe_stacks(StackName=plan.stack)["Stacks"][0]["StackId"]
    planned = {change.logical_id for change in plan.changes}

    def planned_only(progress: Progress) -> None:
        # The embedded cloud also tells of what it did not touch.
        if progress.logical_id in planned:
            on_progress(progress)

    status, cause = watch(cloud, stack_id, seen, planned_only, pace=pace, labels=labels)
    if status in _GOOD:
        return
    if cause is None:
        raise DeployError(f"the stack is {status}", where=f"stack {plan.stack}")
    rolled_back = status.endswith("ROLLBACK_COMPLETE")
    raise DeployError(
        f"{cause.text}: {cause.type} {cause.status}: {cause.reason}",
        where=f"stack {plan.stack}, which is now {status}",
        remedy="correct it in app.py and deploy again"
        + ("; everything is as it was before" if rolled_back else ""),
    )


def remove(cloud: Access, stack_id: str, on_progress: OnProgress, pace: Pace) -> None:
    """Delete a stack and return when it is gone.

    Raises:
        DeployError: a resource could not be deleted; the first cause is named.
    """
    cloudformation = cloud.client("cloudformation")
    seen = _event_ids(cloudformation, stack_id)
    cloudformation.delete_stack(StackName=stack_id)
    status, cause = watch(cloud, stack_id, seen, on_progress, pace=pace)
    if status != "DELETE_COMPLETE":
        reason = f"{cause.text}: {cause.reason}" if cause else "no reason is given"
        raise DeployError(
            f"the stack is {status}: {reason}",
            where=stack_id,
            remedy="remove what stands in the way, then run `devbridge remove` again",
        )


def watch(
    cloud: Access,
    stack_id: str,
    seen: set[str],
    on_progress: OnProgress,
    *,
    pace: Pace,
    labels: Mapping[str, str] | None = None,
) -> tuple[str, Progress | None]:
    """Report each resource as it settles, until the stack has; its status and the first failure.

    Args:
        seen: ids of events that are not news; those that are get added.
    """
    cloudformation = cloud.client("cloudformation")
    cause: Progress | None = None
    for seconds in pace():
        # The status first: the events that led to it are then all there.
        status = status_of(cloudformation, stack_id)
        for event in _new_events(cloudformation, stack_id, seen):
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
        raise DeployError(
            f"the stack is {status}: {cause.reason if cause else 'no reason is given'}",
            where=stack_id,
            remedy="delete it in the AWS console",
        )


def status_of(cloudformation: Any, stack_id: str) -> str:
    """A stack's status; DELETE_COMPLETE if it is no longer known."""
    try:
        return str(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return "DELETE_COMPLETE"
        raise


def message_of(error: Exception) -> str:
    """What AWS says, without botocore's preface."""
    answer = getattr(error, "response", {}).get("Error", {})
    return str(answer.get("Message") or error)


def _event_ids(cloudformation: Any, stack: str) -> set[str]:
    seen: set[str] = set()
    _new_events(cloudformation, stack, seen)
    return seen


def _new_events(cloudformation: Any, stack: str, seen: set[str]) -> list[dict[str, Any]]:
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
    """The progress that an event means, if a resource has settled. Pure."""
    status = event["ResourceStatus"]
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
