"""All that calls a function by itself, on the embedded cloud: it gets AWS's own event of each kind,
on a stage of `devbridge dev` too, where nobody need be there."""

from __future__ import annotations

import base64
import gzip
import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devbridge.cloud.session import connect
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy, stack_values
from devbridge.emulator.state import Running
from tests.clients import reset, root_client
from tests.integration.test_any_app_deploys import fast
from tests.integration.test_triggers import (
    Stage,
    post,
    publish,
    put_event,
    put_object,
    put_own_event,
    put_record,
    put_rows,
    send_message,
    speak,
)
from tests.waiting import eventually

APP = """\
from devbridge import *

app = App("demo")
orders = Queue(app, "orders")
news, files, bus = Topic(app, "news"), Bucket(app, "files"), EventBus(app, "own")
api, fast, notes = Api(app, "web"), Stream(app, "fast"), Table(app, "notes", partition_key="id")
front = LoadBalancer(app, "front", vpc=VPC)
speak = Function(app, "speak", handler="speak.handler")
Function(app, "see", handler="see.handler", retries=0, triggers=[
    OnQueue(orders),
    OnTopic(news, filter={"to": ["see"]}),
    OnObject(files, prefix="in/", suffix=".csv"),
    OnEvent({"source": ["shop"]}, name="sold"),
    Schedule("at(2020-01-01T00:00:00)", payload={"full": True}),
    Schedule("at(2020-01-01T00:00:01)"),
    OnTable(notes, where=["INSERT", "MODIFY"]),
    OnStream(fast, consumer=True),
    OnEvent({"source": ["shop"]}, bus=bus, name="own"),
    OnLog(speak, "ERROR"),
    OnRequest(api, "POST /see/{what}", name="asked"),
    OnLoadBalancer(front, ["/see/*"], 3, methods=["POST"]),
])
Function(app, "look", runtime="nodejs24.x", handler="look.handler", triggers=[
    OnTopic(news, filter={"to": ["see"]}),
])
"""
SEE = """\
import json

def handler(event, context):
    print("SEEN " + json.dumps(event))
    if "Records" in event and "poison" in json.dumps(event):
        if event["Records"][0].get("eventSource") != "aws:sqs":
            raise ValueError("poison")
        return {"batchItemFailures": [
            {"itemIdentifier": each["messageId"]} for each in event["Records"]
        ]}
    if "requestContext" in event:
        return {"statusCode": 202, "body": json.dumps({"jobId": event["body"]})}
"""
LOOK = """\
export async function handler(event: { Records: unknown[] }) {
  console.log("SEEN " + JSON.stringify(event));
}
"""
SPEAK = """\
def handler(event, context):
    print("all is well")
    print("ERROR", event["what"])
"""


