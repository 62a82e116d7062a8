"""Logs are forwarded on the embedded cloud: what a job and a function print reaches a function."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from devbridge import names
from devbridge.cli import main
from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config
from devbridge.constructs import Function
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.test_any_app_deploys import fast
from tests.waiting import eventually

APP = """\
from devbridge import App, Function, Job

app = App("demo", log_forwarding="collect")
Function(app, "collect", handler="collect.handler")
Function(app, "speak", handler="speak.handler")
Job(app, "build", handler="work.handler", timeout="10 minutes")
"""
COLLECT = """\
import base64, gzip, json


def handler(event, context):
    record = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    if record["messageType"] == "DATA_MESSAGE":
        texts = [each["message"].strip() for each in record["logEvents"]]
        print(json.dumps({"group": record["logGroup"], "texts": texts}))
"""
SPEAK = """\
def handler(event, context):
    print("hello from the function")
"""
WORK = """\
def handler(payload):
    print("hello from the job")
"""


class Stage:
    def __init__(self, root: Path, endpoint: str) -> None:
        self.options = ["--app", str(root), "--stage", "test", "--endpoint", endpoint]
        for name, text in (("app", APP), ("collect", COLLECT), ("speak", SPEAK), ("work", WORK)):
            (root / f"{name}.py").write_text(text)
        config = Config(root=root, stage="test", python=Path(sys.executable), local=True)
        self.cloud: Cloud = connect(config, endpoint)
        self.app = load_app(root)
        deploy(Request(self.app, self.cloud, stage="test", mode="deployed", pace=fast))

    def group(self, name: str) -> str:
        (function,) = (each for each in self.app.of_type(Function) if each.name == name)
        return names.function_log_group(function, "test")

    def collected(self) -> list[dict[str, Any]]:
        """What the collecting function was called with, decoded."""
        found = self.cloud.client("logs").filter_log_events(logGroupName=self.group("collect"))
        lines = (event["message"].strip() for event in found["events"])
        return [json.loads(line) for line in lines if line.startswith('{"group"')]

    def forwarded(self, text: str) -> str:
        """The group of a record with that text, once it is there."""
        return eventually(
            lambda: next((r["group"] for r in self.collected() if text in r["texts"]), "")
        )


@pytest.fixture(scope="module")
def stage(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    reset(shared_cloud.endpoint_url)
    return Stage(tmp_path_factory.mktemp("app"), str(shared_cloud.endpoint_url))


def test_what_a_function_prints_is_forwarded_and_nothing_of_who_collects(stage: Stage) -> None:
    client = stage.cloud.client("lambda")
    for _ in range(2):
        client.invoke(FunctionName="demo_test_speak-fn", Payload=b"{}")
    assert stage.forwarded("hello from the function") == stage.group("speak")
    filters = stage.cloud.client("logs").describe_subscription_filters
    assert filters(logGroupName=stage.group("collect"))["subscriptionFilters"] == []
    assert stage.group("collect") not in {record["group"] for record in stage.collected()}


def test_what_a_job_prints_is_forwarded(stage: Stage) -> None:
    ran = CliRunner().invoke(main, ["invoke", "build", "--payload", "1", "--json", *stage.options])
    assert ran.exit_code == 0, ran.output
    assert stage.forwarded("hello from the job") == "/aws/codebuild/demo_test_build"
