"""What can outlive its stack: how it is found by its tags, looked into, and deleted.

A name is what CloudFormation calls the physical id: a table's name, a queue's URL.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from devbridge.deploy import buckets
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.refusals import code_of

PAGE: Final = 1000
"""What is counted to: there may be more."""
_LOOKS, _LOOK_SECONDS = 60, 5.0
"""How often, and how long apart, it is looked whether something that takes minutes is done."""
_GONE: Final = ("404", "NoSuchBucket")
_GONE_TOO: Final = ("NotFound", "NonExistentQueue", "DoesNotExist")


def _same(_cloud: Access, name: str) -> str:
    return name


@dataclass(frozen=True, slots=True)
class Leftover:
    """How to deal with resources of one type, whether a stack has them or not."""

    tagged: str
    """What the Resource Groups Tagging API calls the type: ``dynamodb:table``, ``s3``."""
    exists: Callable[[Access, str], object]
    """Asks AWS for one: false, or an error for which `is_gone` holds, when there is none."""
    delete: Callable[[Access, str, str, OnProgress], object]
    """Deletes one, given its name and its label, with all that is in it."""
    count: Callable[[Access, str], tuple[int, str]] | None = None
    """How many things are in one, at most `PAGE`, and what one of them is called."""
    prefix: str = ""
    """What precedes the name in the last part of an ARN; a trailing ``:*`` is not part of it."""
    full_name: Callable[[Access, str], str] = _same
    """The name, from what an ARN has of it."""
    short: Callable[[str], str] = str
    """The part that identifies one, where a name has several forms."""
    empty: Callable[[Access, str, str, OnProgress], object] | None = None
    """Empties one, where CloudFormation deletes only empty ones."""
    lost_if_empty: bool = True
    """Even an empty one counts as data: the thing itself matters, not only what is in it."""
    comes_back: bool = False
    """One that was deleted may be created again by whatever still writes to it."""
    replaced_in_place: bool = False
    """The embedded cloud replaces the old one in place, whatever the policy says."""

    @property
    def service(self) -> str:
        """The service in its ARNs."""
        return self.tagged.partition(":")[0]

    def named(self, resource: str) -> str:
        """What an ARN has of the name, from the ARN's last part."""
        return resource.removeprefix(self.prefix).removesuffix(":*")

    def is_there(self, cloud: Access, name: str) -> bool:
        """Whether there is one of that name.

        Raises:
            ClientError: AWS does not tell.
        """
        from botocore.exceptions import ClientError

        try:
            return bool(self.exists(cloud, name))
        except ClientError as error:
            if not is_gone(error):
                raise
            return False

    def is_empty(self, cloud: Access, name: str) -> bool:
        """Whether it is known to be empty."""
        from botocore.exceptions import ClientError

        try:
            return self.count is not None and self.count(cloud, name)[0] == 0
        except ClientError:
            return False

    def remove(self, cloud: Access, name: str, label: str, on_progress: OnProgress) -> None:
        """Delete one, unless it is gone already.

        Raises:
            ClientError, DeployError: AWS refuses.
        """
        from botocore.exceptions import ClientError

        try:
            self.delete(cloud, name, label, on_progress)
        except ClientError as error:
            if not is_gone(error):
                raise


def is_gone(error: Exception) -> bool:
    """Whether AWS refuses because what it is asked about does not exist."""
    code = code_of(error)
    return code in _GONE or any(text in code for text in _GONE_TOO)


# --- tables ---------------------------------------------------------------------------------------


def _table(cloud: Access, name: str) -> Any:
    return cloud.client("dynamodb").describe_table(TableName=name)["Table"]


def _items(cloud: Access, name: str) -> tuple[int, str]:
    found = cloud.client("dynamodb").scan(TableName=name, Select="COUNT", Limit=PAGE)
    return int(found["Count"]), "item"


def _delete_table(cloud: Access, name: str, _label: str, _on_progress: OnProgress) -> None:
    dynamodb = cloud.client("dynamodb")
    if _table(cloud, name).get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
        dynamodb.get_waiter("table_exists").wait(TableName=name)  # until it is ACTIVE again
    dynamodb.delete_table(TableName=name)


TABLES: Final = Leftover(
    "dynamodb:table",
    exists=_table,
    delete=_delete_table,
    count=_items,
    prefix="table/",
    replaced_in_place=True,
)

