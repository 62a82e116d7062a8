from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from botocore.stub import ANY, Stubber

from devbridge import names, progress
from devbridge.deploy.access import Progress
from devbridge.deploy.package import RULES, ensure_bucket, upload
from devbridge.errors import DeployError
from devbridge.packing.zips import Asset
from devbridge.progress import Task, Unit
from tests.unit.deploy.conftest import FakeCloud

BUCKET = "devbridge-assets-123456789012-eu-west-1"


def check_bucket(aws: FakeCloud) -> None:
    s3 = aws.client("s3")
    access = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert all(access.values())
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rules = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    days = {
        rule["ID"]: (
            rule["Expiration"].get("Days"),
            rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
        )
        for rule in s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    }
    assert (
        days.items()
        >= {
            "uploads": (None, None),
            "payloads": (30, 1),
            "results": (30, 30),
            "runs": (365, 30),
            "told": (365, 30),
            "listed": (365, 30),
            "checkpoints": (30, 1),
            "templates": (30, 30),
            "diffs": (1, 1),
        }.items()
    )


def test_the_bucket_is_private_encrypted_versioned_and_tidied(aws: FakeCloud) -> None:
    assert ensure_bucket(aws) == BUCKET
    check_bucket(aws)
    s3 = aws.client("s3")
    location = s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"]
    assert location == "eu-west-1"


@pytest.mark.parametrize("rules", [[], ["devbridge"], ["devbridge", "mine"]])
def test_a_bucket_of_an_earlier_version_is_brought_up_to_date(
    rules: list[str], aws: FakeCloud
) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    old = [
        {"ID": name, "Status": "Enabled", "Filter": {"Prefix": name}, "Expiration": {"Days": 9}}
        for name in rules
    ]
    if old:
        s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": old})
    ensure_bucket(aws)
    check_bucket(aws)
    found = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert ("mine" in {rule["ID"] for rule in found}) == ("mine" in rules)
    assert "devbridge" not in {rule["ID"] for rule in found}


def test_a_bucket_that_is_up_to_date_costs_one_question(aws: FakeCloud) -> None:
    ensure_bucket(aws)
    calls: list[str] = []
    aws.client("s3").meta.events.register(
        "before-call.s3", lambda model, **_: calls.append(model.name)
    )
    ensure_bucket(aws)
    assert calls == ["GetBucketLifecycleConfiguration"]


def test_the_bucket_of_us_east_1_is_made_without_naming_the_region(aws: FakeCloud) -> None:
    aws.region = "us-east-1"
    assert ensure_bucket(aws) == "devbridge-assets-123456789012-us-east-1"


def test_no_version_of_a_zip_is_ever_deleted_for_builds_start_from_it() -> None:
    rules = [r for r in RULES if names.asset("demo", "x.zip").startswith(r["Filter"]["Prefix"])]
    assert rules
    assert all("NoncurrentVersionExpiration" not in rule for rule in rules)
    assert all("Days" not in rule["Expiration"] for rule in rules)


@pytest.fixture
def open_bucket(aws: FakeCloud) -> FakeCloud:
    # moto takes no notice of a policy's conditions: without TLS, the bucket has none.
    aws.endpoint_url = "http://127.0.0.1"
    return aws


FIRST, SECOND = Asset.of("first", b"1"), Asset.of("second", b"2")


def key_of(asset: Asset) -> str:
    return f"assets/demo/{asset.key}"


def stored(aws: FakeCloud, asset: Asset, version: str) -> bytes:
    answer = aws.client("s3").get_object(Bucket=BUCKET, Key=key_of(asset), VersionId=version)
    return bytes(answer["Body"].read())


def test_only_missing_assets_are_uploaded(open_bucket: FakeCloud) -> None:
    told: list[Progress] = []
    before = upload(open_bucket, [FIRST, FIRST], "demo", told.append)
    versions = upload(open_bucket, [FIRST, SECOND], "demo", told.append)
    assert [p.text for p in told] == ["first, 1 bytes", "second, 1 bytes"]
    assert versions.keys() == {key_of(FIRST), key_of(SECOND)}
    assert versions[key_of(FIRST)] == before[key_of(FIRST)]
    assert stored(open_bucket, SECOND, versions[key_of(SECOND)]) == b"2"


