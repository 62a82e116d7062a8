"""A message is sent back to what is the stage's own, whatever it names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge.constructs import App, Function, Job, OnLog, OnQueue, Queue
from devbridge.constructs.app import loading
from devbridge.messages.letters import Letter, letter
from devbridge.messages.mover import NoWayBack
from devbridge.messages.own import Own
from tests.unit.aws import ACCOUNT, REGION
from tests.unit.messages.fakes import url

OTHER = "999999999999"
THERE = f"arn:aws:sqs:us-east-1:{OTHER}:orders"
RESOURCES = {
    "HereQueue": url("shop-here"),
    "WorkJobInbox": "http://sqs.localhost:4566/" + f"{ACCOUNT}/shop-inbox",
    "WorkJobInvoker": "shop_ann_work",
    "WorkJobFunction": "shop_ann_work-function",
    "SpeakFunction": "shop_ann_speak",
}


@pytest.fixture
def own(tmp_path: Path) -> Own:
    (tmp_path / "work.py").write_text("def handler(payload): ...\n")
    with loading(tmp_path):
        app = App("shop")
        there = Queue.existing(app, "orders", arn=THERE)
        speak = Function(app, "speak", handler="work.handler")
        triggers = [OnQueue(there), OnQueue(Queue(app, "here")), OnLog(speak, "E")]
        Job(app, "work", handler="work.handler", triggers=triggers)
    return Own(app, RESOURCES, ACCOUNT, REGION)


def of(source: str) -> Letter:
    text = {"DataType": "String", "StringValue": json.dumps({"run": "r", "source": source})}
    attributes = {"devbridge": text}
    return letter(
        {"MessageId": "m", "ReceiptHandle": "r", "Body": "{}", "MessageAttributes": attributes}
    )


@pytest.mark.parametrize(
    "source",
    [
        "",
        THERE,
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:shop-here",
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:shop-inbox",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop_ann_work",
    ],
)
def test_what_the_stage_has_and_what_the_app_names_is_let_through(own: Own, source: str) -> None:
    own.check(of(source))


@pytest.mark.parametrize(
    "source",
    [
        f"arn:aws:sqs:{REGION}:{OTHER}:shop-here",
        f"arn:aws:sqs:eu-west-3:{ACCOUNT}:shop-here",
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:shop",
        f"arn:aws:sqs:{REGION}:{OTHER}:orders",
        f"arn:aws:sns:{REGION}:{ACCOUNT}:shop-here",
        "sqs",
        "arn:aws:sqs",
    ],
)
def test_a_queue_that_is_another_has_nothing_sent_to_it(own: Own, source: str) -> None:
    with pytest.raises(NoWayBack, match="names a queue that is not this stage's"):
        own.check(of(source))


@pytest.mark.parametrize(
    "source",
    [
        f"arn:aws:lambda:{REGION}:{OTHER}:function:not-ours",
        f"arn:aws:lambda:{REGION}:{OTHER}:function:shop_ann_work",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop_ann_speak",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop_ann_work-function",
        "arn:aws:lambda",
    ],
)
def test_a_function_that_is_no_invoker_of_the_stages_is_not_called(own: Own, source: str) -> None:
    with pytest.raises(NoWayBack, match="names a function that is not this stage's"):
        own.check(of(source))


def test_so_it_is_of_what_lambda_seems_to_tell(own: Own) -> None:
    body = {
        "requestContext": {"functionArn": f"arn:aws:lambda:{REGION}:{OTHER}:function:not-ours"},
        "KinesisBatchInfo": {
            "streamArn": f"arn:aws:kinesis:{REGION}:{OTHER}:stream/s",
            "shardId": "s",
            "startSequenceNumber": "1",
            "endSequenceNumber": "1",
            "batchSize": 1,
        },
    }
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": json.dumps(body)}
    with pytest.raises(NoWayBack, match="names a function that is not this stage's"):
        own.check(letter(message))
