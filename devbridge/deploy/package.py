"""Package: the zips of an app, and the bucket that they are uploaded to."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Final
from urllib.parse import urlencode

from devbridge import names, progress
from devbridge.deploy.access import Access, OnProgress, Progress
from devbridge.deploy.policies import document, tls_only
from devbridge.deploy.references import dump
from devbridge.deploy.refusals import code_of
from devbridge.errors import DeployError
from devbridge.packing.zips import Asset
from devbridge.runs.kept import RESULT_DAYS

_AT_ONCE: Final = 8
"""Uploads."""
_ATTEMPTS: Final = 5
"""To store a zip that others store at the same time."""
RECORD_DAYS: Final = 365
"""How long it is known of a run that there was one, and how it has ended: as CodeBuild does it."""
OF_RUNS: Final = ("payloads", "results", "runs", "told", "listed", "checkpoints")
"""Where the asset bucket has what is of runs, below the name of their app and stage."""
_RETIRED: Final = frozenset({"devbridge"})
"""Rules of earlier versions of devbridge."""


def _rule(name: str, prefix: str, days: int | None, old: int | None) -> dict[str, Any]:
    """A rule for what is below a prefix.

    Args:
        days, old: when objects go, and versions that are not the latest any more; None: never.
    """
    rule: dict[str, Any] = {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}}
    if days:
        rule["Expiration"] = {"Days": days}
    if old:
        rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": old}
    return rule


RULES: Final[list[dict[str, Any]]] = [
    {
        **_rule("uploads", "", None, None),
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    },
    # A run may wait for its turn and go on for weeks; when it has ended, it deletes its payload.
    _rule("payloads", "payloads/", 30, 1),
    # Whoever calls a function deletes what was too large for the wire, if nothing comes between.
    _rule("calls", "calls/", 1, 1),
    _rule("results", "results/", RESULT_DAYS, 30),
    _rule("runs", "runs/", RECORD_DAYS, 30),
    _rule("told", "told/", RECORD_DAYS, 30),
    _rule("listed", "listed/", RECORD_DAYS, 30),
    _rule("checkpoints", "checkpoints/", 30, 1),
    _rule("templates", "templates/", 30, 30),
    _rule("diffs", "diffs/", 1, 1),
]
"""How long the asset bucket keeps what: zips for ever, in all versions: builds start from them."""


def upload(
    cloud: Access, assets: Iterable[Asset], app: str, on_progress: OnProgress
) -> dict[str, str]:
    """Upload the assets that the bucket lacks or has with another content; make the bucket if
    there is none. Say what was done.

    Returns:
        The version of each asset whose content S3 has verified, by its key in the bucket.

    Raises:
        DeployError: the bucket cannot be made, belongs to another account, or keeps no versions.
    """
    bucket = ensure_bucket(cloud, on_progress)
    different = {names.asset(app, asset.key): asset for asset in assets}
    versions = {}
    total = sum(asset.size for asset in different.values())
    with (
        progress.task("upload", f"to {bucket}", total, "bytes") as task,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        stored = pool.map(lambda item: _store(cloud, bucket, task, *item), different.items())
        for (key, asset), (version, done) in zip(different.items(), stored, strict=True):
            versions[key] = version
            if done is not None:
                text = f"{asset.label}, {asset.size:,} bytes"
                on_progress(Progress("upload", text, size=asset.size))
            if done:
                on_progress(Progress("warning", f"{asset.label}: {done}"))
    return versions


class _Told:
    """A file that tells a task how far it is read; what is read twice is told once."""

    def __init__(self, file: IO[bytes], task: progress.Task) -> None:
        self._file = file
        self._task = task
        self._furthest = 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if (at := self._file.tell()) > self._furthest:
            self._task.add(at - self._furthest)
            self._furthest = at
        return data


def _store(
    cloud: Access, bucket: str, task: progress.Task, key: str, asset: Asset
) -> tuple[str, str | None]:
    """The version that has the asset's content; and what to warn of once it was uploaded, if it
    was."""
    s3 = cloud.client("s3")
    # Its name can be guessed: never write to a bucket that another account made first.
    place = {"Bucket": bucket, "Key": key, "ExpectedBucketOwner": cloud.account}
    for _ in range(_ATTEMPTS):
        found = _head(s3, place)
        if found and found.get("ChecksumSHA256") == asset.checksum:
            task.add(asset.size)
            return _version(found, bucket), None
        # What is not there may only be made: of two at the same time one version would be in vain.
        condition = {} if found else {"IfNoneMatch": "*"}
        try:
            with asset.open() as body:
                made = s3.put_object(
                    **place,
                    **condition,
                    Body=_Told(body, task),
                    ContentType="application/zip",
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=asset.checksum,
                )
        except s3.exceptions.ClientError as error:
            if code_of(error) in _CHANGED:
                raise DeployError(
                    f"{asset.label}: its files changed while they were packed",
                    where=f"s3://{bucket}/{key}",
                    remedy="deploy again",
                ) from error
            if code_of(error) not in _CONFLICTS:
                raise
            continue
        return _version(made, bucket), _REPAIRED if found else ""
    raise DeployError(
        f"{asset.label}: its zip can be neither read nor written",
        where=f"s3://{bucket}/{key}",
        remedy="whoever deploys needs s3:GetObject on it: see the policy in docs/deploying.md",
    )


_REPAIRED: Final = "something else was stored in its place, and is not run"
_CONFLICTS: Final = ("412", "PreconditionFailed", "409", "ConditionalRequestConflict")
_CHANGED: Final = ("BadDigest", "XAmzContentChecksumMismatch")


def _head(s3: Any, place: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What is stored there, if anything. S3 says 403 of what is not there to who may not list."""
    try:
        found: Mapping[str, Any] = s3.head_object(**place, ChecksumMode="ENABLED")
    except s3.exceptions.ClientError as error:
        if code_of(error) not in ("403", "AccessDenied", "404", "NoSuchKey", "NotFound"):
            raise
        return None
    return found


