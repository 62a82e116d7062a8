from __future__ import annotations

import json

import pytest
from botocore.stub import Stubber

from devbridge.build.zips import Asset
from devbridge.deploy.access import Progress
from devbridge.deploy.package import ensure_bucket, upload
from devbridge.errors import DeployError
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
            "devbridge": (None, 30),
            "payloads": (3, 1),
            "results": (30, None),
            "runs": (30, None),
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


def test_only_missing_assets_are_uploaded(aws: FakeCloud) -> None:
    # moto takes no notice of a policy's conditions: without TLS, the bucket has none.
    aws.endpoint_url = "http://127.0.0.1"
    told: list[Progress] = []
    first, second = Asset.of("first", b"1"), Asset.of("second", b"2")
    upload(aws, [first, first], told.append)
    upload(aws, [first, second], told.append)
    assert [p.text for p in told] == ["first, 1 bytes", "second, 1 bytes"]
    body = aws.client("s3").get_object(Bucket=BUCKET, Key=second.key)["Body"].read()
    assert body == b"2"


def test_a_bucket_of_another_account_is_never_written_to(aws: FakeCloud) -> None:
    s3 = aws.client("s3")
    with Stubber(s3) as stub:
        place = {"Bucket": BUCKET, "ExpectedBucketOwner": "123456789012"}
        stub.add_client_error(
            "get_bucket_lifecycle_configuration", "AccessDenied", expected_params=place
        )
        with pytest.raises(DeployError, match="is not ours to use"):
            upload(aws, [Asset.of("first", b"1")], lambda _: None)
