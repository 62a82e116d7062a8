"""All that starts a job by itself, on the embedded cloud: a stage of `devbridge dev`, where the job
runs on this machine, and a deployed one. What the handler gets is the same in both."""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest

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
seen = Bucket(app, "seen")
orders, news, files = Queue(app, "orders"), Topic(app, "news"), Bucket(app, "files")
api = Api(app, "web")
speak = Function(app, "speak", handler="speak.handler")
Job(app, "see", handler="see.handler", compute=Lambda(), bind=[seen], triggers=[
    OnQueue(orders),
    OnTopic(news, filter={"to": ["see"]}),
    OnObject(files, prefix="in/", suffix=".csv"),
    OnEvent({"source": ["shop"]}, name="sold"),
    Schedule("cron(0 2 * * ? *)", timezone="Europe/Berlin", payload={"full": True}),
    OnLog(speak, "ERROR"),
    OnRequest(api, "POST /see/{what}", name="asked"),
])
"""
SEE = """\
import json, os, uuid
import boto3
from devbridge.resources import Bucket

def handler(payload, context):
    trigger = context.trigger
    told = {"payload": payload, "name": trigger.name, "event": context.event}
    key = f"{trigger.kind}/{uuid.uuid4()}"
    client = boto3.client("s3")
    client.put_object(Bucket=Bucket.seen.bucket_name, Key=key, Body=json.dumps(told))
"""
SPEAK = """\
def handler(event, context):
    print("all is well")
    print("ERROR", event["what"])
"""
STAGES = ("dev", "prod")


@dataclass(frozen=True)
class Stage:
    """A stage of the app."""

    name: str
    cloud: Cloud
    outputs: Mapping[str, str]

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def resource(self, kind: str, like: str) -> str:
        """The physical name of one of the stage's resources."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        (found,) = [
            each["PhysicalResourceId"]
            for page in pages.paginate(StackName=f"devbridge-demo--{self.name}-")
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == kind and re.fullmatch(like, each["LogicalResourceId"])
        ]
        return str(found)

    def seen(self, kind: str) -> list[dict[str, Any]]:
        """What runs of that kind have told."""
        s3, bucket = self.client("s3"), self.outputs["SeenBucket"]
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{kind}/").get("Contents", ())
        read = [s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed]
        return [json.loads(each) for each in read]


@pytest.fixture(scope="module")
def stages(
    shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Stage]]:
    endpoint = str(shared_cloud.endpoint_url)
    reset(endpoint)
    root = tmp_path_factory.mktemp("app")
    for name, text in (("app", APP), ("see", SEE), ("speak", SPEAK)):
        (root / f"{name}.py").write_text(text)
    config = Config(root=root, stage="prod", python=Path(sys.executable), local=True)
    cloud = connect(config, endpoint)
    options = ("--stage", "dev", "--endpoint", endpoint, "--schedules", "--grace", "1")
    with DevProcess(root, *options) as dev:
        deploy(Request(load_app(root), cloud, stage="prod", mode="deployed", pace=fast))
        dev.wait_for(r"^Ready")
        found = {}
        for name in STAGES:
            stacks = cloud.client("cloudformation").describe_stacks(
                StackName=f"devbridge-demo--{name}-"
            )["Stacks"]
            outputs = {each["OutputKey"]: each["OutputValue"] for each in stacks[0]["Outputs"]}
            found[name] = Stage(name, cloud, outputs)
        yield found


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest, stages: dict[str, Stage]) -> Stage:
    return stages[request.param]


def send_message(stage: Stage, told: str) -> None:
    body = json.dumps({"told": told})
    stage.client("sqs").send_message(QueueUrl=stage.outputs["OrdersQueue"], MessageBody=body)


def publish(stage: Stage, told: str) -> None:
    topic, sns = stage.outputs["NewsTopic"], stage.client("sns")
    for to in ("see", "others"):
        attributes = {"to": {"DataType": "String", "StringValue": to}}
        body = json.dumps({"told": told})
        sns.publish(TopicArn=topic, Message=body, MessageAttributes=attributes)


