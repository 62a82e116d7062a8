"""Remove: delete a stage, say what of it stays, and delete that too if it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devbridge import names, progress
from devbridge.deploy import buckets, kinds, secrets, stacks
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.changes import is_kept, labels_of
from devbridge.deploy.exports import check_unused
from devbridge.deploy.leftovers import Leftover
from devbridge.deploy.package import OF_RUNS
from devbridge.deploy.refusals import explained
from devbridge.deploy.settling import Settling
from devbridge.deploy.stacks import Pace, check_owner, deployed_template, find, patient
from devbridge.errors import DeployError

_CANNOT_BE_DELETED: Final = (
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "ROLLBACK_IN_PROGRESS",
)
_ATTEMPTS: Final = 3
"""To delete a stack whose bucket is written to meanwhile."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that a stage has, or has left."""

    type: str
    name: str
    """Its physical id: a name, a queue's URL."""
    label: str
    """The construct, as the user knows it."""
    kept: bool = False
    """Whether it outlives the stack."""

    @property
    def data(self) -> bool:
        """Whether what is in it cannot be made again."""
        return kinds.resource_type(self.type).holds_data

    @property
    def part(self) -> bool:
        """Whether it goes when what it belongs to does."""
        return kinds.resource_type(self.type).part

    @property
    def leftover(self) -> Leftover | None:
        """How it is dealt with, once no stack has it."""
        return kinds.resource_type(self.type).leftover


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a stage has."""

    stack_id: str
    """"": there is no stack (any more)."""
    resources: tuple[Resource, ...]
    """Those of the stack, and what earlier deployments of the stage have left."""
    secrets: tuple[str, ...]
    """The names of the secrets that have a value."""
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Logical id -> construct, of the stack."""

    @property
    def kept(self) -> tuple[Resource, ...]:
        """Those that outlive the stack, without what is but a part of them."""
        return tuple(each for each in self.resources if each.kept and not each.part)

    def __bool__(self) -> bool:
        return bool(self.stack_id or self.resources or self.secrets)


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of a stage."""

    kept: tuple[Resource, ...]
    """What goes on existing."""
    secrets: tuple[str, ...]
    """The names of the secrets that still have a value."""


def inventory(cloud: Access, app: str, stage: str, *, left: bool = False) -> Inventory:
    """What there is to remove; nothing is changed.

    Args:
        left: also find what earlier deployments of the stage have left, by its tags.

    Raises:
        DeployError: AWS refuses to tell, the stack is another app's, or it may not be deleted.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    with explained(cloud):
        _, stack = find(cloud, app, stage)
        if stack:
            _check(stack, app, stage)
            check_unused(cloud, stack)
        # A stack that is only planned has no template yet.
        made = stack is not None and stack["StackStatus"] != "REVIEW_IN_PROGRESS"
        template = deployed_template(cloud, stack["StackId"]) if stack and made else {}
        resources = list(_of_stack(cloud, stack["StackId"], template)) if stack else []
        if left:
            known = {_key(resource) for resource in resources}
            resources += [each for each in _left(cloud, app, stage) if _key(each) not in known]
        stored = secrets.stored(cloud, app, stage)
    stack_id = stack["StackId"] if stack else ""
    ordered = sorted(resources, key=lambda each: (each.type, each.name))
    return Inventory(stack_id, tuple(ordered), tuple(stored), labels_of(template))


def remove(
    cloud: Access,
    app: str,
    stage: str,
    on_progress: OnProgress,
    pace: Pace = patient,
    *,
    delete_data: bool = False,
) -> Removed | None:
    """Delete the stage's stack; return what stays of the stage, or None if there was nothing.

    What has the removal policy "retain" stays, and so do the values of secrets, unless
    `delete_data`: then that is deleted too, when the stack is gone, and so is what earlier
    deployments of the stage have left.

    Raises:
        DeployError: something could not be deleted; the first cause is named.
        CredentialsError, CloudError: the cloud could not be asked.
    """
    there = inventory(cloud, app, stage, left=delete_data)
    if not there:
        return None
    with explained(cloud):
        if there.stack_id:
            _delete_stack(cloud, there, on_progress, pace)
        kept, stored = there.kept, there.secrets
        if delete_data:
            kept = tuple(each for each in kept if not _delete(cloud, each, on_progress))
            for each in there.resources:
                if not each.kept and _is_back(cloud, each):
                    _delete(cloud, each, on_progress)
            for name in secrets.remove_all(cloud, app, stage):
                on_progress(_done("AWS::SSM::Parameter", f"Secret {name!r}"))
            stored = ()
            for kind in OF_RUNS:
                prefix = f"{kind}/{app}/{stage}/"
                assets = names.asset_bucket(cloud.account, cloud.region)
                buckets.empty(cloud, assets, f"{kind} of the stage", on_progress, prefix)
    return Removed(kept, stored) if there.stack_id or delete_data else None


