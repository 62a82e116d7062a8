"""`devbridge trigger` and `devbridge dlq` on a deployed stage of the embedded cloud: what fails is
among the dead letters, is sent back, and succeeds."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import main
from devbridge.cloud.session import connect
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.test_any_app_deploys import fast

T = TypeVar("T")
APP = """
from devbridge import (
    App, Bucket, Job, Lambda, OnEvent, OnObject, OnQueue, OnTopic, Queue, Topic
)

app = App("mail")
orders = Queue(app, "orders")
news = Topic(app, "news")
files = Bucket(app, "files")
flags = Bucket(app, "flags")
Job(app, "work", handler="job.handler", compute=Lambda(), bind=[flags], timeout="1 minute",
    triggers=[
        OnQueue(orders),
        OnTopic(news, filter={"kind": ["work"]}),
        OnObject(files, prefix="in/", suffix=".txt"),
        OnEvent({"source": ["shop"], "detail": {"state": ["paid"]}}, name="paid"),
        OnEvent({"source": ["aws.autoscaling"]}, name="scaled"),
    ])
"""
JOB = """
import boto3
from devbridge.resources import Bucket

def handler(payload, context):
    bucket = Bucket.flags.bucket_name
    if boto3.client("s3").list_objects_v2(Bucket=bucket).get("KeyCount") == 0:
        raise ValueError("nobody has mended it")
    return {"payload": payload, "kind": context.trigger.kind}
"""


class Stage:
    def __init__(self, root: Path, endpoint: str) -> None:
        self.options = ["--app", str(root), "--stage", "test", "--endpoint", endpoint]
        (root / "app.py").write_text(APP)
        (root / "job.py").write_text(JOB)
        config = Config(root=root, stage="test", python=Path(sys.executable), local=True)
        self.cloud = connect(config, endpoint)
        self.outputs = deploy(
            Request(load_app(root), self.cloud, stage="test", mode="deployed", pace=fast)
        ).outputs

    def mend(self, *, whole: bool) -> None:
        s3, bucket = self.cloud.client("s3"), self.outputs["FlagsBucket"]
        if whole:
            s3.put_object(Bucket=bucket, Key="mended", Body=b"")
        else:
            s3.delete_object(Bucket=bucket, Key="mended")

    def devbridge(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, *self.options])

    def json(self, *arguments: str) -> Any:
        done = self.devbridge(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def runs(self, state: str) -> dict[str, Any]:
        return {run["id"]: run["result"] for run in self.json("jobs", "--state", state)}


def eventually(found: Callable[[], T], seconds: float = 40) -> T:
    until = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < until:
        time.sleep(0.2)
    return value


@pytest.fixture(scope="module")
def stage(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    reset(shared_cloud.endpoint_url)
    return Stage(tmp_path_factory.mktemp("app"), str(shared_cloud.endpoint_url))


@pytest.mark.parametrize(
    ("trigger", "options"),
    [
        ("orders", ("--set", "num=5")),
        ("news", ()),
        ("files", ()),
        ("paid", ("--set", "order=7")),
        ("scaled", ()),
    ],
)
def test_what_a_trigger_was_sent_fails_is_listed_sent_back_and_succeeds(
    stage: Stage, trigger: str, options: tuple[str, ...]
) -> None:
    stage.mend(whole=False)
    (sent,) = stage.json("trigger", "work", "--on", trigger, *options)
    (letter,) = eventually(lambda: stage.json("dlq", "list", "work"))
    assert letter["error"] == "ValueError: nobody has mended it"
    assert letter["trigger"] == f"{sent['kind']} {trigger}"
    assert letter["attempt"] == 1
    assert sent["run"] in (None, letter["run"])
    assert (sent["run"] is None) == (trigger in ("files", "paid"))
    listed = stage.devbridge("dlq", "list", "work").stdout
    assert letter["id"][:8] in listed
    before = stage.runs("SUCCEEDED")
    dry = stage.devbridge("dlq", "redrive", "work", "--all", "--dry-run").stdout
    assert dry.startswith("1 of 1 message would be redriven to ")
    stage.mend(whole=True)
    done = stage.devbridge("dlq", "redrive", "work", letter["id"][:8])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("1 of 1 message redriven to ")
    new = eventually(
        lambda: [result for run, result in stage.runs("SUCCEEDED").items() if run not in before]
    )
    assert [result["kind"] for result in new] == [sent["kind"]]
    assert stage.json("dlq", "list", "work") == []


def test_the_same_dead_letter_sent_back_twice_starts_one_run(stage: Stage) -> None:
    stage.mend(whole=False)
    stage.json("trigger", "work", "--on", "orders")
    (letter,) = eventually(lambda: stage.json("dlq", "list", "work"))
    stage.mend(whole=True)
    before = stage.runs("SUCCEEDED")
    sqs = stage.cloud.client("sqs")
    urls = {url.rpartition("-")[0]: url for url in sqs.list_queues()["QueueUrls"]}
    (dead,) = [url for url in urls.values() if "DeadLetters" in url]
    (copy,) = sqs.receive_message(
        QueueUrl=dead, MessageAttributeNames=["All"], VisibilityTimeout=0
    )["Messages"]
    assert stage.devbridge("dlq", "redrive", "work", "--all").exit_code == 0
    # As if the first had died between sending and deleting: the same letter once more.
    sqs.send_message(
        QueueUrl=dead, MessageBody=copy["Body"], MessageAttributes=copy["MessageAttributes"]
    )
    assert stage.devbridge("dlq", "redrive", "work", "--all").exit_code == 0
    eventually(lambda: len(stage.runs("SUCCEEDED")) > len(before))
    stage.json("trigger", "work", "--on", "orders")
    eventually(lambda: len(stage.runs("SUCCEEDED")) > len(before) + 1)
    assert len(stage.runs("SUCCEEDED")) == len(before) + 2
    assert letter["run"] in copy["MessageAttributes"]["devbridge"]["StringValue"]


def test_what_fails_again_is_sent_back_once_and_is_purged(stage: Stage) -> None:
    stage.mend(whole=False)
    stage.json("trigger", "work", "--on", "orders", "--count", "3")
    eventually(lambda: len(stage.json("dlq", "list", "work")) == 3)
    done = stage.json("dlq", "redrive", "work", "--all")
    assert len(done["redriven"]) == 3
    again = eventually(lambda: len(found := stage.json("dlq", "list", "work")) == 3 and found)
    assert again
    assert all(each["redriven"] for each in again)
    (place,) = stage.json("dlq", "list")
    assert (place["queue"], place["messages"]) == ("work", 3)
    refused = stage.devbridge("dlq", "purge", "work", "--all")
    assert refused.exit_code == errors.EXIT_NOT_CONFIRMED
    assert stage.devbridge("dlq", "purge", "work", "--all", "--yes").stdout == (
        "deleted 3 messages of the dead letters of work\n"
    )
    assert stage.json("dlq", "list", "work") == []