def put_object(stage: Stage, told: str) -> None:
    for key in (f"out/{told}.csv", f"in/{told}.txt", f"in/{told} ü.csv"):
        stage.client("s3").put_object(Bucket=stage.outputs["FilesBucket"], Key=key, Body=b"12")


def put_event(stage: Stage, told: str) -> None:
    entries = [
        {"Source": source, "DetailType": "sold", "Detail": json.dumps({"told": told})}
        for source in ("shop", "elsewhere")
    ]
    stage.client("events").put_events(Entries=entries)


def let_the_clock_strike(stage: Stage, told: str) -> None:
    """What Scheduler sends when the time has come; that it does is tested where it is emulated."""
    name = stage.resource("AWS::Scheduler::Schedule", "See.*").rpartition("|")[2]
    schedule = stage.client("scheduler").get_schedule(Name=name)
    assert (schedule["State"], schedule["ScheduleExpressionTimezone"]) == (
        "ENABLED",
        "Europe/Berlin",
    )
    target = schedule["Target"]
    text = target["Input"].replace("<aws.scheduler.scheduled-time>", "2030-01-31T01:00:00Z")
    text = text.replace("<aws.scheduler.schedule-arn>", f"arn:{told}")
    sqs = stage.client("sqs")
    url = sqs.get_queue_url(QueueName=target["Arn"].rpartition(":")[2])["QueueUrl"]
    for _ in range(2):  # it tries again where it is not sure
        sqs.send_message(QueueUrl=url, MessageBody=text)


def speak(stage: Stage, told: str) -> None:
    payload = json.dumps({"what": told})
    name = f"demo_{stage.name}_speak-fn"
    stage.client("lambda").invoke(FunctionName=name, Payload=payload)


def ask(stage: Stage, told: str) -> None:
    url = f"{stage.outputs['WebUrl']}/see/this?{told}"
    headers = {"content-type": "application/json", "idempotency-key": told}
    body = json.dumps({"told": told}).encode()
    ids = set()
    for _ in range(2):
        with urlopen(HttpRequest(url, body, headers, method="POST"), timeout=30) as answer:
            assert answer.status == 202
            ids.add(json.load(answer)["jobId"])
    assert len(ids) == 1


def of_object(seen: dict[str, Any], told: str) -> bool:
    payload = seen["payload"]
    return (payload["key"], payload["size"], payload["event"]) == (f"in/{told} ü.csv", 2, "created")


def of_clock(seen: dict[str, Any], _told: str) -> bool:
    event = json.loads(seen["event"]["body"])["event"]
    return seen["payload"] == {"full": True} and event["time"] == "2030-01-31T01:00:00Z"


def of_log(seen: dict[str, Any], told: str) -> bool:
    (line,) = seen["payload"]["logEvents"]
    return bool(line["message"].strip() == f"ERROR {told}")


def of_request(seen: dict[str, Any], told: str) -> bool:
    event = seen["event"]
    found = (seen["payload"], event["rawQueryString"], event["pathParameters"])
    return found == ({"told": told}, told, {"what": "this"})


def same(seen: dict[str, Any], told: str) -> bool:
    return bool(seen["payload"] == {"told": told})


KINDS: dict[
    str, tuple[str, Callable[[Stage, str], None], Callable[[dict[str, Any], str], bool]]
] = {
    "queue": ("orders", send_message, same),
    "topic": ("news", publish, same),
    "object": ("files", put_object, of_object),
    "event": ("sold", put_event, same),
    "schedule": ("cron-0-2-x-x-q-x", let_the_clock_strike, of_clock),
    "log": ("speak", speak, of_log),
    "request": ("asked", ask, of_request),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_starts_one_run_whose_handler_gets_its_data(stage: Stage, kind: str) -> None:
    name, send, is_of = KINDS[kind]
    told = uuid.uuid4().hex
    send(stage, told)
    own = eventually(lambda: [each for each in stage.seen(kind) if is_of(each, told)])
    assert [each["name"] for each in own] == [name]
    # The default bus is that of all stages.
    assert kind == "event" or len(stage.seen(kind)) == 1
