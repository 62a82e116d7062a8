"""What turns are counted with: transactions of DynamoDB, which are all or nothing, whoever else
writes, and need a permission for each of their parts."""

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

TABLE: Final = "turns"
KEYS: Final = {"job": "HASH", "entry": "RANGE"}


@pytest.fixture(scope="module")
def endpoint(shared_cloud: Running) -> str:
    reset(shared_cloud.endpoint_url)
    root_client(shared_cloud.endpoint_url, "dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in KEYS.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEYS],
        BillingMode="PAY_PER_REQUEST",
    )
    return shared_cloud.endpoint_url


def key(job: str, entry: str) -> dict[str, Any]:
    return {"job": {"S": job}, "entry": {"S": entry}}


def count(job: str, change: int, condition: str, value: int) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": TABLE,
            "Key": key(job, "count"),
            "UpdateExpression": "ADD n :change",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {":change": {"N": str(change)}, ":v": {"N": str(value)}},
        }
    }


def take(table: Any, job: str, run: str, limit: int) -> list[str]:
    """Why not; nothing: it is taken."""
    put = {"TableName": TABLE, "Item": key(job, f"running#{run}")}
    put["ConditionExpression"] = "attribute_not_exists(entry)"
    return cancelled(table, count(job, 1, "attribute_not_exists(n) OR n < :v", limit), {"Put": put})


def free(table: Any, job: str, run: str) -> list[str]:
    delete = {"TableName": TABLE, "Key": key(job, f"running#{run}")}
    delete["ConditionExpression"] = "attribute_exists(entry)"
    return cancelled(table, count(job, -1, "n > :v", 0), {"Delete": delete})


def cancelled(table: Any, *items: dict[str, Any]) -> list[str]:
    try:
        table.transact_write_items(TransactItems=list(items))
    except table.exceptions.TransactionCanceledException as error:
        return [each["Code"] for each in error.response["CancellationReasons"]]
    return []


def test_a_transaction_does_all_or_says_of_each_part_why_not(endpoint: str) -> None:
    table = root_client(endpoint, "dynamodb")
    assert take(table, "one", "a", 1) == []
    assert take(table, "one", "b", 1) == ["ConditionalCheckFailed", "None"]
    assert take(table, "one", "a", 2) == ["None", "ConditionalCheckFailed"]
    assert free(table, "one", "b") == ["None", "ConditionalCheckFailed"]
    assert free(table, "one", "a") == []
    assert free(table, "one", "a") == ["ConditionalCheckFailed"] * 2
    found = table.get_item(TableName=TABLE, Key=key("one", "count"), ConsistentRead=True)
    assert found["Item"]["n"] == {"N": "0"}


def test_of_many_at_once_as_many_have_a_turn_as_there_are(endpoint: str) -> None:
    table = root_client(endpoint, "dynamodb")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda run: take(table, "many", f"{run:02d}", 3), range(16)))
    assert answers.count([]) == 3
    names = {":job": {"S": "many"}, ":begin": {"S": "running#"}}
    asked: dict[str, Any] = {
        "TableName": TABLE,
        "KeyConditionExpression": "job = :job AND begins_with(entry, :begin)",
        "ExpressionAttributeValues": names,
        "ConsistentRead": True,
    }
    all_of_them = [item["entry"]["S"] for item in table.query(**asked)["Items"]]
    assert len(all_of_them) == 3
    assert all_of_them == sorted(all_of_them)
    assert [item["entry"]["S"] for item in table.query(**asked, Limit=1)["Items"]] == all_of_them[
        :1
    ]


@pytest.mark.parametrize(
    ("may", "refused"),
    [
        (["dynamodb:PutItem"], "dynamodb:UpdateItem"),
        (["dynamodb:UpdateItem"], "dynamodb:PutItem"),
        (["dynamodb:TransactWriteItems"], "dynamodb:UpdateItem"),
        (["dynamodb:PutItem", "dynamodb:UpdateItem"], ""),
    ],
)
def test_each_part_of_a_transaction_needs_its_own_permission(
    endpoint: str, may: list[str], refused: str
) -> None:
    iam, name = root_client(endpoint, "iam"), "-".join(each[9:] for each in may)
    iam.create_user(UserName=name)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow(*may)]})
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    table = boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=LOCAL_REGION,
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
    )
    if not refused:
        assert take(table, name, "a", 1) == []
        return
    with pytest.raises(ClientError, match="AccessDeniedException") as error:
        take(table, name, "a", 1)
    assert f"perform: {refused} " in str(error.value)
