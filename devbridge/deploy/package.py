"""Package: the zips of an app, and the bucket that they are uploaded to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from devbridge.build.zips import Asset
from devbridge.deploy import names
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.errors import DeployError

_OLD_DAYS: Final = 30


def upload(cloud: Access, assets: Iterable[Asset], on_progress: OnProgress) -> None:
    """Upload the assets that the bucket lacks; make the bucket if there is none.

    Raises:
        DeployError: the bucket cannot be made, or belongs to another account.
    """
    s3, bucket = cloud.client("s3"), names.asset_bucket(cloud.account, cloud.region)
    ensure_bucket(cloud)
    for asset in {asset.key: asset for asset in assets}.values():
        # Its name can be guessed: never write to a bucket that another account made first.
        place = {"Bucket": bucket, "Key": asset.key, "ExpectedBucketOwner": cloud.account}
        try:
            s3.head_object(**place)
        except s3.exceptions.ClientError as error:
            if _code(error) not in ("404", "NoSuchKey", "NotFound"):
                raise
            s3.put_object(**place, Body=asset.body, ContentType="application/zip")
            on_progress(Progress("upload", f"{asset.label}, {len(asset.body):,} bytes"))


def ensure_bucket(cloud: Access) -> str:
    """The asset bucket's name; it is made private, encrypted and versioned if there is none.

    Raises:
        DeployError: the bucket belongs to another account, or we may not use it.
    """
    s3, bucket = cloud.client("s3"), names.asset_bucket(cloud.account, cloud.region)
    place = {"Bucket": bucket, "ExpectedBucketOwner": cloud.account}
    try:
        s3.head_bucket(**place)
    except s3.exceptions.ClientError as error:
        if _code(error) in ("403", "AccessDenied"):
            raise DeployError(
                f"the bucket {bucket} is not ours to use",
                where=f"account {cloud.account}, region {cloud.region}",
                remedy="ask for s3 permissions on it; if another account owns it, AWS support",
            ) from error
        if _code(error) not in ("404", "NoSuchBucket"):
            raise
    else:
        return bucket
    # us-east-1 is the one region that may not be named.
    where: dict[str, Any] = (
        {}
        if cloud.region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": cloud.region}}
    )
    s3.create_bucket(Bucket=bucket, **where)
    s3.put_public_access_block(
        **place,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_encryption(
        **place,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_bucket_versioning(**place, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(
        **place,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "devbridge",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": _OLD_DAYS},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                }
            ]
        },
    )
    return bucket


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
