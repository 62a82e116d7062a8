"""`devbridge bind` of a stage that is really deployed, with a role that is really assumed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from devbridge.cloud.session import Cloud
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.deploy.secrets import set_secret
from devbridge.emulator.ports import free_port

APP = """
from devbridge import App, Bucket, Config, Queue, Secret, Table

app = App("demo")
Table(app, "notes", partition_key="id")
Bucket(app, "files")
Queue(app, "work")
Secret(app, "key")
Config(app, "mode", value="fast")
"""

PROGRAM = """
import json, sys
import boto3
from devbridge.resources import Bucket, Config, Queue, Secret, Table
boto3.resource("dynamodb").Table(Table.notes.table_name).put_item(Item={"id": "1"})
boto3.client("s3").put_object(Bucket=Bucket.files.bucket_name, Key="a", Body=b"x")
boto3.client("sqs").send_message(QueueUrl=Queue.work.queue_url, MessageBody="x")
try:
    boto3.client("iam").list_users()
    refused = False
except Exception as error:
    refused = "AccessDenied" in str(error)
found = {
    "secret": Secret.key.value,
    "mode": Config.mode.value,
    "who": boto3.client("sts").get_caller_identity()["Arn"],
    "refused": refused,
}
json.dump(found, open(sys.argv[1], "w"))
"""


def test_a_bound_command_may_use_what_the_app_has_and_nothing_else(
    local_cloud: Cloud,
    make_config: Callable[..., Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    config = make_config()
    (config.root / "app.py").write_text(APP)
    set_secret(local_cloud, "demo", "test", "key", "s3cret")
    app = load_app(config.root, "test")
    deploy(Request(app, local_cloud, stage="test", mode="deployed"))
    out = tmp_path / "out"
    options = ["--app", str(config.root), "--stage", "test"]
    endpoint = ["--endpoint", str(local_cloud.endpoint_url)]
    command = [sys.executable, "-c", PROGRAM, str(out)]
    result = CliRunner().invoke(main, ["bind", *options, *endpoint, "--", *command])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert ":assumed-role/" in found.pop("who")
    assert found == {"secret": "s3cret", "mode": "fast", "refused": True}
    notes = local_cloud.client("dynamodb").scan(
        TableName=local_cloud.client("dynamodb").list_tables()["TableNames"][0]
    )
    assert notes["Count"] == 1
