"""Execute: carry a change set out, and watch every resource until the stack has settled.

Ctrl-C during an update cancels it and watches the roll-back: who stops a deployment wants it not to
have happened, and a stack can only go on or go back. Another Ctrl-C leaves it to CloudFormation. A
creation cannot be cancelled, so it goes on without us, and the next deployment waits for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from devbridge import names
from devbridge.deploy import buckets, remedies
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.changes import BUCKET
from devbridge.deploy.validation import failed_validations, refusal
from devbridge.errors import DeployError

if TYPE_CHECKING:
    from devbridge.deploy.plan import Plan

Pace = Callable[[], Iterator[float]]
"""Makes the series of pauses, in seconds, between questions to CloudFormation."""

_STACK: Final = "AWS::CloudFormation::Stack"
_GOOD: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_ROLLS_BACK: Final = ("ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")
_FOLLOW_UP: Final = ("cancelled", "canceled")
"""CloudFormation says so of what it stopped because something else had failed."""
_OVERTAKEN: Final = ("AlreadyExistsException", "ChangeSetNotFound", "InvalidChangeSetStatus")
_NOT_AS_IT_WAS: Final = re.compile(r"Stack.*(does not exist|_IN_PROGRESS state)")


_NEEDED: Final = (
    "the developer needs that permission: docs/deploying.md has the policies, and names of roles,"
    " functions and stacks that may differ from those of an older devbridge"
)


class Overtaken(DeployError):
    """Another deployment came in between: what is to change must be worked out anew."""


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
        KeyboardInterrupt: Ctrl-C; see above for what becomes of the stack.
    """
    cloudformation = cloud.client("cloudformation")
    # A stack that is gone has no name any more, but keeps its id.
    stack_id = cloudformation.describe_stacks(StackName=plan.stack)["Stacks"][0]["StackId"]
    seen = event_ids(cloudformation, stack_id)
    before = set(seen)
    planned = {change.logical_id: change.label for change in plan.changes}
    labels = {**planned, **labels}

    def planned_only(progress: Progress) -> None:
        # The embedded cloud also tells of what it did not touch.
        if progress.step != "resource" or progress.logical_id in planned:
            on_progress(progress)

    try:
        cloudformation.execute_change_set(StackName=plan.stack, ChangeSetName=plan.change_set)
        status, cause = watch(cloud, stack_id, seen, planned_only, pace=pace, labels=labels)
    except KeyboardInterrupt:
        if plan.creates:
            on_progress(
                Progress("wait", f"CloudFormation goes on creating {plan.stack} by itself;")
            )
            on_progress(Progress("wait", "the next deployment waits for it"))
        else:
            _cancel(cloud, stack_id, seen, planned_only, pace, labels)
        raise
    if status in _GOOD:
        _delete_left_buckets(cloud, plan, on_progress)
        return
    where = f"stack {plan.stack}, which is now {status}"
    if cause is None:
        reason = _reason_of(cloudformation, stack_id)
        raise refusal(
            f"the stack is {status}{reason}",
            failed_validations(cloud, stack_id) if _is_invalid(cloud, stack_id, before) else (),
            labels,
            where=where,
            afterwards=_afterwards(status),
        )
    raise DeployError(
        f"{cause.text}: {cause.type} {cause.status}: {cause.reason}",
        where=where,
        remedy=remedies.remedy(cause.type, cause.reason) + _afterwards(status),
    )


def not_deleted(status: str, cause: Progress | None, stack_id: str) -> DeployError:
    """The error of a stack that could not be deleted."""
    first = f"{cause.text}: {cause.reason}" if cause else "no reason is given"
    again = "remove what stands in the way, then run `devbridge remove` again"
    return DeployError(
        f"the stack is {status}: {first}",
        where=stack_id,
        remedy=remedies.remedy(cause.type, cause.reason, again) if cause else again,
    )


def _delete_left_buckets(cloud: Access, plan: Plan, on_progress: OnProgress) -> None:
    """Delete the buckets that CloudFormation could not, for they were not empty.

    Not before: a deployment that fails must not have cost any data.
    """
    for change in plan.changes:
        if change.type == BUCKET and change.data and not change.kept and change.physical_id:
            s3 = cloud.client("s3")
            try:
                s3.head_bucket(Bucket=change.physical_id, ExpectedBucketOwner=cloud.account)
            except s3.exceptions.ClientError:
                continue
            buckets.delete(cloud, change.physical_id, change.label, on_progress)


