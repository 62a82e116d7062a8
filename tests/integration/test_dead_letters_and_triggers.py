"""`devbridge trigger` and `devbridge dlq` on a deployed stage of the embedded cloud: what fails is
among the dead letters, is sent back, and succeeds."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import main
from devbridge.cloud.session import connect
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.emulator.state import Running
from tests.clients import reset, root_client
from tests.integration.test_any_app_deploys import fast
from tests.waiting import eventually

APP = """
from devbridge import *

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

speak = Function(app, "speak", handler="job.authorize")
api = Api(app, "web", authorizers={"users": LambdaAuthorizer(speak)})
changes = Table(app, "changes", partition_key="id")
clicks = Stream(app, "clicks")
front = LoadBalancer(app, "front", vpc=VPC)
Job(app, "read", handler="job.handler", compute=Lambda(), bind=[flags], timeout="1 minute",
    triggers=[
        OnTable(changes, where=["MODIFY"], retries=0,
                filter={"dynamodb": {"NewImage": {"n": {"N": ["5"]}}}}),
        OnStream(clicks, filter={"data": {"kind": ["click"]}}, batch=3, retries=0),
        OnLog(speak, "ERROR"),
        OnRequest(api, "PUT /read/{what}", name="asked", authorizer="users"),
        OnLoadBalancer(front, ["/read/*"], headers={"x-kind": ["a*"]}),
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


def authorize(event, context):
    return {"isAuthorized": event["headers"].get("authorization") == "Bearer sesame"}
"""


class Stage:
    def __init__(self, root: Path, endpoint: str) -> None:
        self.options = ["--app", str(root), "--stage", "test", "--endpoint", endpoint]
        subnets = root_client(endpoint, "ec2").describe_subnets()["Subnets"][:2]
        ids = [each["SubnetId"] for each in subnets]
        vpc = f"Vpc({subnets[0]['VpcId']!r}, {ids!r}, ['sg-0123456789abcdef0'])"
        (root / "app.py").write_text(APP.replace("VPC", vpc))
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

    @contextmanager
    def broken_invoker(self, job: str) -> Iterator[None]:
        """What calls the job's invoker gets an error."""
        functions, name = self.cloud.client("lambda"), f"mail_test_{job}-invoker"
        was = functions.get_function_configuration(FunctionName=name)["Handler"]
        functions.update_function_configuration(FunctionName=name, Handler="no.handler")
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Handler=was)

    def devbridge(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, *self.options])

    def json(self, *arguments: str) -> Any:
        done = self.devbridge(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def runs(self, state: str) -> dict[str, Any]:
        return {run["id"]: run["result"] for run in self.json("jobs", "--state", state)}


@pytest.fixture(scope="module")
def stage(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    reset(shared_cloud.endpoint_url)
    return Stage(tmp_path_factory.mktemp("app"), str(shared_cloud.endpoint_url))


UNQUEUED = ("clicks", "speak")
"""Triggers of the job `read`, whose records are in no queue; `changes` is one more."""


@pytest.mark.parametrize(
    ("trigger", "options"),
    [
        *((name, ()) for name in UNQUEUED),
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
    job = "read" if trigger in UNQUEUED else "work"
    (sent,) = stage.json("trigger", job, "--on", trigger, *options)
    (letter,) = eventually(lambda: stage.json("dlq", "list", job))
    assert letter["error"] == "ValueError: nobody has mended it"
    assert letter["trigger"] == f"{sent['kind']} {trigger}"
    assert letter["attempt"] == 1
    assert sent["run"] in (None, letter["run"])
    assert (sent["run"] is None) == (trigger in ("files", "paid", *UNQUEUED))
    listed = stage.devbridge("dlq", "list", job).stdout
    assert letter["id"][:8] in listed
    before = stage.runs("SUCCEEDED")
    dry = stage.devbridge("dlq", "redrive", job, "--all", "--dry-run").stdout
    assert dry.startswith("1 of 1 message would be redriven to ")
    stage.mend(whole=True)
    done = stage.devbridge("dlq", "redrive", job, letter["id"][:8])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("1 of 1 message redriven to ")
    new = eventually(
        lambda: [result for run, result in stage.runs("SUCCEEDED").items() if run not in before]
    )
    assert [result["kind"] for result in new] == [sent["kind"]]
    assert stage.json("dlq", "list", job) == []


@pytest.mark.parametrize(("trigger", "token"), [("asked", ("--token", "sesame")), ("front-1", ())])
def test_a_request_is_sent_where_others_send_theirs(
    stage: Stage, trigger: str, token: tuple[str, ...]
) -> None:
    stage.mend(whole=True)
    (sent,) = stage.json("trigger", "read", "--on", trigger, "--set", "num=7", *token)
    result = eventually(lambda: stage.runs("SUCCEEDED").get(sent["run"]))
    assert result == {
        "payload": {"example": "of devbridge trigger", "num": 7},
        "kind": sent["kind"],
    }
    if token:
        refused = stage.devbridge("trigger", "read", "--on", trigger, "--token", "open")
        assert refused.exit_code == errors.EXIT_CLOUD
        assert "is answered with 403" in refused.stderr
        assert "--token TOKEN" in refused.stderr


@pytest.mark.parametrize("kind", ["table", "stream"])
def test_what_lambda_has_given_up_is_read_from_its_stream_again(stage: Stage, kind: str) -> None:
    stage.mend(whole=True)
    before = stage.runs("SUCCEEDED")
    with stage.broken_invoker("read"):
        stage.json("trigger", "read", "--kind", kind)
        (letter,) = eventually(lambda: stage.json("dlq", "list", "read"))
    assert letter["error"] == "1 record could not be started: RetryAttemptsExhausted"
    assert (letter["run"], letter["trigger"].split()[0]) == (None, kind)
    shown = stage.devbridge("dlq", "show", "read", letter["id"][:8]).stdout
    assert f"records first     {letter['records']['first']}" in shown
    done = stage.devbridge("dlq", "redrive", "read", "--all")
    assert done.stdout == "1 of 1 message redriven to the job read\n", done.output
    new = eventually(
        lambda: [result for run, result in stage.runs("SUCCEEDED").items() if run not in before]
    )
    assert [result["kind"] for result in new] == [kind]
    assert stage.json("dlq", "list", "read") == []


def test_the_same_dead_letter_sent_back_twice_starts_one_run(stage: Stage) -> None:
    stage.mend(whole=False)
    stage.json("trigger", "work", "--on", "orders")
    (letter,) = eventually(lambda: stage.json("dlq", "list", "work"))
    stage.mend(whole=True)
    before = stage.runs("SUCCEEDED")
    sqs = stage.cloud.client("sqs")
    urls = {url.rpartition("-")[0]: url for url in sqs.list_queues()["QueueUrls"]}
    (dead,) = [url for url in urls.values() if "WorkJobDeadLetters" in url]
    (copy,) = sqs.receive_message(
        QueueUrl=dead, MessageAttributeNames=["All"], VisibilityTimeout=0
    )["Messages"]
    # As if who gave it up had died between sending and noting it, which is one letter, and then who
    # sent it back between sending and deleting.
    for _ in range(2):
        sqs.send_message(
            QueueUrl=dead, MessageBody=copy["Body"], MessageAttributes=copy["MessageAttributes"]
        )
        assert len(stage.json("dlq", "redrive", "work", "--all")["redriven"]) == 1
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
    places = {place["queue"]: place["messages"] for place in stage.json("dlq", "list")}
    assert places["work"] == 3
    refused = stage.devbridge("dlq", "purge", "work", "--all")
    assert refused.exit_code == errors.EXIT_NOT_CONFIRMED
    assert stage.devbridge("dlq", "purge", "work", "--all", "--yes").stdout == (
        "deleted 3 messages of the dead letters of work\n"
    )
    assert stage.json("dlq", "list", "work") == []
