from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from devbridge.deploy import buckets
from devbridge.deploy.access import Progress
from devbridge.errors import DeployError
from tests.unit.deploy.conftest import FakeCloud, bucket


def test_more_than_a_thousand_objects_are_deleted_in_pages(aws: FakeCloud) -> None:
    with Stubber(aws.client("s3")) as s3:
        for number in (buckets.AT_ONCE, 3, 0):
            page = [{"Key": f"{n:04}", "VersionId": "1"} for n in range(number)]
            s3.add_response("list_object_versions", {"Versions": page, "IsTruncated": number > 3})
            if page:
                ours = {"Bucket": "big", "ExpectedBucketOwner": aws.account}
                expected = {**ours, "Delete": {"Objects": page, "Quiet": True}}
                s3.add_response("delete_objects", {}, expected)
        told: list[Progress] = []
        assert buckets.empty(aws, "big", "Bucket 'big'", told.append) == 1003
        s3.assert_no_pending_responses()
    assert [p.text for p in told] == [
        "Bucket 'big': 1,000 objects deleted",
        "Bucket 'big': 1,003 objects deleted",
    ]


def test_an_object_that_s3_does_not_delete_is_named(aws: FakeCloud) -> None:
    with Stubber(aws.client("s3")) as s3:
        version = {"Key": "a", "VersionId": "1"}
        s3.add_response("list_object_versions", {"Versions": [version], "IsTruncated": False})
        failed = {"Key": "a", "Code": "AccessDenied", "Message": "object lock"}
        s3.add_response("delete_objects", {"Errors": [failed]})
        with pytest.raises(DeployError, match="does not delete 'a': AccessDenied: object lock"):
            buckets.empty(aws, "files", "Bucket 'files'", lambda _: None)


def test_only_what_is_below_the_prefix_goes(aws: FakeCloud) -> None:
    s3 = bucket(aws, "files", "runs/a/1", "runs/a2/1")
    assert buckets.empty(aws, "files", "runs", lambda _: None, "runs/a/") == 1
    assert [each["Key"] for each in s3.list_object_versions(Bucket="files")["Versions"]] == [
        "runs/a2/1"
    ]


def test_a_bucket_goes_with_versions_and_delete_markers(aws: FakeCloud) -> None:
    s3 = bucket(aws, "files", "a", "a")
    s3.delete_object(Bucket="files", Key="a")
    told: list[Progress] = []
    buckets.delete(aws, "files", "Bucket 'files'", told.append)
    assert s3.list_buckets()["Buckets"] == []
    assert [p.text for p in told] == ["Bucket 'files': 3 objects deleted"]


def test_a_bucket_that_is_not_there_is_empty_and_deleted(aws: FakeCloud) -> None:
    told: list[Progress] = []
    assert buckets.empty(aws, "files", "Bucket 'files'", told.append) == 0
    buckets.delete(aws, "files", "Bucket 'files'", told.append)
    assert not told


@pytest.mark.parametrize("operation", ["list_object_versions", "delete_bucket"])
def test_a_bucket_of_another_account_is_left_alone(aws: FakeCloud, operation: str) -> None:
    ours = {"Bucket": "files", "ExpectedBucketOwner": aws.account}
    with Stubber(aws.client("s3")) as s3:
        if operation == "list_object_versions":
            expected = {**ours, "Prefix": "", "MaxKeys": buckets.AT_ONCE}
            s3.add_client_error(operation, "AccessDenied", expected_params=expected)
        else:
            s3.add_response("list_object_versions", {})
            s3.add_client_error(operation, "AccessDenied", expected_params=ours)
        with pytest.raises(ClientError, match="AccessDenied"):
            buckets.delete(aws, "files", "Bucket 'files'", lambda _: None)
        s3.assert_no_pending_responses()
