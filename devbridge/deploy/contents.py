"""What is in a resource that a deployment would take away, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from devbridge.deploy.changes import BUCKET, QUEUE, TABLE, Change

if TYPE_CHECKING:
    from devbridge.deploy.access import Access

_PAGE: Final = 1000


def lost(cloud: Access, change: Change) -> str:
    """What is lost with the change: ``3 items``; empty if nothing is, or nothing is in it.

    What cannot be looked into is taken to have something.
    """
    from botocore.exceptions import ClientError

    if not change.data or change.kept:
        return ""
    count = _COUNTS.get(change.type)
    if count is None or not change.physical_id:
        return "its data"
    try:
        number, noun = count(cloud, change.physical_id)
    except ClientError as error:
        gone = error.response["Error"]["Code"] in _GONE
        return "" if gone else "its data"
    if not number:
        return ""
    more = " or more" if number >= _PAGE else ""
    return f"{number}{more} {noun}{'' if number == 1 else 's'}"


_GONE: Final = (
    "ResourceNotFoundException",
    "NoSuchBucket",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
)


def _items(cloud: Access, name: str) -> tuple[int, str]:
    found = cloud.client("dynamodb").scan(TableName=name, Select="COUNT", Limit=_PAGE)
    return int(found["Count"]), "item"


def _objects(cloud: Access, name: str) -> tuple[int, str]:
    found = cloud.client("s3").list_object_versions(Bucket=name, MaxKeys=_PAGE)
    return len(found.get("Versions", ())), "object"


def _messages(cloud: Access, url: str) -> tuple[int, str]:
    sqs = cloud.client("sqs")
    counts: Mapping[str, Any] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    names = (f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed"))
    return sum(int(counts["Attributes"].get(name, 0)) for name in names), "message"


_COUNTS: Final[Mapping[str, Callable[[Access, str], tuple[int, str]]]] = {
    TABLE: _items,
    BUCKET: _objects,
    QUEUE: _messages,
}
