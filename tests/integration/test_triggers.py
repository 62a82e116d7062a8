"""All that starts a job by itself, on the embedded cloud: a stage of `devbridge dev`, where the job
runs on this machine, and a deployed one. What the handler gets is the same in both."""

from __future__ import annotations

import http.client
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.emulator.state import Running
from tests.clients import reset, root_client
from tests.e2e.dev_process import DevProcess
from tests.integration.test_any_app_deploys import fast
from tests.waiting import eventually

APP = """\
from devbridge import *

app = App("demo")
seen = Bucket(app, "seen")
orders, news, files = Queue(app, "orders"), Topic(app, "news"), Bucket(app, "files")
api = Api(app, "web")
notes = Table(app, "notes", partition_key="id")
clicks, fast, bus = Stream(app, "clicks"), Stream(app, "fast"), EventBus(app, "own")
front = LoadBalancer(app, "front", vpc=VPC)
speak = Function(app, "speak", handler="speak.handler", enable_live_dev=False)
Job(app, "see", handler="see.handler", compute=Lambda(), bind=[seen], triggers=[
    OnQueue(orders),
    OnTopic(news, filter={"to": ["see"]}),
    OnObject(files, prefix="in/", suffix=".csv"),
    OnEvent({"source": ["shop"]}, name="sold"),
    Schedule("cron(0 2 * * ? *)", timezone="Europe/Berlin", payload={"full": True}),
    OnTable(notes, where=["INSERT", "MODIFY"]),
    OnStream(clicks, filter={"data": {"kind": ["click"]}}, batch=5),
    OnStream(fast, consumer=True, name="fanned"),
    OnEvent({"source": ["shop"]}, bus=bus, name="own"),
    OnLog(speak, "ERROR"),
    OnRequest(api, "POST /see/{what}", name="asked"),
    OnLoadBalancer(front, ["/see/*"], 3, methods=["POST"], headers={"x-kind": ["a*"]}),
])
Job(app, "slow", handler="slow.handler", compute=Lambda(), bind=[seen], triggers=[
    Schedule("cron(0 3 * * ? *)", name="nightly"),
])
"""
SLOW = """\
import time, uuid
import boto3
from devbridge.resources import Bucket

def handler(payload, context):
    client, bucket = boto3.client("s3"), Bucket.seen.bucket_name
    told = context.event["body"]
    client.put_object(Bucket=bucket, Key=f"begun/{uuid.uuid4()}", Body=told.encode())
    while "Contents" not in client.list_objects_v2(Bucket=bucket, Prefix="go/"):
        time.sleep(0.1)
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
    subnets = root_client(endpoint, "ec2").describe_subnets()["Subnets"][:2]
    ids = [each["SubnetId"] for each in subnets]
    vpc = f"Vpc({subnets[0]['VpcId']!r}, {ids!r}, ['sg-0123456789abcdef0'])"
    for name, text in (
        ("app", APP.replace("VPC", vpc)),
        ("see", SEE),
        ("slow", SLOW),
        ("speak", SPEAK),
    ):
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


def put_own_event(stage: Stage, told: str) -> None:
    entry = {"Source": "shop", "DetailType": "sold", "Detail": json.dumps({"told": told})}
    name = f"demo_{stage.name}_own"
    stage.client("events").put_events(Entries=[{**entry, "EventBusName": name}])


def let_the_clock_strike(stage: Stage, told: str) -> None:
    """What Scheduler sends when the time has come; that it does is tested where it is emulated."""
    url, text = strike_of(stage, "See", told)
    for _ in range(2):  # it tries again where it is not sure
        stage.client("sqs").send_message(QueueUrl=url, MessageBody=text)


def strike_of(stage: Stage, job: str, told: str) -> tuple[str, str]:
    """The job's own queue, and what Scheduler puts there."""
    name = stage.resource("AWS::Scheduler::Schedule", f"{job}.*").rpartition("|")[2]
    schedule = stage.client("scheduler").get_schedule(Name=name)
    zone = {"See": "Europe/Berlin", "Slow": "UTC"}[job]
    assert (schedule["State"], schedule["ScheduleExpressionTimezone"]) == ("ENABLED", zone)
    target = schedule["Target"]
    text = target["Input"].replace("<aws.scheduler.scheduled-time>", "2030-01-31T01:00:00Z")
    text = text.replace("<aws.scheduler.schedule-arn>", f"arn:{told}")
    name = target["Arn"].rpartition(":")[2]
    return stage.client("sqs").get_queue_url(QueueName=name)["QueueUrl"], text


def speak(stage: Stage, told: str) -> None:
    payload = json.dumps({"what": told})
    name = f"demo_{stage.name}_speak-fn"
    stage.client("lambda").invoke(FunctionName=name, Payload=payload)


def ask(stage: Stage, told: str) -> None:
    url = f"{stage.outputs['WebUrl']}/see/this?{told}"
    headers = {"content-type": "application/json", "idempotency-key": told}
    first, second = (post(url, told, headers) for _ in range(2))
    assert first[0] == second[0] == 202
    assert first[1]["jobId"] == second[1]["jobId"]


