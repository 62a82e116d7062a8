from __future__ import annotations

import pytest
from botocore.stub import Stubber

from devbridge.build.zips import Asset
from devbridge.deploy.access import Progress
from devbridge.deploy.package import ensure_bucket, upload
from devbridge.errors import DeployError
from tests.unit.deploy.conftest import FakeCloud

BUCKET = "devbridge-assets-123456789012-eu-west-1"


def test_the_bucket_is_private_encrypted_versioned_and_tidied(aws: FakeCloud) -> None:
    assert ensure_bucket(aws) == BUCKET
    s3 = aws.client("s3")
    access = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert all(access.values())
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rules = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    rule = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"][0]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    location = s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"]
    assert location == "eu-west-1"


def test_the_bucket_of_us_east_1_is_made_without_naming_the_region(aws: FakeCloud) -> None:
    aws.region = "us-east-1"
    assert ensure_bucket(aws) == "devbridge-assets-123456789012-us-east-1"


def test_only_missing_assets_are_uploaded(aws: FakeCloud) -> None:
    told: list[Progress] = []
    first, second = Asset("first", b"1"), Asset("second", b"2")
    upload(aws, [first, first], told.append)
    upload(aws, [first, second], told.append)
    assert [p.text for p in told] == ["first, 1 bytes", "second, 1 bytes"]
    body = aws.client("s3").get_object(Bucket=BUCKET, Key=second.key)["Body"].read()
    assert body == b"2"


def test_a_bucket_of_another_account_is_never_written_to(aws: FakeCloud) -> None:
    s3 = aws.client("s3")
    with Stubber(s3) as stub:
        place = {"Bucket": BUCKET, "ExpectedBucketOwner": "123456789012"}
        stub.add_client_error("head_bucket", "403", http_status_code=403, expected_params=place)
        with pytest.raises(DeployError, match="is not ours to use"):
            upload(aws, [Asset("first", b"1")], lambda _: None)
