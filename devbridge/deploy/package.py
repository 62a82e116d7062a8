"""Package: the zips of an app, and the bucket that they are uploaded to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from devbridge.build.zips import Asset
from devbridge.builds import RESULT_DAYS
from devbridge.deploy import names
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.execute import code_of
from devbridge.deploy.policies import document, dump, tls_only
from devbridge.errors import DeployError

_AT_ONCE: Final = 8
"""Uploads."""
RULES: Final[list[dict[str, Any]]] = [
    {
        "ID": "devbridge",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    },
    {
        "ID": "payloads",
        "Status": "Enabled",
        "Filter": {"Prefix": "payloads/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "Expiration": {"Days": 3},
    },
    {
        "ID": "results",
        "Status": "Enabled",
        "Filter": {"Prefix": "results/"},
        "Expiration": {"Days": RESULT_DAYS},
    },
    {
        "ID": "runs",
        "Status": "Enabled",
        "Filter": {"Prefix": "runs/"},
        "Expiration": {"Days": RESULT_DAYS},
    },
]
"""How long the asset bucket keeps what: zips for ever, as builds start from them."""


def upload(cloud: Access, assets: Iterable[Asset], on_progress: OnProgress) -> None:
    """Upload the assets that the bucket lacks; make the bucket if there is none.

    Raises:
        DeployError: the bucket cannot be made, or belongs to another account.
    """
    bucket = ensure_bucket(cloud)
    different = {asset.key: asset for asset in assets}.values()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for asset, uploaded in zip(
            different, pool.map(lambda asset: _put(cloud, bucket, asset), different), strict=True
        ):
            if uploaded:
                on_progress(Progress("upload", f"{asset.label}, {asset.size:,} bytes"))


def _put(cloud: Access, bucket: str, asset: Asset) -> bool:
    """Whether the asset had to be uploaded."""
    s3 = cloud.client("s3")
    # Its name can be guessed: never write to a bucket that another account made first.
    place = {"Bucket": bucket, "Key": asset.key, "ExpectedBucketOwner": cloud.account}
    try:
        s3.head_object(**place)
    except s3.exceptions.ClientError as error:
        if code_of(error) not in ("404", "NoSuchKey", "NotFound"):
            raise
    else:
        return False
    with asset.open() as body:
        s3.put_object(**place, Body=body, ContentType="application/zip")
    return True


def ensure_bucket(cloud: Access) -> str:
    """The asset bucket's name. It is made if there is none, and brought up to date if it is old:
    private, encrypted, versioned, with rules for what is kept how long, and for TLS only.

    Raises:
        DeployError: the bucket belongs to another account, or we may not use it.
    """
    s3, bucket = cloud.client("s3"), names.asset_bucket(cloud.account, cloud.region)
    place = {"Bucket": bucket, "ExpectedBucketOwner": cloud.account}
    try:
        found = s3.get_bucket_lifecycle_configuration(**place)["Rules"]
    except s3.exceptions.ClientError as error:
        if code_of(error) in ("403", "AccessDenied"):
            raise DeployError(
                f"the bucket {bucket} is not ours to use",
                where=f"account {cloud.account}, region {cloud.region}",
                remedy="ask for s3 permissions on it; if another account owns it, AWS support",
            ) from error
        if code_of(error) not in ("404", "NoSuchBucket", "NoSuchLifecycleConfiguration"):
            raise
        if code_of(error) != "NoSuchLifecycleConfiguration":
            _create(s3, bucket, cloud.region)
        found = []
    # The rules are written last: with them, all the rest is there.
    wanted = {rule["ID"] for rule in RULES}
    if not wanted <= {rule.get("ID") for rule in found}:
        others = [rule for rule in found if rule.get("ID") not in wanted]
        _configure(s3, place, [*RULES, *others], tls=is_tls(cloud.endpoint_url))
    return bucket


def is_tls(endpoint_url: str | None) -> bool:
    """Whether a cloud is spoken to over TLS: AWS is, the embedded one is not."""
    return endpoint_url is None or endpoint_url.startswith("https:")


def _create(s3: Any, bucket: str, region: str) -> None:
    # us-east-1 is the one region that may not be named.
    where: dict[str, Any] = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    # Another deployment may have been faster.
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, **where)


def _configure(
    s3: Any, place: Mapping[str, str], rules: Sequence[Mapping[str, Any]], *, tls: bool
) -> None:
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
    if tls:
        # "arn:aws" is "arn:aws-cn" in China.
        partition = s3.meta.partition
        arn = f"arn:{partition}:s3:::{place['Bucket']}"
        s3.put_bucket_policy(**place, Policy=dump(document([tls_only(arn, f"{arn}/*")])))
    s3.put_bucket_lifecycle_configuration(**place, LifecycleConfiguration={"Rules": rules})
