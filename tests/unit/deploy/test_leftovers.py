from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from devbridge.deploy.leftovers import (
    BUCKETS,
    FILE_SYSTEMS,
    LOG_GROUPS,
    PAGE,
    QUEUES,
    TABLES,
    USER_POOLS,
    Leftover,
    is_gone,
)
from tests.unit.deploy.conftest import FakeCloud, bucket, table, tables

EVERY = [TABLES, BUCKETS, QUEUES, LOG_GROUPS]
COUNTED = [TABLES, BUCKETS, QUEUES]
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"


def named(row: Leftover) -> str:
    """What one that is called orders has as its physical id."""
    return URL if row is QUEUES else "orders"


def make(aws: FakeCloud, name: str = "orders") -> None:
    """One of each."""
    table(aws, name)
    bucket(aws, name)
    aws.client("sqs").create_queue(QueueName=name)
    aws.client("logs").create_log_group(logGroupName=name)


def nothing(_: object) -> None: ...


@pytest.mark.parametrize(
    ("row", "arn"),
    [
        (TABLES, "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"),
        (BUCKETS, "arn:aws-cn:s3:::orders"),
        (QUEUES, "arn:aws:sqs:eu-west-1:123456789012:orders"),
        (LOG_GROUPS, "arn:aws:logs:eu-west-1:123456789012:log-group:orders"),
        (LOG_GROUPS, "arn:aws:logs:eu-west-1:123456789012:log-group:orders:*"),
        (USER_POOLS, "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/orders"),
        (FILE_SYSTEMS, "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/orders"),
    ],
)
def test_an_arn_tells_the_service_and_the_name(row: Leftover, arn: str) -> None:
    _, _, service, _, _, resource = arn.split(":", 5)
    assert (row.service, row.named(resource)) == (service, "orders")


def test_the_name_in_an_arn_becomes_the_physical_id(aws: FakeCloud) -> None:
    make(aws)
    assert [row.full_name(aws, "orders") for row in EVERY] == [named(row) for row in EVERY]


def test_a_queues_urls_of_every_form_are_the_same_queues() -> None:
    older = "https://eu-west-1.queue.amazonaws.com/123456789012/orders"
    assert QUEUES.short(older) == QUEUES.short(URL) == "orders"
    assert BUCKETS.short("orders") == "orders"


@pytest.mark.parametrize("row", EVERY)
def test_one_is_there_until_it_is_removed_with_what_is_in_it(aws: FakeCloud, row: Leftover) -> None:
    make(aws)
    aws.client("s3").put_object(Bucket="orders", Key="a", Body=b"")
    assert row.is_there(aws, "orders")
    row.remove(aws, named(row), "the orders", nothing)
    assert not row.is_there(aws, "orders")
    row.remove(aws, named(row), "the orders", nothing)  # is no error


def test_a_log_group_is_another_one_if_its_name_only_begins_so(aws: FakeCloud) -> None:
    aws.client("logs").create_log_group(logGroupName="orders-b")
    assert not LOG_GROUPS.is_there(aws, "orders")


def test_a_table_that_is_protected_is_removed(aws: FakeCloud) -> None:
    table(aws, "orders")
    dynamodb = aws.client("dynamodb")
    dynamodb.update_table(TableName="orders", DeletionProtectionEnabled=True)
    with pytest.raises(ClientError, match="DeletionProtectionEnabled"):
        dynamodb.delete_table(TableName="orders")
    TABLES.remove(aws, "orders", "the orders", nothing)
    assert tables(aws) == []


def test_items_versions_and_messages_are_counted(aws: FakeCloud) -> None:
    make(aws)
    assert all(row.is_empty(aws, named(row)) for row in COUNTED)
    for number in range(3):
        aws.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": str(number)}})
    for _ in range(2):
        aws.client("s3").put_object(Bucket="orders", Key="a", Body=b"")
    aws.client("sqs").send_message(QueueUrl=URL, MessageBody="a")
    assert not any(row.is_empty(aws, named(row)) for row in COUNTED)
    found = [row.count(aws, named(row)) for row in COUNTED if row.count]
    assert found == [(3, "item"), (2, "object"), (1, "message")]


@pytest.mark.parametrize("which", ["", "NotVisible", "Delayed"])
def test_messages_that_nobody_can_receive_now_count_too(aws: FakeCloud, which: str) -> None:
    attributes: Any = {f"ApproximateNumberOfMessages{which}": "2"}
    with Stubber(aws.client("sqs")) as sqs:
        for _ in range(2):
            sqs.add_response("get_queue_attributes", {"Attributes": attributes})
        assert not QUEUES.is_empty(aws, URL)
        assert QUEUES.count
        assert QUEUES.count(aws, URL) == (2, "message")


