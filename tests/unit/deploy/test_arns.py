from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Queue, Topic
from devbridge.constructs.app import loading
from devbridge.deploy.arns import main_arn

ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda reference: reference.to_dict()))


@pytest.mark.parametrize(
    ("more", "queue", "topic", "there"),
    [
        ("", {"Fn::GetAtt": ["XQueue", "Arn"]}, {"Ref": "XTopic"}, ARN),
        ("/*", {"Fn::Sub": "${XQueue.Arn}/*"}, {"Fn::Sub": "${XTopic}/*"}, f"{ARN}/*"),
    ],
)
def test_an_arn_is_a_reference_or_of_what_exists_a_text(
    more: str, queue: Any, topic: Any, there: str, root: Path
) -> None:
    with loading(root):
        app = App("demo")
    assert plain(main_arn(Queue(app, "x"), more)) == queue
    assert plain(main_arn(Topic(app, "x"), more)) == topic
    assert main_arn(Queue.existing(app, "y", arn=ARN), more) == there