def test_how_far_the_upload_is_counts_each_byte_once_and_what_is_there_already(
    open_bucket: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[Task] = []

    @contextlib.contextmanager
    def task(verb: str, what: str, total: int, unit: Unit) -> Iterator[Task]:
        tasks.append(Task(verb, what, total, unit, began=0.0))
        yield tasks[-1]

    monkeypatch.setattr(progress, "task", task)
    upload(open_bucket, [FIRST], "demo", lambda _: None)
    upload(open_bucket, [FIRST, Asset.of("third", b"3" * 9_999)], "demo", lambda _: None)
    assert [(each.done, each.total) for each in tasks] == [(1, 1), (10_000, 10_000)]


def test_each_app_has_its_own_zips_below_a_prefix_that_is_no_other_apps(
    open_bucket: FakeCloud,
) -> None:
    ours = upload(open_bucket, [FIRST], "hello", lambda _: None)
    theirs = upload(open_bucket, [FIRST], "hello-world", lambda _: None)
    assert [*ours, *theirs] == [f"assets/{app}/{FIRST.key}" for app in ("hello", "hello-world")]
    assert not any(key.startswith("assets/hello/") for key in theirs)


@pytest.mark.parametrize("sum_too", [False, True])
def test_what_was_overwritten_is_uploaded_again_and_said(
    open_bucket: FakeCloud, sum_too: bool
) -> None:
    told: list[Progress] = []
    first = upload(open_bucket, [FIRST], "demo", lambda _: None)[key_of(FIRST)]
    theirs = {"ChecksumAlgorithm": "SHA256"} if sum_too else {}
    open_bucket.client("s3").put_object(Bucket=BUCKET, Key=key_of(FIRST), Body=b"!", **theirs)
    again = upload(open_bucket, [FIRST], "demo", told.append)[key_of(FIRST)]
    assert [stored(open_bucket, FIRST, version) for version in (first, again)] == [b"1", b"1"]
    assert [(p.step, p.text) for p in told] == [
        ("upload", "first, 1 bytes"),
        ("warning", "first: something else was stored in its place, and is not run"),
    ]


def test_what_was_deleted_is_uploaded_again(open_bucket: FakeCloud) -> None:
    told: list[Progress] = []
    first = upload(open_bucket, [FIRST], "demo", lambda _: None)[key_of(FIRST)]
    open_bucket.client("s3").delete_object(Bucket=BUCKET, Key=key_of(FIRST))
    again = upload(open_bucket, [FIRST], "demo", told.append)[key_of(FIRST)]
    assert again != first
    assert [p.text for p in told] == ["first, 1 bytes"]


def test_of_two_who_upload_the_same_zip_one_version_is_left(aws: FakeCloud) -> None:
    told: list[Progress] = []
    place = {"Bucket": BUCKET, "Key": key_of(FIRST), "ExpectedBucketOwner": "123456789012"}
    look = {**place, "ChecksumMode": "ENABLED"}
    put = {**place, "IfNoneMatch": "*", "Body": ANY, "ChecksumSHA256": FIRST.checksum}
    theirs = {"VersionId": "theirs", "ChecksumSHA256": FIRST.checksum}
    with Stubber(aws.client("s3")) as stub:
        stub.add_response("get_bucket_lifecycle_configuration", {"Rules": RULES})
        stub.add_client_error("head_object", "404", expected_params=look)
        put |= {"ContentType": "application/zip", "ChecksumAlgorithm": "SHA256"}
        stub.add_client_error("put_object", "PreconditionFailed", expected_params=put)
        stub.add_response("head_object", theirs, look)
        assert upload(aws, [FIRST], "demo", told.append) == {key_of(FIRST): "theirs"}
    assert told == []


def test_files_that_change_while_they_are_packed_are_not_deployed(open_bucket: FakeCloud) -> None:
    ensure_bucket(open_bucket)
    changed = replace(FIRST, open=lambda: io.BytesIO(b"other"))
    with Stubber(open_bucket.client("s3")) as stub:
        stub.add_response("get_bucket_lifecycle_configuration", {"Rules": RULES})
        stub.add_client_error("head_object", "404")
        stub.add_client_error("put_object", "BadDigest")
        with pytest.raises(DeployError, match="its files changed while they were packed"):
            upload(open_bucket, [changed], "demo", lambda _: None)


def test_a_bucket_that_keeps_no_versions_is_not_deployed_from(open_bucket: FakeCloud) -> None:
    ensure_bucket(open_bucket)
    off = {"Status": "Suspended"}
    open_bucket.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=off)
    with pytest.raises(DeployError, match="keeps no versions"):
        upload(open_bucket, [FIRST], "demo", lambda _: None)


def test_what_can_be_neither_read_nor_written_says_what_is_needed(aws: FakeCloud) -> None:
    with Stubber(aws.client("s3")) as stub:
        stub.add_response("get_bucket_lifecycle_configuration", {"Rules": RULES})
        for _ in range(5):
            stub.add_client_error("head_object", "403")
            stub.add_client_error("put_object", "PreconditionFailed")
        with pytest.raises(DeployError, match="s3:GetObject"):
            upload(aws, [FIRST], "demo", lambda _: None)


def test_a_bucket_that_who_deploys_may_not_set_up_is_used_as_it_is_and_that_is_said(
    aws: FakeCloud,
) -> None:
    told: list[Progress] = []
    with Stubber(aws.client("s3")) as stub:
        stub.add_response("get_bucket_lifecycle_configuration", {"Rules": []})
        stub.add_client_error("put_public_access_block", "AccessDenied")
        assert ensure_bucket(aws, told.append) == BUCKET
    assert "is set up as an older devbridge did it" in told[0].text


@pytest.mark.parametrize("refused", [["AccessDenied"], ["NoSuchBucket", "BucketAlreadyExists"]])
def test_a_bucket_of_another_account_is_never_written_to(
    aws: FakeCloud, refused: list[str]
) -> None:
    place = {"Bucket": BUCKET, "ExpectedBucketOwner": "123456789012"}
    look, *make = refused
    with Stubber(aws.client("s3")) as stub:
        stub.add_client_error("get_bucket_lifecycle_configuration", look, expected_params=place)
        for code in make:
            stub.add_client_error("create_bucket", code)
        with pytest.raises(DeployError, match="is not ours to use"):
            upload(aws, [FIRST], "demo", lambda _: None)
