"""A task that reads a queue is told to stop: with a queue and a store that are real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from devbridge.cloud.session import Cloud
from tests.waiting import eventually

RUNNER = Path(__file__).resolve().parents[4] / "runner"
HANDLER = """\
import pathlib, time
def handler(payload, context):
    pathlib.Path(payload + ".begun").touch()
    while not pathlib.Path(payload + ".go").exists():
        time.sleep(0.01)
"""


@pytest.fixture
def queue(local_cloud: Cloud) -> str:
    """The URL of a queue with nothing in it."""
    local_cloud.client("s3").create_bucket(Bucket="assets")
    return str(local_cloud.client("sqs").create_queue(QueueName="orders")["QueueUrl"])


@contextmanager
def working(
    cloud: Cloud, queue: str, folder: Path, grace: str
) -> Iterator[subprocess.Popen[bytes]]:
    source = folder / "src"
    source.mkdir()
    (source / "a.py").write_text(HANDLER)
    sqs = cloud.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    keys: Any = sqs._request_signer._credentials.get_frozen_credentials()
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_REGION": cloud.region,
        "AWS_ENDPOINT_URL": str(cloud.endpoint_url),
        "DEVBRIDGE_APP": "demo",
        "DEVBRIDGE_STAGE": "prod",
        "DEVBRIDGE_JOB_NAME": "a",
        "DEVBRIDGE_HANDLER": "a.handler",
        "DEVBRIDGE_PROJECT": "demo_prod_a",
        "DEVBRIDGE_COMPUTE": "fargate",
        "DEVBRIDGE_BUCKET": "assets",
        "DEVBRIDGE_TIMEOUT": "60",
        "DEVBRIDGE_GRACE": grace,
        "DEVBRIDGE_FOLDER": str(folder),
        "DEVBRIDGE_WORKER": arn,
        "DEVBRIDGE_TRIGGERS": json.dumps({"sources": {arn: {"held": True}}}),
    }
    command = [sys.executable, str(RUNNER), "run"]
    with subprocess.Popen(command, cwd=source, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def left(cloud: Cloud, queue: str) -> list[str]:
    """The texts of the messages that can be received now."""
    found = cloud.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [each["Body"] for each in found.get("Messages", ())]


def test_what_it_has_begun_it_ends_and_nothing_else_is_taken(
    local_cloud: Cloud, queue: str, tmp_path: Path
) -> None:
    sqs = local_cloud.client("sqs")
    first, second = (str(tmp_path / name) for name in ("first", "second"))
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(first))
    with working(local_cloud, queue, tmp_path, "60") as process:
        assert eventually(Path(f"{first}.begun").exists)
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(second))
        process.send_signal(signal.SIGTERM)
        Path(f"{first}.go").touch()
        assert process.wait(30) == 0
    assert left(local_cloud, queue) == [json.dumps(second)]
    assert not Path(f"{second}.begun").exists()


def test_what_it_has_no_time_for_goes_back_to_the_queue_at_once(
    local_cloud: Cloud, queue: str, tmp_path: Path
) -> None:
    first = str(tmp_path / "first")
    local_cloud.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(first))
    with working(local_cloud, queue, tmp_path, "2") as process:
        assert eventually(Path(f"{first}.begun").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert left(local_cloud, queue) == [json.dumps(first)]
