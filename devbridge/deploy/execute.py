"""Execute: carry a change set out, and watch every resource until the stack has settled.

Ctrl-C during an update cancels it and watches the roll-back: who stops a deployment wants it not to
have happened, and a stack can only go on or go back. Another Ctrl-C leaves it to CloudFormation. A
creation cannot be cancelled, so it goes on without us, and the next deployment waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from devbridge import progress
from devbridge.deploy import kinds, remedies
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.plan import Plan
from devbridge.deploy.refusals import message_of
from devbridge.deploy.settling import Settling
from devbridge.deploy.stacks import Pace, event_ids, new_events, watch
from devbridge.deploy.validation import failed_validations, refusal
from devbridge.errors import DeployError

_GOOD: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


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

    def planned_only(step: Progress) -> None:
        # The embedded cloud also tells of what it did not touch.
        if step.step != "resource" or step.logical_id in planned:
            on_progress(step)

    try:
        cloudformation.execute_change_set(StackName=plan.stack, ChangeSetName=plan.change_set)
        with progress.task("deploy", f"stack {plan.stack}", len(planned)) as task:
            settling = Settling(task, labels, planned)
            status, cause = watch(
                *(cloud, stack_id, seen, planned_only),
                pace=pace,
                labels=labels,
                settling=settling,
            )
    except KeyboardInterrupt:
        if plan.creates:
            on_progress(
                Progress("wait", f"CloudFormation goes on creating {plan.stack} by itself;")
            )
            on_progress(Progress("wait", "the next deployment waits for it"))
        else:
            _cancel(cloud, stack_id, seen, planned_only, pace, labels)
        raise
    if status not in _GOOD:
        raise _failure(cloud, plan.stack, stack_id, before, status, cause, labels)
    _delete_left_buckets(cloud, plan, on_progress)


def _failure(
    cloud: Access,
    stack: str,
    stack_id: str,
    before: set[str],
    status: str,
    cause: Progress | None,
    labels: Mapping[str, str],
) -> DeployError:
    """The error of a deployment that ended with this status.

    Args:
        before: ids of the events that there were before it.
        cause: the first resource that failed; None: it was none.
    """
    where = f"stack {stack}, which is now {status}"
    if cause:
        return DeployError(
            f"{cause.text}: {cause.type} {cause.status}: {cause.reason}",
            where=where,
            remedy=remedies.remedy(cause.type, cause.reason) + _afterwards(status),
        )
    reason = _reason_of(cloud.client("cloudformation"), stack_id)
    return refusal(
        f"the stack is {status}{reason}",
        failed_validations(cloud, stack_id) if _is_invalid(cloud, stack_id, before) else (),
        labels,
        where=where,
        afterwards=_afterwards(status),
    )


def _delete_left_buckets(cloud: Access, plan: Plan, on_progress: OnProgress) -> None:
    """Delete the buckets that CloudFormation could not, for they were not empty.

    Not before: a deployment that fails must not have cost any data.
    """
    from botocore.exceptions import ClientError

    for change in plan.changes:
        left = kinds.resource_type(change.type).leftover
        if not left or not left.empty or not change.data or change.kept or not change.physical_id:
            continue
        try:
            if not left.is_there(cloud, change.physical_id):
                continue
        except ClientError:  # who may not look, may not delete either
            continue
        left.remove(cloud, change.physical_id, change.label, on_progress)
        label = change.label
        on_progress(Progress("resource", label, change.type, "DELETE_COMPLETE", label))


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
        on_progress(
            Progress("wait", "cancelling the update; press Ctrl-C again to stop waiting for that")
        )
    with progress.task("cancel", f"stack {stack_id.split('/')[1]}"):
        status, _ = watch(cloud, stack_id, seen, on_progress, pace=pace, labels=labels)
    on_progress(Progress("wait", f"the stack is {status}{_afterwards(status)}"))


def _afterwards(status: str) -> str:
    """What a failed deployment has left."""
    if status.endswith("ROLLBACK_FAILED"):
        return "; the roll-back failed too: continue it in the AWS console"
    return "; everything is as it was before" if status.endswith("ROLLBACK_COMPLETE") else ""


def _reason_of(cloudformation: Any, stack_id: str) -> str:
    """Why the stack is what it is, where no resource was the cause."""
    found = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
    return f": {found['StackStatusReason']}" if found.get("StackStatusReason") else ""


def _is_invalid(cloud: Access, stack_id: str, before: set[str]) -> bool:
    """Whether validation refused the deployment that came after these events."""
    news = new_events(cloud.client("cloudformation"), stack_id, set(before))
    return any(event.get("DetailedStatus") == "VALIDATION_FAILED" for event in news)
