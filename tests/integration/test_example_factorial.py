"""The example app's own logic; its whole story is in tests/e2e."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from devbridge.constructs import Api, Job, Table
from devbridge.constructs.load import load_app
from devbridge.errors import PayloadInvalid
from devbridge.job import BoundJob, JobRun

EXAMPLE = Path(__file__).parents[2] / "examples" / "factorial"


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{Path(path).stem}", EXAMPLE / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_app_is_a_job_that_binds_a_table_and_an_api_that_binds_the_job() -> None:
    app = load_app(EXAMPLE)
    (table,), (job,), (api,) = app.of_type(Table), app.of_type(Job), app.of_type(Api)
    assert (app.name, job.name) == ("factorial-demo", "factorial")
    assert list(job.bind) == [table]
    assert job.memory_mb == 7 * 1024
    assert [route.key for route in api.routes] == ["POST /factorial"]


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The bound table, in moto's DynamoDB."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_notes", "the-notes")
    with mock_aws():
        dynamodb = boto3.resource("dynamodb")
        yield dynamodb.create_table(
            TableName="the-notes",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )


def test_the_job_returns_its_result_and_writes_it_to_the_bound_table(
    notes: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    result = load("jobs/factorial.py").handler({"num": 30}, None)
    assert result == 265252859812191058636308480000000
    assert notes.get_item(Key={"id": "30!"})["Item"]["value"] == str(result)
    assert capsys.readouterr().out.splitlines() == [
        "computing 30!",
        "10! has 7 digits",
        "20! has 19 digits",
        "30! has 33 digits",
        "wrote 30! to the table",
    ]


@pytest.mark.parametrize("num", [-1, 1001])
def test_the_job_refuses_what_it_cannot_compute(num: int) -> None:
    with pytest.raises(ValueError, match=f"from 0 to 1000, not {num}"):
        load("jobs/factorial.py").handler({"num": num}, None)


def test_the_job_gets_only_payloads_of_its_type() -> None:
    with pytest.raises(PayloadInvalid, match="num"):
        load("jobs/factorial.py").handler({"num": "five"}, None)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The payloads with which the job was started."""
    payloads: list[Any] = []

    def run(self: BoundJob, payload: Any = None) -> JobRun:
        payloads.append(payload)
        return JobRun("the-id", "QUEUED")

    monkeypatch.setattr(BoundJob, "run", run)
    return payloads


@pytest.mark.parametrize(
    ("event", "num"),
    [
        ({}, 100),
        ({"body": ""}, 100),
        ({"body": "{}"}, 100),
        ({"body": '{"num": 5}'}, 5),
        ({"body": base64.b64encode(b'{"num": 6}').decode(), "isBase64Encoded": True}, 6),
        ({"queryStringParameters": {"num": "7"}}, 7),
        ({"queryStringParameters": {"num": "7"}, "body": '{"num": 5}'}, 7),
    ],
)
def test_the_api_starts_the_job_and_answers_202_with_its_id(
    started: list[Any], event: dict[str, Any], num: int
) -> None:
    answer = load("api/start.py").handler(event, None)
    assert answer["statusCode"] == 202
    assert json.loads(answer["body"]) == {"jobId": "the-id"}
    assert started == [{"num": num}]


@pytest.mark.parametrize(
    "event",
    [
        {"body": "num=5"},
        {"body": "[5]"},
        {"body": '{"num": 5.5}'},
        {"body": '{"num": 1e999}'},
        {"body": '{"num": true}'},
        {"queryStringParameters": {"num": "five"}},
    ],
)
def test_the_api_answers_400_to_what_is_not_a_whole_number(
    started: list[Any], event: dict[str, Any]
) -> None:
    assert load("api/start.py").handler(event, None)["statusCode"] == 400
    assert started == []
