"""What S3 tells of objects that are not there, or must not be, and whom it lets do what."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError

from devbridge.cloud.session import LOCAL_REGION
from devbridge.emulator.state import Running
from tests.clients import reset, root_client
from tests.integration.emulator.inside.stacks import allow

BUCKET: Final = "objects"
READ: Final = allow("s3:GetObject", on=f"arn:aws:s3:::{BUCKET}/*")
LIST: Final = allow("s3:ListBucket", on=f"arn:aws:s3:::{BUCKET}")


class Account:
    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.s3 = root_client(endpoint, "s3")

    def user(self, name: str, *statements: dict[str, Any]) -> Any:
        """S3 for one who may do that."""
        iam = root_client(self._endpoint, "iam")
        iam.create_user(UserName=name)
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return boto3.client(
            "s3",
            endpoint_url=self._endpoint,
            region_name=LOCAL_REGION,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )


@pytest.fixture(scope="module")
def account(shared_cloud: Running) -> Account:
    reset(shared_cloud.endpoint_url)
    made = Account(shared_cloud.endpoint_url)
    made.s3.create_bucket(Bucket=BUCKET)
    made.s3.put_object(Bucket=BUCKET, Key="there", Body=b"1")
    return made


def status(call: Any, **request: Any) -> tuple[int, str]:
    try:
        return int(call(Bucket=BUCKET, **request)["ResponseMetadata"]["HTTPStatusCode"]), ""
    except ClientError as error:
        answer = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_only_who_may_list_the_bucket_learns_that_an_object_is_missing(account: Account) -> None:
    reads = account.user("reads", READ)
    assert status(reads.get_object, Key="there") == (200, "")
    assert status(reads.get_object, Key="none") == (403, "AccessDenied")
    assert status(reads.head_object, Key="none") == (403, "403")
    lists = account.user("lists", READ, LIST)
    assert status(lists.get_object, Key="none") == (404, "NoSuchKey")
    assert status(lists.head_object, Key="none") == (404, "404")
    prefix = {"StringLike": {"s3:prefix": "own/*"}}
    some = account.user("lists-some", READ, {**LIST, "Condition": prefix})
    assert status(some.list_objects_v2, Prefix="own/") == (200, "")
    assert status(some.list_objects_v2, Prefix="other/") == (403, "AccessDenied")
    assert status(some.get_object, Key="own/none") == (403, "AccessDenied")
    assert status(account.s3.get_object, Key="none") == (404, "NoSuchKey")


def test_of_all_who_claim_a_key_at_once_one_has_it(account: Account) -> None:
    def claim(number: int) -> int:
        return status(account.s3.put_object, Key="claim", Body=b"%d" % number, IfNoneMatch="*")[0]

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(claim, range(16))) == [200, *[412] * 15]


def test_an_object_is_replaced_only_if_it_is_the_one_that_was_read(account: Account) -> None:
    put = account.s3.put_object
    tag = put(Bucket=BUCKET, Key="state", Body=b"1")["ETag"]
    assert status(put, Key="state", Body=b"2", IfMatch=tag) == (200, "")
    assert status(put, Key="state", Body=b"3", IfMatch=tag) == (412, "PreconditionFailed")
    assert status(put, Key="none", Body=b"1", IfMatch=tag) == (404, "NoSuchKey")
    writes = account.user("writes", allow("s3:PutObject"))
    assert status(writes.put_object, Key="mine", IfNoneMatch="*") == (200, "")
    assert status(writes.put_object, Key="mine", IfMatch=tag) == (403, "AccessDenied")


def test_a_listing_goes_on_in_the_order_of_the_keys(account: Account) -> None:
    for number in (9, 5, 7, 1, 3):
        account.s3.put_object(Bucket=BUCKET, Key=f"listed/{number}-é z")
    pages = account.s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix="listed/", PaginationConfig={"PageSize": 2}
    )
    found = [[each["Key"][7] for each in page["Contents"]] for page in pages]
    assert found == [["1", "3"], ["5", "7"], ["9"]]
