"""Messages that are deleted only when their run has succeeded: `done="succeeded"`, on the embedded
cloud, where the job runs on this machine and where it is deployed, of standard and FIFO queues."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.emulator.state import Running
from tests.clients import reset
from tests.e2e.dev_process import DevProcess
from tests.integration.test_any_app_deploys import fast
from tests.waiting import eventually

APP = """\
from devbridge import *

app = App("demo")
seen, dead = Bucket(app, "seen"), Queue(app, "dead", fifo=True)
queues = {
    "standard": Queue(app, "standard"),
    "fifo": Queue(app, "fifo", fifo=True, dead_letter=dead, max_receives=2),
}
parcels = Queue(app, "parcels")
news = Topic(app, "news")
Job(app, "greeting", handler="greeting.handler", compute=Lambda(), bind=[seen],
    timeout="1 minute", retries=1, retry_delay="0 seconds",
    triggers=[
        *(OnQueue(queue, done="succeeded") for queue in queues.values()),
        OnTopic(news, filter={"jobName": ["greeting"]}, done="succeeded"),
    ])
Job(app, "packing", handler="packing.handler", bind=[seen],
    compute=Fargate(cpu=0.25, memory="512 MB", workers=Workers(max=2, per_worker=2)),
    timeout="1 minute", retries=1, retry_delay="0 seconds",
    triggers=[OnQueue(parcels, done="succeeded")])
"""
GREETING = """\
from dataclasses import dataclass
import boto3
from devbridge.job import job_handler
from devbridge.resources import Bucket

@dataclass
class Greeting:
    test: str
    name: str
    failures: int = 0

@job_handler("greeting")
def handler(payload: Greeting, context):
    client = boto3.client("s3")
    bucket = Bucket.seen.bucket_name
    before = client.list_objects_v2(Bucket=bucket, Prefix=f"{payload.test}/").get("KeyCount", 0)
    key = f"{payload.test}/{before:02}/{payload.name}/{context.attempt}"
    client.put_object(Bucket=bucket, Key=key, Body=b"")
    if context.attempt <= payload.failures:
        raise ValueError("not yet")
