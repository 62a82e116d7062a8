"""The logic of examples/zip-files; its whole story is in tests/e2e."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from moto import mock_aws
from moto.ses.models import ses_backends

from devbridge.constructs import Api, Bucket, Job, UserPool
from devbridge.constructs.load import load_app
from devbridge.job import BoundJob, JobRun
from tests.integration.example import EXAMPLES, modules_of

EXAMPLE = EXAMPLES / "zip-files"
SENDER, ORDERER = "zips@example.com", "jane@example.com"
BODY = json.dumps({"keys": ["a", "b", "a"]})

Load = Callable[[str], ModuleType]


@dataclass(frozen=True)
class Bound:
    """The bound resources, in moto."""

    files: Any
    zips: Any
    orders: Any
    scratch: Path
    claims: dict[str, str]
    """Of who calls the API."""

    def order(self, *keys: str, order_id: str = "order-1") -> None:
        order = {"id": order_id, "owner": self.claims["sub"], "keys": list(keys)}
        self.orders.put_item(Item={**order, "email": ORDERER, "state": "ordered"})

    def archive(self, key: str = "order-1.zip") -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(self.zips.Object(key).get()["Body"].read()))


@pytest.fixture
def load() -> Iterator[Load]:
    with modules_of(EXAMPLE) as load:
        yield load


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bound]:
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "DEVBRIDGE_Bucket_bucketName_files": "the-files",
        "DEVBRIDGE_Bucket_bucketName_zips": "the-zips",
        "DEVBRIDGE_Table_tableName_orders": "the-orders",
        "DEVBRIDGE_Config_value_sender": SENDER,
        "DEVBRIDGE_FileSystem_path_scratch": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        boto3.client("ses", region_name="us-east-1").verify_email_identity(EmailAddress=SENDER)
        monkeypatch.setenv("DEVBRIDGE_UserPool_userPoolId_users", pool := user_pool())
        user = boto3.client("cognito-idp").list_users(UserPoolId=pool)["Users"][0]
        (sub,) = (each["Value"] for each in user["Attributes"] if each["Name"] == "sub")
        s3 = boto3.resource("s3")
        yield Bound(
            s3.create_bucket(Bucket="the-files"),
            s3.create_bucket(Bucket="the-zips"),
            boto3.resource("dynamodb").create_table(
                TableName="the-orders",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            ),
            tmp_path,
            {"sub": sub, "username": user["Username"]},
        )


def user_pool() -> str:
    """A pool with one user."""
    cognito = boto3.client("cognito-idp")
    pool = str(cognito.create_user_pool(PoolName="users")["UserPool"]["Id"])
    attributes = [{"Name": "email", "Value": ORDERER}]
    cognito.admin_create_user(UserPoolId=pool, Username="jane", UserAttributes=attributes)
    return pool


def mails() -> list[Any]:
    """Those that were sent."""
    return list(ses_backends["123456789012"]["us-east-1"].sent_messages)


def test_only_who_has_signed_in_may_order_and_see_orders() -> None:
    (api,) = load_app(EXAMPLE).of_type(Api)
    assert {route.authorizer for route in api.routes} == {"users"}
    assert isinstance(api.authorizers["users"], UserPool)


def test_the_app_lets_only_its_job_send_mail_and_pages_call_its_api() -> None:
    app = load_app(EXAMPLE)
    (job,), (api,) = app.of_type(Job), app.of_type(Api)
    assert [permission["actions"] for permission in job.permissions] == [["ses:SendEmail"]]
    assert api.cors is not None
    assert api.cors.allow_origins == ("*",)


def test_the_escape_hatch_has_the_zips_deleted_after_a_week() -> None:
    from troposphere import s3

    (zips,) = (each for each in load_app(EXAMPLE).of_type(Bucket) if each.transform)
    resource = s3.Bucket("Zips")
    assert zips.transform
    zips.transform(resource)
    (rule,) = resource.to_dict()["Properties"]["LifecycleConfiguration"]["Rules"]
    assert (zips.name, rule) == ("zips", {"Status": "Enabled", "ExpirationInDays": 7})


def test_the_job_packs_what_is_there_and_says_what_is_not(load: Load, cloud: Bound) -> None:
    cloud.files.put_object(Key="folder/a.txt", Body=b"one")
    cloud.files.put_object(Key="ü.bin", Body=bytes(range(256)))
    cloud.order("folder/a.txt", "none", "ü.bin")
    result = load("jobs.zip_files").handler({"order_id": "order-1"})
    assert (result.key, result.files, result.missing) == ("order-1.zip", 2, ["none"])
    archive = cloud.archive()
    assert archive.namelist() == ["folder/a.txt", "ü.bin"]
    assert [archive.read(name) for name in archive.namelist()] == [b"one", bytes(range(256))]
    order = cloud.orders.get_item(Key={"id": "order-1"})["Item"]
    assert (order["state"], order["zip"], order["missing"]) == ("packed", "order-1.zip", ["none"])
    assert list(cloud.scratch.iterdir()) == []


def test_the_job_mails_a_signed_link_to_the_zip(load: Load, cloud: Bound) -> None:
    cloud.files.put_object(Key="a", Body=b"one")
    cloud.order("a")
    load("jobs.zip_files").handler({"order_id": "order-1"})
    (mail,) = mails()
    assert (mail.source, mail.destinations["ToAddresses"]) == (SENDER, [ORDERER])
    link = re.search(r"https://\S+", mail.body)
    assert link
    assert "/order-1.zip?X-Amz-Algorithm=AWS4-HMAC-SHA256" in link[0]
    assert "X-Amz-Expires=3600" in link[0]


class Zeros(io.RawIOBase):
    """As many zero bytes as are asked for, made when they are read."""

    def __init__(self, left: int) -> None:
        self.left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(self.left, len(buffer))
        buffer[:count] = bytes(count)
        self.left -= count
        return count


class LargeObjects:
    """An S3 client that has any object, of 32 MiB, and forgets what is uploaded."""

    size = 32 * 1024 * 1024
    exceptions = SimpleNamespace(NoSuchKey=LookupError)

    def __init__(self) -> None:
        self.uploaded = zipfile.ZipInfo()

    def get_object(self, **_: str) -> dict[str, StreamingBody]:
        return {"Body": StreamingBody(io.BufferedReader(Zeros(self.size)), self.size)}

    def upload_fileobj(self, file: IO[bytes], bucket: str, key: str) -> None:
        self.uploaded = zipfile.ZipFile(file).infolist()[0]


def test_an_object_does_not_go_through_memory_as_a_whole(
    load: Load, cloud: Bound, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, job = LargeObjects(), load("jobs.zip_files")
    monkeypatch.setattr(boto3, "client", lambda service: s3)
    tracemalloc.start()
    try:
        job.pack(["large"], "large.zip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert s3.uploaded.file_size == s3.size
    assert peak < s3.size / 4


def test_nothing_is_mailed_when_something_else_goes_wrong(load: Load, cloud: Bound) -> None:
    cloud.order("a")
    cloud.files.delete()
    with pytest.raises(ClientError, match="NoSuchBucket"):
        load("jobs.zip_files").handler({"order_id": "order-1"})
    assert cloud.orders.get_item(Key={"id": "order-1"})["Item"]["state"] == "ordered"
    assert mails() == []


def test_the_job_fails_for_an_order_that_there_is_not(load: Load, cloud: Bound) -> None:
    with pytest.raises(LookupError, match="no order other"):
        load("jobs.zip_files").handler({"order_id": "other"})


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, str | None]]:
    """The payloads and idempotency keys with which the job was started."""
    runs: list[tuple[Any, str | None]] = []

    def run(self: BoundJob, payload: Any, *, idempotency_key: str | None = None) -> JobRun:
        runs.append((payload, idempotency_key))
        return JobRun("the-run", "QUEUED")

    monkeypatch.setattr(BoundJob, "run", run)
    return runs


def answered(load: Load, module: str, claims: dict[str, str], **event: object) -> tuple[int, Any]:
    context = {"authorizer": {"jwt": {"claims": claims}}}
    answer = load(module).handler({**event, "requestContext": context}, None)
    return answer["statusCode"], json.loads(answer["body"])


def test_the_api_writes_the_order_and_starts_the_job(
    load: Load, cloud: Bound, started: list[Any]
) -> None:
    code, told = answered(load, "api.order", cloud.claims, body=BODY, headers={})
    assert (code, told["jobId"]) == (202, "the-run")
    assert started == [({"order_id": told["id"]}, told["id"])]
    assert cloud.orders.scan()["Items"] == [
        {
            "id": told["id"],
            "owner": cloud.claims["sub"],
            "keys": ["a", "b"],
            "email": ORDERER,
            "state": "ordered",
        }
    ]


def test_an_order_that_is_sent_again_is_the_same_and_stays_as_it_is(
    load: Load, cloud: Bound, started: list[Any]
) -> None:
    headers = {"idempotency-key": "order-1"}
    first = answered(load, "api.order", cloud.claims, body=BODY, headers=headers)
    cloud.orders.update_item(
        Key={"id": "order-1"},
        AttributeUpdates={"state": {"Value": "packed", "Action": "PUT"}},
    )
    assert answered(load, "api.order", cloud.claims, body=BODY, headers=headers) == first
    assert started == [({"order_id": "order-1"}, "order-1")] * 2
    (order,) = cloud.orders.scan()["Items"]
    assert order["state"] == "packed"


@pytest.mark.parametrize(
    "body",
    [
        *(None, "", "no json", "[]", "{}", '{"email": "a@b.c"}'),
        *('{"keys": []}', '{"keys": "a"}', '{"keys": ["a", 1]}', '{"keys": {"a": 1}}'),
    ],
)
def test_the_api_refuses_what_is_no_order(
    load: Load, cloud: Bound, started: list[Any], body: str | None
) -> None:
    assert answered(load, "api.order", cloud.claims, body=body, headers={})[0] == 400
    assert (started, cloud.orders.scan()["Items"]) == ([], [])


@pytest.mark.parametrize("key", ["../x", "a b", "x" * 65, "ü"])
def test_the_api_refuses_an_idempotency_key_that_is_no_name(
    load: Load, cloud: Bound, started: list[Any], key: str
) -> None:
    assert (
        answered(load, "api.order", cloud.claims, body=BODY, headers={"idempotency-key": key})[0]
        == 400
    )
    assert started == []


def test_the_api_shows_an_order_with_its_link_once_it_is_packed(load: Load, cloud: Bound) -> None:
    assert answered(load, "api.show", cloud.claims, pathParameters={"id": "order-1"})[0] == 404
    cloud.files.put_object(Key="a", Body=b"one")
    cloud.order("a", "b")
    ordered = {"id": "order-1", "state": "ordered"}
    asked = {"pathParameters": {"id": "order-1"}}
    assert answered(load, "api.show", cloud.claims, **asked) == (200, ordered)
    load("jobs.zip_files").handler({"order_id": "order-1"})
    code, shown = answered(load, "api.show", cloud.claims, **asked)
    assert (code, shown["state"], shown["missing"]) == (200, "packed", ["b"])
    assert "/order-1.zip?X-Amz-" in shown["link"]


def test_nobody_else_sees_an_order(load: Load, cloud: Bound) -> None:
    cloud.order("a")
    other = {**cloud.claims, "sub": "another"}
    assert answered(load, "api.show", other, pathParameters={"id": "order-1"})[0] == 404