def _cancel(
    cloud: Access,
    stack_id: str,
    seen: set[str],
    on_progress: OnProgress,
    pace: Pace,
    labels: Mapping[str, str],
) -> None:
    """Cancel an update, and watch until everything is as it was."""
    cloudformation = cloud.client("cloudformation")
    try:
        cloudformation.cancel_update_stack(StackName=stack_id)
    except cloudformation.exceptions.ClientError as error:
        on_progress(Progress("wait", f"the update cannot be cancelled: {message_of(error)}"))
    else:
        on_progress(Progress("wait", "the update is cancelled; Ctrl-C again does not wait for it"))
    status, _ = watch(cloud, stack_id, seen, on_progress, pace=pace, labels=labels)
    on_progress(Progress("wait", f"the stack is {status}{_afterwards(status)}"))


def _afterwards(status: str) -> str:
    """What a failed deployment has left."""
    if status.endswith("ROLLBACK_FAILED"):
        return "; the roll-back failed, too: continue it in the AWS console"
    return "; everything is as it was before" if status.endswith("ROLLBACK_COMPLETE") else ""


def _reason_of(cloudformation: Any, stack_id: str) -> str:
    """Why the stack is what it is, where no resource was the cause."""
    found = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
    return f": {found['StackStatusReason']}" if found.get("StackStatusReason") else ""


def _is_invalid(cloud: Access, stack_id: str, before: set[str]) -> bool:
    """Whether validation refused the deployment that came after these events."""
    news = _new_events(cloud.client("cloudformation"), stack_id, set(before))
    return any(event.get("DetailedStatus") == "VALIDATION_FAILED" for event in news)


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


@contextmanager
def asking(cloud: Access) -> Iterator[None]:
    """Failures of credentials and connection as the cloud explains them, others as ours.

    Raises:
        DeployError: AWS refused a call; its name and who asked are said.
        Overtaken: because another deployment has changed or removed the stack.
    """
    from botocore.exceptions import ClientError

    try:
        with cloud.explained():
            yield
    except ClientError as error:
        if is_overtaken(error):
            raise Overtaken(
                "another deployment has changed the stack meanwhile",
                where=f"{error.operation_name}: {message_of(error)}",
                remedy="try again: what is to change is worked out anew",
            ) from error
        raise DeployError(
            f"AWS refuses {error.operation_name}: {message_of(error)}",
            where=f"{cloud.principal_arn}, region {cloud.region}",
            remedy=_NEEDED if is_denied(error) else None,
        ) from error


def is_denied(error: Exception) -> bool:
    """Whether AWS refuses because who asks may not."""
    code = code_of(error)
    return code in ("403", "Forbidden", "UnauthorizedOperation") or "AccessDenied" in code


def is_overtaken(error: Exception) -> bool:
    """Whether CloudFormation refuses because the stack is not any more what it was."""
    if code_of(error) in _OVERTAKEN:
        return True
    return code_of(error) == "ValidationError" and bool(_NOT_AS_IT_WAS.search(message_of(error)))


def wait_until_gone(cloud: Access, stack_id: str, pace: Pace) -> None:
    """Return when a stack that is being deleted is gone.

    Raises:
        DeployError: it could not be deleted.
    """
    status, cause = watch(cloud, stack_id, set(), lambda _: None, pace=pace)
    if status != "DELETE_COMPLETE":
        raise not_deleted(status, cause, stack_id)


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


def code_of(error: Exception) -> str:
    """AWS's code of an error; empty for any other."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def event_ids(cloudformation: Any, stack: str) -> set[str]:
    """The events that there are already: what `watch` need not report."""
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
    """The progress that an event means: a resource has settled, a roll-back begins. Pure."""
    status = event["ResourceStatus"]
    if event["ResourceType"] == _STACK and status in _ROLLS_BACK:
        return Progress("wait", "rolling back: what was changed becomes as it was")
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