"""
STAGES = ("dev", "prod")
DEAD = {
    "standard": "GreetingJobDeadLetters",
    "fifo": "DeadQueue",
    "parcels": "PackingJobDeadLetters",
}
KINDS = ("standard", "fifo", "parcels")


@dataclass(frozen=True)
class Stage:
    """A stage of the app."""

    cloud: Cloud
    outputs: Mapping[str, str]
    options: Sequence[str]
    """For commands that mean this stage."""
    test: str

    def send(self, kind: str, *messages: dict[str, Any]) -> None:
        sqs, url = self.cloud.client("sqs"), self.outputs[f"{kind.title()}Queue"]
        for each in messages:
            body = json.dumps({"test": self.test, **each})
            group = {"MessageGroupId": self.test, "MessageDeduplicationId": uuid.uuid4().hex}
            more = group if kind == "fifo" else {}
            sqs.send_message(QueueUrl=url, MessageBody=body, **more)

    def publish(self, **message: Any) -> None:
        attributes = {"jobName": {"DataType": "String", "StringValue": "greeting"}}
        self.cloud.client("sns").publish(
            TopicArn=self.outputs["NewsTopic"],
            Message=json.dumps({"test": self.test, **message}),
            MessageAttributes=attributes,
        )

    def dlq(self, *arguments: str) -> Any:
        done = CliRunner().invoke(main, ["dlq", *arguments, "--json", *self.options])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def seen(self) -> list[str]:
        """``NAME/ATTEMPT`` of all runs of the test, in order."""
        listed = self.cloud.client("s3").list_objects_v2(
            Bucket=self.outputs["SeenBucket"], Prefix=f"{self.test}/"
        )
        return [each["Key"].split("/", 2)[2] for each in listed.get("Contents", ())]

    def left(self, like: str) -> int:
        """How many messages a queue has, whether they are hidden or not."""
        sqs = self.cloud.client("sqs")
        (url,) = [each for each in sqs.list_queues()["QueueUrls"] if like in each]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return sum(int(got[name]) for name in names)


@pytest.fixture(scope="module")
def stages(
    shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Cloud, dict[str, str], list[str]]]]:
    endpoint = str(shared_cloud.endpoint_url)
    reset(endpoint)
    root = tmp_path_factory.mktemp("app")
    (root / "app.py").write_text(APP)
    (root / "greeting.py").write_text(GREETING)
    (root / "packing.py").write_text(GREETING.replace('"greeting"', '"packing"'))
    config = Config(root=root, stage="prod", python=Path(sys.executable), local=True)
    cloud = connect(config, endpoint)
    with DevProcess(root, "--stage", "dev", "--endpoint", endpoint, "--grace", "1") as dev:
        deploy(Request(load_app(root), cloud, stage="prod", mode="deployed", pace=fast))
        dev.wait_for(r"^Ready")
        found = {}
        for name in STAGES:
            stack = f"devbridge-demo--{name}-"
            told = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
            outputs = {each["OutputKey"]: each["OutputValue"] for each in told[0]["Outputs"]}
            options = ["--app", str(root), "--stage", name, "--endpoint", endpoint]
            found[name] = (cloud, outputs, options)
        yield found


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest, stages: dict[str, Any]) -> Stage:
    cloud, outputs, options = stages[request.param]
    return Stage(cloud, outputs, options, uuid.uuid4().hex)


def queue(stage: Stage, kind: str) -> str:
    return stage.outputs[f"{kind.title()}Queue"].rpartition("/")[2]


def dead(stage: Stage, kind: str) -> str:
    beginning = queue(stage, kind).partition("--")[2].partition("-")[0]
    return f"demo--{beginning}--{DEAD[kind]}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_comes_again_until_its_run_succeeds_and_what_never_does_is_given_up(
    stage: Stage, kind: str
) -> None:
    before = stage.left(dead(stage, kind))
    stage.send(
        kind,
        {"name": "never", "failures": 9},
        {"name": "second", "failures": 1},
        {"name": "first"},
    )
    assert eventually(lambda: len(stage.seen()) == 5)
    assert eventually(lambda: not stage.left(queue(stage, kind)))
    expected = ["never/1", "never/2", "second/1", "second/2", "first/1"]
    seen = stage.seen()
    assert (seen if kind == "fifo" else sorted(seen)) == (
        expected if kind == "fifo" else sorted(expected)
    )
    assert stage.left(dead(stage, kind)) == before + 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_payload_that_does_not_fit_is_given_up_at_once_and_says_why(
    stage: Stage, kind: str
) -> None:
    before = stage.left(dead(stage, kind))
    stage.send(kind, {"nam": "wrong"}, {"name": "right"})
    assert eventually(lambda: stage.seen() == ["right/1"])
    assert eventually(lambda: not stage.left(queue(stage, kind)))
    assert eventually(lambda: stage.left(dead(stage, kind)) == before + 1)


def test_a_topics_message_is_held_in_the_jobs_own_queue(stage: Stage) -> None:
    stage.publish(name="told", failures=1)
    assert eventually(lambda: stage.seen() == ["told/1", "told/2"])
    inbox = dead(stage, "standard").replace("DeadLetters", "Inbox")
    assert eventually(lambda: not stage.left(inbox))


def test_what_sqs_has_given_up_tells_of_its_last_run_and_is_sent_back_as_often_as_it_fails(
    stage: Stage,
) -> None:
    before = stage.left(dead(stage, "standard"))

    def given_up(runs: int) -> dict[str, Any]:
        assert eventually(lambda: len(stage.seen()) == runs)
        assert eventually(lambda: stage.left(dead(stage, "standard")) > before)
        (letter,) = [each for each in stage.dlq("list", "greeting") if stage.test in each["body"]]
        assert (letter["error"], letter["attempt"]) == ("ValueError: not yet", 2)
        assert (letter["trigger"], "Inbox" in letter["source"]) == ("topic news", True)
        return dict(letter)

    stage.publish(name="never", failures=9)
    first = given_up(2)
    stage.dlq("redrive", "greeting", first["id"])
    second = given_up(4)
    assert stage.seen() == ["never/1", "never/2"] * 2
    assert first["run"] != second["run"]
