"""The logic of examples/etl, and what is packed of it; its whole story is in tests/e2e."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from devbridge.constructs import Api, Function, Job
from devbridge.constructs.load import load_app
from devbridge.errors import PayloadInvalid, UnknownRun
from devbridge.folders import cache_dir
from devbridge.job import BoundJob, JobRun, JobStatus
from devbridge.languages.python.environment import files_for, own
from devbridge.languages.python.packing import Builder
from devbridge.languages.python.pip import Target
from devbridge.languages.python.reached import Asked, ask
from tests.integration.example import EXAMPLES, modules_of

EXAMPLE = EXAMPLES / "etl"
HEAD = "order_id,ordered_at,country,currency,amount\n"
ELF_MACHINE = {"x86_64": 62, "arm64": 183}
"""`e_machine` of an ELF file's header: EM_X86_64 and EM_AARCH64."""

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    monkeypatch.chdir(EXAMPLE)
    with modules_of(EXAMPLE) as load:
        yield load


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """The bound bucket and table, in moto."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("DEVBRIDGE_Bucket_bucketName_orders", "the-orders")
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_totals", "the-totals")
    with mock_aws():
        bucket = boto3.resource("s3").create_bucket(Bucket="the-orders")
        table = boto3.resource("dynamodb").create_table(
            TableName="the-totals",
            KeySchema=[
                {"AttributeName": "country", "KeyType": "HASH"},
                {"AttributeName": "month", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "country", "AttributeType": "S"},
                {"AttributeName": "month", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield bucket, table


def test_the_app_limits_and_repeats_its_job_and_copies_the_rates() -> None:
    app = load_app(EXAMPLE)
    (job,), (api,) = app.of_type(Job), app.of_type(Api)
    assert (job.retries, job.concurrency, job.copy_files) == (2, 1, ("data/rates.csv",))
    assert [route.key for route in api.routes] == [
        "POST /imports",
        "GET /imports/{id}",
        "GET /totals/{country}",
    ]


def test_the_sample_becomes_totals_by_country_and_month(
    load: Load, cloud: tuple[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bucket, table = cloud
    bucket.upload_file("data/orders.csv", "orders.csv")
    result = load("jobs.import_orders").handler({"key": "orders.csv"})
    assert (result.orders, result.dropped, result.totals) == (7, 2, 5)
    row = table.get_item(Key={"country": "GB", "month": "2026-02"})["Item"]
    assert row == {"country": "GB", "month": "2026-02", "orders": 2, "euros": Decimal("233.98")}
    assert capsys.readouterr().out.splitlines()[:2] == [
        "read 9 orders from orders.csv",
        "DE 2026-01: 2 orders, 200.50 EUR",
    ]


def test_an_import_of_one_country_counts_and_writes_only_that(
    load: Load, cloud: tuple[Any, Any]
) -> None:
    bucket, table = cloud
    bucket.upload_file("data/orders.csv", "orders.csv")
    result = load("jobs.import_orders").handler({"key": "orders.csv", "country": "US"})
    assert (result.orders, result.dropped, result.totals) == (2, 1, 2)
    assert {row["country"] for row in table.scan()["Items"]} == {"US"}


def test_the_same_file_again_changes_nothing(load: Load, cloud: tuple[Any, Any]) -> None:
    bucket, table = cloud
    bucket.upload_file("data/orders.csv", "orders.csv")
    for _ in range(2):
        load("jobs.import_orders").handler({"key": "orders.csv"})
    assert table.scan()["Count"] == 5


@pytest.mark.parametrize(
    ("lines", "counted"),
    [
        ("", (0, 0, 0)),
        ("1,2026-01-31T23:59:59,DE,EUR,1\n2,2026-02-01T00:00:00,DE,EUR,1\n", (2, 0, 2)),
        ("1,2026-01-31,DE,EUR,\n", (0, 1, 0)),
        ("a-1,2026-01-31T10:00:00,DE,EUR,0.1\na-2,2026-01-31T11:00:00,DE,EUR,0.2\n", (2, 0, 1)),
    ],
    ids=["no orders", "a month's end", "nothing left", "ids that are words"],
)
def test_a_file_is_counted_as_it_is(
    load: Load, cloud: tuple[Any, Any], lines: str, counted: tuple[int, int, int]
) -> None:
    cloud[0].upload_fileobj(io.BytesIO((HEAD + lines).encode()), "file.csv")
    result = load("jobs.import_orders").handler({"key": "file.csv"})
    assert (result.orders, result.dropped, result.totals) == counted


def test_a_currency_without_a_rate_fails_the_import_before_anything_is_written(
    load: Load, cloud: tuple[Any, Any]
) -> None:
    lines = "1,2026-01-31T10:00:00,DE,EUR,1\n2,2026-01-31T10:00:00,JP,JPY,1\n"
    cloud[0].upload_fileobj(io.BytesIO((HEAD + lines).encode()), "file.csv")
    with pytest.raises(ValueError, match=r"rates\.csv has no rate for JPY"):
        load("jobs.import_orders").handler({"key": "file.csv"})
    assert cloud[1].scan()["Count"] == 0


def answered(load: Load, module: str, **event: object) -> tuple[int, Any]:
    answer = load(module).handler(event, None)
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize("coded", [False, True])
def test_the_api_starts_an_import(
    load: Load, monkeypatch: pytest.MonkeyPatch, *, coded: bool
) -> None:
    started = []

    def run(self: BoundJob, payload: Any) -> JobRun:
        started.append(payload)
        return JobRun("the-id", "QUEUED")

    monkeypatch.setattr(BoundJob, "run", run)
    body = '{"key": "orders.csv"}'
    sent = base64.b64encode(body.encode()).decode() if coded else body
    told = answered(load, "api.start", body=sent, isBase64Encoded=coded)
    assert (told, started) == ((202, {"id": "the-id"}), [{"key": "orders.csv"}])


@pytest.mark.parametrize("body", [None, "", "no json"])
def test_the_api_refuses_what_is_no_json(load: Load, body: str | None) -> None:
    assert answered(load, "api.start", body=body)[0] == 400


def test_the_api_refuses_what_the_job_does_not_take(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: BoundJob, payload: Any) -> JobRun:
        raise PayloadInvalid("no key")

    monkeypatch.setattr(BoundJob, "run", run)
    assert answered(load, "api.start", body="{}") == (400, {"error": "no key"})


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (JobStatus("1", "j", "RUNNING", 2, 3), {"state": "RUNNING", "attempt": 2}),
        (
            JobStatus("1", "j", "SUCCEEDED"),
            {"state": "SUCCEEDED", "attempt": 1, "result": {"orders": 1}},
        ),
        (
            JobStatus("1", "j", "FAILED", 3, 3, "NoSuchKey", "not there"),
            {"state": "FAILED", "attempt": 3, "error": "NoSuchKey: not there"},
        ),
    ],
)
def test_the_api_tells_how_far_an_import_is(
    load: Load, monkeypatch: pytest.MonkeyPatch, status: JobStatus, told: dict[str, Any]
) -> None:
    monkeypatch.setattr(BoundJob, "status", lambda self, job_id: status)
    monkeypatch.setattr(BoundJob, "result", lambda self, job_id: {"orders": 1})
    assert answered(load, "api.status", pathParameters={"id": "1"}) == (200, told)


def test_the_api_does_not_know_an_import_that_there_is_not(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status(self: BoundJob, job_id: str) -> JobStatus:
        raise UnknownRun("no such run")

    monkeypatch.setattr(BoundJob, "status", status)
    assert answered(load, "api.status", pathParameters={"id": "1"})[0] == 404


def test_the_api_shows_a_countrys_totals_in_order(load: Load, cloud: tuple[Any, Any]) -> None:
    for month, euros in (("2026-02", "10.5"), ("2026-01", "200")):
        item = {"country": "DE", "month": month, "orders": 1, "euros": Decimal(euros)}
        cloud[1].put_item(Item=item)
    assert answered(load, "api.totals", pathParameters={"country": "DE"}) == (
        200,
        [
            {"month": "2026-01", "orders": 1, "euros": 200},
            {"month": "2026-02", "orders": 1, "euros": 10.5},
        ],
    )


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_the_job_gets_the_compiled_wheels_of_its_machine(architecture: str, tmp_path: Path) -> None:
    python, version = Path(sys.executable), f"{sys.version_info.major}.{sys.version_info.minor}"
    job = load_app(EXAMPLE).of_type(Job)[0]
    asked = [Asked.of(job, Target("3.12", architecture))]
    reached = ask(asked, root=EXAMPLE, python=python, version=version, cache=tmp_path, warn=print)
    found = [*reached[str(job)].distributions((), python), *own(("msgspec",))]
    here = {each.name: each.version for each in found}
    # The cache of this machine: the wheels are large.
    files = files_for(found, Target("3.12", architecture), cache_dir() / "build")

    compiled = {name: path for name, path in files.items() if path.suffix == ".so"}
    assert {name.partition("/")[0] for name in compiled} == {"_polars_runtime_32", "msgspec"}
    for name, path in compiled.items():
        with path.open("rb") as file:
            head = file.read(20)
        assert head[:4] == b"\x7fELF"
        assert int.from_bytes(head[18:20], "little") == ELF_MACHINE[architecture], name
        assert ".abi3." in name or ".cpython-312-" in name
    versions = {name.partition("/")[0] for name in files if ".dist-info/" in name}
    assert versions >= {
        f"{name.replace('-', '_')}-{version}.dist-info" for name, version in here.items()
    }


def test_the_apis_functions_do_not_get_polars(tmp_path: Path) -> None:
    builder = Builder(Path(sys.executable), "3.11", tmp_path, local=True)
    sizes = [builder.function_asset(each).size for each in load_app(EXAMPLE).of_type(Function)]
    assert len(sizes) == 3
    assert max(sizes) < 500_000
