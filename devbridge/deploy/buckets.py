"""Buckets that go: S3, and so CloudFormation, deletes only empty ones."""

from __future__ import annotations

from typing import Final

from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.errors import DeployError

AT_ONCE: Final = 1000
"""Objects that S3 deletes in one request (S3 API, DeleteObjects)."""


def empty(cloud: Access, bucket: str, label: str, on_progress: OnProgress, prefix: str = "") -> int:
    """Delete every version and delete marker of the objects below a prefix; return their number.

    A bucket that is not there is empty.

    Raises:
        DeployError: S3 does not delete one of them.
    """
    s3 = cloud.client("s3")
    place = {"Bucket": bucket, "ExpectedBucketOwner": cloud.account}
    count = 0
    while True:
        try:
            # From the start each time: what the page before had is gone.
            page = s3.list_object_versions(**place, Prefix=prefix, MaxKeys=AT_ONCE)
        except s3.exceptions.NoSuchBucket:
            return count
        found = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        ]
        if not found:
            return count
        answer = s3.delete_objects(**place, Delete={"Objects": found, "Quiet": True})
        for failed in answer.get("Errors", ()):
            raise DeployError(
                f"{label}: S3 does not delete {failed.get('Key')!r}:"
                f" {failed.get('Code')}: {failed.get('Message')}",
                where=f"bucket {bucket}",
                remedy="empty the bucket by hand, then try again",
            )
        count += len(found)
        on_progress(Progress("wait", f"{label}: {count:,} objects deleted"))


def delete(cloud: Access, bucket: str, label: str, on_progress: OnProgress) -> None:
    """Delete a bucket with all that is in it, if it is there.

    Raises:
        DeployError: S3 does not delete one of its objects.
    """
    s3 = cloud.client("s3")
    empty(cloud, bucket, label, on_progress)
    try:
        s3.delete_bucket(Bucket=bucket, ExpectedBucketOwner=cloud.account)
    except s3.exceptions.NoSuchBucket:
        return