def _delete_stack(cloud: Access, there: Inventory, on_progress: OnProgress, pace: Pace) -> None:
    cloudformation = cloud.client("cloudformation")
    if stacks.status_of(cloudformation, there.stack_id) in _CANNOT_BE_DELETED:
        on_progress(Progress("wait", "another deployment is under way"))
        stacks.watch(cloud, there.stack_id, set(), lambda _: None, pace=pace)
    going = [each for each in there.resources if each.leftover and not each.kept]
    named = f"stack {there.stack_id.split('/')[1]}"
    for _ in range(_ATTEMPTS):
        for each in going:
            if each.leftover and each.leftover.empty:
                each.leftover.empty(cloud, each.name, each.label, on_progress)
        seen = stacks.event_ids(cloudformation, there.stack_id)
        cloudformation.delete_stack(StackName=there.stack_id)
        try:
            with progress.task("delete", named, len(there.labels)) as task:
                settling = Settling(task, there.labels, there.labels)
                status, cause = stacks.watch(
                    *(cloud, there.stack_id, seen, on_progress),
                    pace=pace,
                    labels=there.labels,
                    settling=settling,
                )
        except KeyboardInterrupt:
            on_progress(Progress("wait", "CloudFormation goes on deleting the stack by itself"))
            raise
        if status == "DELETE_COMPLETE":
            return
        # A job that still runs may have written to a bucket that was empty.
        if cause is None or "not empty" not in cause.reason:
            break
    raise stacks.not_deleted(status, cause, there.stack_id)


def _check(stack: Mapping[str, Any], app: str, stage: str) -> None:
    check_owner(stack, {"devbridge:app": app, "devbridge:stage": stage})
    if stack.get("EnableTerminationProtection"):
        raise DeployError(
            "the stack is protected from being deleted",
            where=stack["StackId"],
            remedy="aws cloudformation update-termination-protection"
            f" --no-enable-termination-protection --stack-name {stack['StackName']}",
        )


def _of_stack(cloud: Access, stack_id: str, template: Mapping[str, Any]) -> Iterator[Resource]:
    labels, defined = labels_of(template), template.get("Resources") or {}
    pages = cloud.client("cloudformation").get_paginator("list_stack_resources")
    for page in pages.paginate(StackName=stack_id):
        for item in page["StackResourceSummaries"]:
            logical_id, kind = item["LogicalResourceId"], item["ResourceType"]
            if item["ResourceStatus"] == "DELETE_COMPLETE" or kind == names.STAMP:
                continue
            kept = is_kept(defined.get(logical_id, {}))
            label = labels.get(logical_id, logical_id)
            yield Resource(kind, item.get("PhysicalResourceId", ""), label, kept)


def _left(cloud: Access, app: str, stage: str) -> Iterator[Resource]:
    """What has the stage's tags, whether the stack still has it or not."""
    tags = {"devbridge:app": app, "devbridge:stage": stage}
    types = kinds.resource_types()
    known = {each.leftover.service: (each.name, each.leftover) for each in types if each.leftover}
    pages = cloud.client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(
        TagFilters=[{"Key": key, "Values": [value]} for key, value in tags.items()],
        ResourceTypeFilters=sorted(left.tagged for _, left in known.values()),
    ):
        for item in page["ResourceTagMappingList"]:
            _, _, service, _, _, resource = item["ResourceARN"].split(":", 5)
            if service not in known:
                continue
            kind, left = known[service]
            name = left.named(resource)
            # Tags outlive their resources for a while.
            if left.is_there(cloud, name):
                name = left.full_name(cloud, name)
                yield Resource(kind, name, name, kept=True)


def _key(resource: Resource) -> tuple[str, str]:
    # A queue's URL has several forms.
    left = resource.leftover
    return resource.type, left.short(resource.name) if left else resource.name


def _is_back(cloud: Access, resource: Resource) -> bool:
    """Whether something was made again by itself: a late line makes a log group."""
    left = resource.leftover
    return left is not None and left.comes_back and left.is_there(cloud, resource.name)


def _delete(cloud: Access, resource: Resource, on_progress: OnProgress) -> bool:
    """Delete what CloudFormation has left; False if we do not know how."""
    if resource.leftover is None:
        return False
    resource.leftover.remove(cloud, resource.name, resource.label, on_progress)
    on_progress(_done(resource.type, resource.label))
    return True


def _done(kind: str, label: str) -> Progress:
    return Progress("resource", label, type=kind, status="DELETE_COMPLETE", logical_id=label)