# --- buckets --------------------------------------------------------------------------------------


def _bucket(cloud: Access, name: str) -> Any:
    return cloud.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=cloud.account)


def _objects(cloud: Access, name: str) -> tuple[int, str]:
    found = cloud.client("s3").list_object_versions(Bucket=name, MaxKeys=PAGE)
    return len(found.get("Versions", ())), "object"


BUCKETS: Final = Leftover(
    "s3", exists=_bucket, delete=buckets.delete, count=_objects, empty=buckets.empty
)

# --- queues ---------------------------------------------------------------------------------------


def _url(cloud: Access, name: str) -> str:
    return str(cloud.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])


def _messages(cloud: Access, url: str) -> tuple[int, str]:
    sqs = cloud.client("sqs")
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    kinds = (f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed"))
    return sum(int(counts.get(kind, 0)) for kind in kinds), "message"


def _delete_queue(cloud: Access, url: str, _label: str, _on_progress: OnProgress) -> None:
    cloud.client("sqs").delete_queue(QueueUrl=url)


QUEUES: Final = Leftover(
    "sqs",
    exists=_url,
    delete=_delete_queue,
    count=_messages,
    full_name=_url,
    short=lambda url: url.rpartition("/")[2],
    lost_if_empty=False,
)

# --- streams --------------------------------------------------------------------------------------


def _stream(cloud: Access, name: str) -> Any:
    return cloud.client("kinesis").describe_stream_summary(StreamName=name)


def _delete_stream(cloud: Access, name: str, _label: str, _on_progress: OnProgress) -> None:
    cloud.client("kinesis").delete_stream(StreamName=name, EnforceConsumerDeletion=True)


STREAMS: Final = Leftover("kinesis:stream", exists=_stream, delete=_delete_stream, prefix="stream/")


# --- user pools -----------------------------------------------------------------------------------


def _user_pool(cloud: Access, name: str) -> Any:
    return cloud.client("cognito-idp").describe_user_pool(UserPoolId=name)["UserPool"]


def _users(cloud: Access, name: str) -> tuple[int, str]:
    pages = (
        cloud.client("cognito-idp")
        .get_paginator("list_users")
        .paginate(UserPoolId=name, PaginationConfig={"MaxItems": PAGE})
    )
    return sum(len(page["Users"]) for page in pages), "user"


def _delete_user_pool(cloud: Access, name: str, _label: str, _on_progress: OnProgress) -> None:
    cloud.client("cognito-idp").delete_user_pool(UserPoolId=name)


USER_POOLS: Final = Leftover(
    "cognito-idp:userpool",
    exists=_user_pool,
    delete=_delete_user_pool,
    count=_users,
    prefix="userpool/",
)

# --- log groups -----------------------------------------------------------------------------------


def _log_group(cloud: Access, name: str) -> bool:
    found = cloud.client("logs").describe_log_groups(logGroupNamePrefix=name, limit=50)
    return any(each["logGroupName"] == name for each in found["logGroups"])


def _delete_log_group(cloud: Access, name: str, _label: str, _on_progress: OnProgress) -> None:
    cloud.client("logs").delete_log_group(logGroupName=name)


LOG_GROUPS: Final = Leftover(
    "logs:log-group",
    exists=_log_group,
    delete=_delete_log_group,
    prefix="log-group:",
    comes_back=True,
)

# --- file systems ---------------------------------------------------------------------------------


def _file_system(cloud: Access, name: str) -> Any:
    return cloud.client("efs").describe_file_systems(FileSystemId=name)["FileSystems"]


def _delete_file_system(cloud: Access, name: str, label: str, on_progress: OnProgress) -> None:
    efs = cloud.client("efs")
    for target in efs.describe_mount_targets(FileSystemId=name)["MountTargets"]:
        efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    for _ in range(_LOOKS):
        if not efs.describe_mount_targets(FileSystemId=name)["MountTargets"]:
            break
        on_progress(Progress("wait", f"{label}: its addresses go"))
        time.sleep(_LOOK_SECONDS)
    efs.delete_file_system(FileSystemId=name)


FILE_SYSTEMS: Final = Leftover(
    "elasticfilesystem:file-system",
    exists=_file_system,
    delete=_delete_file_system,
    prefix="file-system/",
)