def post(url: str, told: str, headers: dict[str, str]) -> tuple[int, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        body = json.dumps({"told": told}).encode()
        connection.request("POST", f"{parts.path}?{parts.query}", body, headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    return response.status, json.loads(text) if response.status == 202 else text


def of_object(seen: dict[str, Any], told: str) -> bool:
    payload = seen["payload"]
    return (payload["key"], payload["size"], payload["event"]) == (f"in/{told} ü.csv", 2, "created")


def of_clock(seen: dict[str, Any], _told: str) -> bool:
    event = json.loads(seen["event"]["body"])["event"]
    return bool(seen["payload"] == {"full": True} and event["time"] == "2030-01-31T01:00:00Z")


def of_log(seen: dict[str, Any], told: str) -> bool:
    (line,) = seen["payload"]["logEvents"]
    return bool(line["message"].strip() == f"ERROR {told}")


def of_request(seen: dict[str, Any], told: str) -> bool:
    event = seen["event"]
    found = (seen["payload"], event["rawQueryString"], event["pathParameters"])
    return bool(found == ({"told": told}, told, {"what": "this"}))


def same(seen: dict[str, Any], told: str) -> bool:
    return bool(seen["payload"] == {"told": told})


def put_rows(stage: Stage, told: str) -> None:
    table = stage.client("dynamodb")
    row = {"id": {"S": told}, "n": {"N": "1.50"}, "tags": {"SS": ["a"]}}
    table.put_item(TableName=stage.outputs["NotesTable"], Item=row)
    table.delete_item(TableName=stage.outputs["NotesTable"], Key={"id": {"S": told}})


def click(stage: Stage, told: str) -> None:
    for kind in ("other", "click"):
        put_record(stage, "Clicks", {"kind": kind, "told": told})


def put_record(stage: Stage, name: str, data: Any) -> None:
    stage.client("kinesis").put_record(
        StreamName=stage.outputs[f"{name}Stream"], Data=json.dumps(data), PartitionKey="a"
    )


def balanced(stage: Stage, told: str) -> None:
    name = stage.outputs["FrontLoadBalancer"].split("/")[-2]
    url = f"{stage.cloud.endpoint_url}/_alb/{name}/see/{told}"
    headers = {"content-type": "application/json", "x-kind": "ab"}
    status, body = post(url, told, headers)
    assert (status, bool(body["jobId"])) == (202, True)
    assert post(url, told, {**headers, "x-kind": "b"})[0] == 404


def of_row(seen: dict[str, Any], told: str) -> bool:
    row = {"id": told, "n": 1.5, "tags": ["a"]}
    payload = {"event": "INSERT", "keys": {"id": told}, "new": row, "old": None}
    return bool(seen["payload"] == payload)


def of_clicks(seen: dict[str, Any], told: str) -> bool:
    return bool(seen["payload"] == [{"kind": "click", "told": told}])


def of_balanced(seen: dict[str, Any], told: str) -> bool:
    return bool(seen["payload"] == {"told": told} and seen["event"]["path"] == f"/see/{told}")


KINDS: dict[
    str, tuple[str, Callable[[Stage, str], None], Callable[[dict[str, Any], str], bool]]
] = {
    "queue": ("orders", send_message, same),
    "topic": ("news", publish, same),
    "object": ("files", put_object, of_object),
    "event": ("sold", put_event, same),
    "schedule": ("cron-0-2-x-x-q-x", let_the_clock_strike, of_clock),
    "table": ("notes", put_rows, of_row),
    "stream": ("clicks", click, of_clicks),
    "fanned": ("fanned", lambda stage, told: put_record(stage, "Fast", {"told": told}), same),
    "own": ("own", put_own_event, same),
    "load-balancer": ("front-3", balanced, of_balanced),
    "log": ("speak", speak, of_log),
    "request": ("asked", ask, of_request),
}


@pytest.mark.parametrize("case", KINDS)
def test_it_starts_one_run_whose_handler_gets_its_data(stage: Stage, case: str) -> None:
    name, send, is_of = KINDS[case]
    kind, told = {"fanned": "stream", "own": "event"}.get(case, case), uuid.uuid4().hex
    send(stage, told)

    def own() -> list[dict[str, Any]]:
        return [each for each in stage.seen(kind) if each["name"] == name]

    # The default bus is that of all stages.
    seen = eventually(lambda: [each for each in own() if case != "event" or is_of(each, told)])
    assert [is_of(each, told) for each in seen] == [True], seen


def test_a_schedule_does_not_overlap_itself(stage: Stage) -> None:
    sqs, s3 = stage.client("sqs"), stage.client("s3")

    def strike() -> str:
        """A time comes, and its message is taken."""
        told = uuid.uuid4().hex
        url, text = strike_of(stage, "Slow", told)
        sqs.send_message(QueueUrl=url, MessageBody=text)
        eventually(lambda: taken(sqs, url))
        return f"arn:{told}"

    def begun() -> list[str]:
        return [each["event"]["schedule"] for each in stage.seen("begun")]

    first = strike()
    eventually(lambda: begun() == [first])
    passed = {strike(), strike()}
    s3.put_object(Bucket=stage.outputs["SeenBucket"], Key="go/on", Body=b"")
    # The run has not ended for all when its handler has let go.
    later: list[str] = []

    def goes_on() -> bool:
        later.append(strike())
        return not set(later).isdisjoint(begun())

    eventually(goes_on)
    assert not passed & set(begun())


def taken(sqs: Any, url: str) -> bool:
    """Whether a queue has no messages, nor hides any."""
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(counts))["Attributes"]
    return all(found[each] == "0" for each in counts)
