"""Two runs in a ledger, and one that only an invoker knows."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from devbridge.cli import main
from devbridge.cli import runs as runs_module
from devbridge.config import Config
from devbridge.runs import invoker as invoker_module
from tests.unit.runs.books import Book
from tests.unit.runs.clouds import S3, CodeBuild

ONE = "aaaa1111-0000-4000-8000-000000000001"
TWO = "aaaa2222-0000-4000-8000-000000000002"
ELSEWHERE = "bbbb3333-0000-4000-8000-000000000003"


@pytest.fixture
def book(config: Config) -> Iterator[Book]:
    book = Book(config)
    book.queue(ONE)
    book.queue(TWO)
    yield book
    book.ledger.close()


class Invoker:
    """The invoker's answers, put into botocore's own Lambda client, in a cloud without builds."""

    account = "123456789012"
    region = "eu-west-1"
    endpoint_url = None

    def __init__(self) -> None:
        self.client_ = boto3.client(
            "lambda", region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s"
        )
        self.stub = Stubber(self.client_)
        self.others = {"codebuild": CodeBuild(), "s3": S3()}
        self.events: list[Any] = []
        self.client_.meta.events.register("provide-client-params.lambda.Invoke", self._note)

    def _note(self, params: dict[str, Any], **_: object) -> None:
        assert params["FunctionName"] == "demo_ann_factorial-invoker"
        self.events.append(json.loads(params["Payload"]))

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(event["action"], event["jobId"]) for event in self.events]

    def answers(self, **answer: object) -> None:
        body = json.dumps({"jobId": ELSEWHERE, **answer}).encode()
        payload = StreamingBody(io.BytesIO(body), len(body))
        self.stub.add_response("invoke", {"StatusCode": 200, "Payload": payload})

    def is_in(self, state: str, **more: object) -> None:
        self.answers(job="factorial", state=state, attempt=2, maxAttempts=3, **more)

    def client(self, service: str) -> Any:
        return {"lambda": self.client_, **self.others}[service]


@pytest.fixture
def invoker(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoker]:
    (config.root / "jobs").mkdir()
    (config.root / "jobs" / "factorial.py").write_text("def handler(payload): ...\n")
    (config.root / "app.py").write_text(
        "from devbridge import App, Job\n\n"
        'Job(App("demo"), "factorial", handler="jobs/factorial.handler")\n'
    )
    fake = Invoker()

    @contextmanager
    def cloud(used: Config) -> Iterator[Invoker]:
        assert used.stage == "ann"
        yield fake

    monkeypatch.setattr(runs_module, "cloud", cloud)
    monkeypatch.setattr(invoker_module, "POLL", 0.0)
    with fake.stub:
        yield fake
        fake.stub.assert_no_pending_responses()


def devbridge(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))