def test_a_page_is_counted_at_most(aws: FakeCloud) -> None:
    with Stubber(aws.client("dynamodb")) as dynamodb, Stubber(aws.client("s3")) as s3:
        expected: dict[str, Any] = {"TableName": "orders", "Select": "COUNT", "Limit": PAGE}
        dynamodb.add_response("scan", {"Count": PAGE}, expected)
        expected = {"Bucket": "orders", "MaxKeys": PAGE}
        s3.add_response("list_object_versions", {}, expected)
        assert TABLES.count
        assert BUCKETS.count
        assert TABLES.count(aws, "orders") == (PAGE, "item")
        assert BUCKETS.count(aws, "orders") == (0, "object")


def test_what_nobody_may_look_into_and_what_cannot_be_counted_is_not_empty(aws: FakeCloud) -> None:
    with Stubber(aws.client("sqs")) as sqs:
        sqs.add_client_error("get_queue_attributes", "AccessDenied")
        assert not QUEUES.is_empty(aws, URL)
    assert not LOG_GROUPS.is_empty(aws, "orders")


def test_a_refusal_is_not_taken_for_its_being_gone(aws: FakeCloud) -> None:
    with Stubber(aws.client("dynamodb")) as dynamodb:
        for _ in range(2):
            dynamodb.add_client_error("describe_table", "AccessDeniedException")
        with pytest.raises(ClientError, match="AccessDenied"):
            TABLES.is_there(aws, "orders")
        with pytest.raises(ClientError, match="AccessDenied"):
            TABLES.remove(aws, "orders", "the orders", nothing)


def test_a_bucket_of_another_account_is_not_ours(aws: FakeCloud) -> None:
    with Stubber(aws.client("s3")) as s3:
        expected = {"Bucket": "orders", "ExpectedBucketOwner": aws.account}
        s3.add_client_error("head_bucket", "403", expected_params=expected)
        with pytest.raises(ClientError):
            BUCKETS.is_there(aws, "orders")


@pytest.mark.parametrize(
    ("code", "gone"),
    [
        ("404", True),
        ("NoSuchBucket", True),
        ("ResourceNotFoundException", True),
        ("AWS.SimpleQueueService.NonExistentQueue", True),
        ("QueueDoesNotExist", True),
        ("NoSuchKey", False),
        ("403", False),
        ("AccessDenied", False),
    ],
)
def test_what_is_gone_is_told_by_the_errors_code(code: str, gone: bool) -> None:
    assert is_gone(ClientError({"Error": {"Code": code, "Message": "404"}}, "Get")) is gone


def test_an_error_that_is_not_awss_does_not_mean_that_it_is_gone() -> None:
    assert not is_gone(OSError("NotFound"))


def test_a_file_system_goes_with_its_addresses(aws: FakeCloud) -> None:
    efs, ec2 = aws.client("efs"), aws.client("ec2")
    name = efs.create_file_system(CreationToken="x", Encrypted=True)["FileSystemId"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    efs.create_mount_target(FileSystemId=name, SubnetId=subnet)
    assert FILE_SYSTEMS.full_name(aws, name) == name
    assert FILE_SYSTEMS.is_there(aws, name)
    assert not FILE_SYSTEMS.is_empty(aws, name)
    FILE_SYSTEMS.remove(aws, name, "FileSystem 'shared'", nothing)
    assert not FILE_SYSTEMS.is_there(aws, name)
    FILE_SYSTEMS.remove(aws, name, "FileSystem 'shared'", nothing)


def test_addresses_that_go_slowly_are_waited_for(
    aws: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbridge.deploy.leftovers._LOOK_SECONDS", 0.0)
    there = {"MountTargets": [{"MountTargetId": "fsmt-01234567", "FileSystemId": "fs-01234567"}]}
    for each in there["MountTargets"]:
        each |= {"SubnetId": "subnet-01234567", "LifeCycleState": "deleting"}
    told: list[object] = []
    with Stubber(aws.client("efs")) as stub:
        stub.add_response("describe_mount_targets", there)
        stub.add_response("delete_mount_target", {})
        stub.add_response("describe_mount_targets", there)
        stub.add_response("describe_mount_targets", {"MountTargets": []})
        stub.add_response("delete_file_system", {})
        FILE_SYSTEMS.remove(aws, "fs-01234567", "FileSystem 'shared'", told.append)
        stub.assert_no_pending_responses()
    assert len(told) == 1


def test_a_user_pool_is_counted_by_its_users_and_deleted_with_them(aws: FakeCloud) -> None:
    cognito = aws.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="users")["UserPool"]["Id"]
    for number in range(61):  # more than Cognito lists at once
        cognito.admin_create_user(UserPoolId=pool, Username=f"user-{number}")
    assert USER_POOLS.count
    assert USER_POOLS.count(aws, pool) == (61, "user")
    assert USER_POOLS.is_there(aws, pool)
    USER_POOLS.remove(aws, pool, "the users", nothing)
    assert not USER_POOLS.is_there(aws, pool)