def _version(answer: Mapping[str, Any], bucket: str) -> str:
    version = answer.get("VersionId", "null")
    if version == "null":
        raise DeployError(
            f"the bucket {bucket} keeps no versions, so what builds run could be replaced",
            where=f"s3://{bucket}",
            remedy=f"aws s3api put-bucket-versioning --bucket {bucket}"
            " --versioning-configuration Status=Enabled",
        )
    return str(version)


def put_template(cloud: Access, key: str, body: bytes) -> str:
    """Store a template in the asset bucket; the URL of this very version of it."""
    s3, bucket = cloud.client("s3"), names.asset_bucket(cloud.account, cloud.region)
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    made = s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=body,
        ChecksumAlgorithm="SHA256",
        ChecksumSHA256=checksum,
        ExpectedBucketOwner=cloud.account,
    )
    url = f"{s3.meta.endpoint_url}/{bucket}/{key}"
    return f"{url}?{urlencode({'versionId': _version(made, bucket)})}"


def ensure_bucket(cloud: Access, on_progress: OnProgress = lambda _: None) -> str:
    """The asset bucket's name. It is made if there is none, and brought up to date if it is old
    (or that it is old is said, if we may not): private, encrypted, versioned, with rules for what
    is kept how long, and for TLS only.

    Raises:
        DeployError: the bucket belongs to another account, or we may not use it.
    """
    s3, bucket = cloud.client("s3"), names.asset_bucket(cloud.account, cloud.region)
    place = {"Bucket": bucket, "ExpectedBucketOwner": cloud.account}
    made = False
    try:
        found = s3.get_bucket_lifecycle_configuration(**place)["Rules"]
    except s3.exceptions.ClientError as error:
        if code_of(error) in ("403", "AccessDenied"):
            raise _not_ours(cloud, bucket) from error
        if code_of(error) not in ("404", "NoSuchBucket", "NoSuchLifecycleConfiguration"):
            raise
        if made := code_of(error) != "NoSuchLifecycleConfiguration":
            _create(cloud, s3, bucket)
        found = []
    # The rules are written last: with them, all the rest is there.
    wanted = {rule["ID"] for rule in RULES}
    if not wanted <= {rule.get("ID") for rule in found}:
        gone = wanted | _RETIRED
        others = [rule for rule in found if rule.get("ID") not in gone]
        try:
            _configure(s3, place, [*RULES, *others], tls=is_tls(cloud.endpoint_url))
        except s3.exceptions.ClientError as error:
            if made or code_of(error) not in ("403", "AccessDenied"):
                raise
            text = f"the bucket {bucket} is set up as an older devbridge did it, and whoever"
            on_progress(
                Progress("warning", f"{text} deploys may not change that: see docs/deploying.md")
            )
    return bucket


def _not_ours(cloud: Access, bucket: str) -> DeployError:
    return DeployError(
        f"the bucket {bucket} is not ours to use",
        where=f"account {cloud.account}, region {cloud.region}",
        remedy="ask for S3 permissions on it, or, if another account owns it, AWS Support",
    )


def is_tls(endpoint_url: str | None) -> bool:
    """Whether a cloud is spoken to over TLS: AWS is, the embedded one is not."""
    return endpoint_url is None or endpoint_url.startswith("https:")


def _create(cloud: Access, s3: Any, bucket: str) -> None:
    region = cloud.region
    # us-east-1 is the one region that may not be named.
    where: dict[str, Any] = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    try:
        s3.create_bucket(Bucket=bucket, **where)
    except s3.exceptions.BucketAlreadyOwnedByYou:
        return  # Another deployment was faster.
    except s3.exceptions.BucketAlreadyExists as error:
        raise _not_ours(cloud, bucket) from error


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