@pytest.fixture(scope="module")
def stage(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    endpoint = str(shared_cloud.endpoint_url)
    reset(endpoint)
    root = tmp_path_factory.mktemp("app")
    subnets = root_client(endpoint, "ec2").describe_subnets()["Subnets"][:2]
    ids = [each["SubnetId"] for each in subnets]
    vpc = f"Vpc({subnets[0]['VpcId']!r}, {ids!r}, ['sg-0123456789abcdef0'])"
    texts = {"app.py": APP.replace("VPC", vpc), "see.py": SEE, "look.ts": LOOK, "speak.py": SPEAK}
    for name, text in texts.items():
        (root / name).write_text(text)
    config = Config(root=root, stage="dev", python=Path(sys.executable), local=True)
    cloud = connect(config, endpoint)
    asked = Request(load_app(root), cloud, stage="dev", mode="dev", pace=fast, schedules=True)
    deploy(asked)
    return Stage("dev", cloud, stack_values(cloud, "demo", "dev"))


def events(stage: Stage, function: str = "see") -> list[Any]:
    """All that a function was called with."""
    group = f"/aws/lambda/demo_dev_{function}-fn"
    pages = stage.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    lines = [each["message"].strip() for page in pages for each in page["events"]]
    found = [line.partition("SEEN ") for line in lines]
    return [json.loads(event) for _, mark, event in found if mark]


def record(source: str, told: Callable[[dict[str, Any]], bool]) -> Callable[[Any], bool]:
    """Whether an event has the one record that is meant, of that service."""

    def is_it(event: Any) -> bool:
        records = event.get("Records", [{}])
        of = records[0].get("eventSource") or records[0].get("EventSource")
        return bool(of == source and any(told(each) for each in records))

    return is_it


def ask(stage: Stage, told: str) -> None:
    url = f"{stage.outputs['WebUrl']}/see/this?{told}"
    assert post(url, told, {"content-type": "application/json"})[0] == 202


def balanced(stage: Stage, told: str) -> None:
    name = stage.outputs["FrontLoadBalancer"].split("/")[-2]
    url = f"{stage.cloud.endpoint_url}/_alb/{name}/see/{told}"
    status, body = post(url, told, {"content-type": "application/json"})
    assert (status, json.loads(body["jobId"])) == (202, {"told": told})


def logged(event: Any, told: str) -> bool:
    if "awslogs" not in event:
        return False
    said = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    return [each["message"].strip() for each in said["logEvents"]] == [f"ERROR {told}"]


Send = Callable[[Stage, str], object]
KINDS: dict[str, tuple[Send, Callable[[Any, str], bool]]] = {
    "queue": (
        send_message,
        lambda e, told: record("aws:sqs", lambda r: json.loads(r["body"]) == {"told": told})(e),
    ),
    "topic": (
        publish,
        lambda e, told: record("aws:sns", lambda r: told in r["Sns"]["Message"])(e),
    ),
    "object": (
        put_object,
        lambda e, told: (
            e.get("detail-type") == "Object Created"
            and e["detail"]["object"]["key"] == f"in/{told} ü.csv"
        ),
    ),
    "event": (
        put_event,
        lambda e, told: e.get("source") == "shop" and e["detail"] == {"told": told},
    ),
    "own": (
        put_own_event,
        lambda e, told: e.get("source") == "shop" and e["detail"] == {"told": told},
    ),
    "schedule": (lambda *_: None, lambda e, _: e == {"full": True}),
    "schedule without a payload": (
        lambda *_: None,
        lambda e, _: e.get("source") == "aws.scheduler" and "time" in e,
    ),
    "table": (
        put_rows,
        lambda e, told: record(
            "aws:dynamodb", lambda r: r["dynamodb"]["Keys"] == {"id": {"S": told}}
        )(e),
    ),
    "stream": (
        lambda stage, told: put_record(stage, "Fast", {"told": told}),
        lambda e, told: record(
            "aws:kinesis", lambda r: told in base64.b64decode(r["kinesis"]["data"]).decode()
        )(e),
    ),
    "log": (speak, logged),
    "request": (ask, lambda e, told: e.get("rawQueryString") == told),
    "load balancer": (balanced, lambda e, told: e.get("path") == f"/see/{told}"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_is_called_once_with_the_event_as_aws_has_it(stage: Stage, kind: str) -> None:
    send, is_it = KINDS[kind]
    told = uuid.uuid4().hex
    send(stage, told)
    seen = eventually(lambda: [each for each in events(stage) if is_it(each, told)])
    assert len(seen) == 1
    assert "devbridge" not in seen[0]
    if kind == "topic":
        again = eventually(lambda: [e for e in events(stage, "look") if is_it(e, told)])
        assert len(again) == 1


def test_what_a_function_fails_at_is_in_its_dead_letter_queue(stage: Stage) -> None:
    publish(stage, "poison")
    sqs = stage.client("sqs")
    url = stage.resource("AWS::SQS::Queue", "SeeFunctionDeadLetters")
    (letter,) = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages", []))
    told = json.loads(letter["Body"])
    assert "poison" in told["requestPayload"]["Records"][0]["Sns"]["Message"]
    assert told["requestContext"]["condition"] == "RetriesExhausted"


def test_a_message_that_a_function_names_as_failed_stays_in_its_queue(stage: Stage) -> None:
    send_message(stage, "poison")
    sqs, url = stage.client("sqs"), stage.outputs["OrdersQueue"]

    def hidden() -> bool:
        asked = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
        )
        waits = asked["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "1"
        is_it = KINDS["queue"][1]
        return waits and any(is_it(each, "poison") for each in events(stage))

    eventually(hidden)
