"""Each type of trigger has a row, and the invoker is told of them."""

from __future__ import annotations

import json
import re
from typing import Any

from devbridge import constructs
from devbridge.constructs import App, OnEvent, OnQueue, OnTopic, Queue, Topic, Trigger
from devbridge.deploy.synth.triggers.known import ROWS
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.synth.triggers.test_queues import app, job, template
from tests.unit.deploy.templates import properties, resources

__all__ = ["app"]


def test_every_trigger_has_a_row() -> None:
    exported = {
        kind
        for name in constructs.__all__
        if isinstance(kind := getattr(constructs, name), type) and issubclass(kind, Trigger)
    }
    assert {row.trigger for row in ROWS} == exported - {Trigger}


def joined(value: dict[str, Any]) -> Any:
    """A text with references, each as the id that it names."""
    parts = value["Fn::Join"][1]
    return json.loads(
        "".join(
            part if isinstance(part, str) else part.get("Ref") or part["Fn::GetAtt"][0]
            for part in parts
        )
    )


def test_the_invoker_is_told_what_it_listens_to(app: App) -> None:
    own = Queue(app, "own", dead_letter=Queue(app, "dead"))
    job(
        app,
        OnQueue(Queue(app, "q"), batch=5, name="orders"),
        OnQueue(own),
        OnTopic(Topic(app, "t")),
        OnEvent({"source": ["s"]}),
    )
    variables = properties(template(app), "AJobInvoker")["Environment"]["Variables"]
    assert joined(variables["DEVBRIDGE_TRIGGERS"]) == {
        "dead": "AJobDeadLetters",
        "inbox": "AJobInbox",
        "sources": {
            "QQueue": {"name": "orders", "together": True},
            "OwnQueue": {"name": "own", "dead": "DeadQueue"},
            "TTopic": {"name": "t"},
        },
    }


def test_what_cannot_be_delivered_to_a_function_may_go_to_a_queue_of_the_app(
    calling: Triggered,
) -> None:
    found = calling(
        lambda to: [OnTopic(to.topic), OnEvent({"source": ["s"]}, name="sold")],
        lambda to: {"on_failure": to.queue},
    )
    assert "SeeFunctionDeadLetters" not in resources(found)
    policy = properties(found, "QQueuePolicy")["PolicyDocument"]["Statement"]
    admitted = {
        each["Principal"]["Service"]: each["Condition"]["ArnEquals"]["aws:SourceArn"]
        for each in policy
        if each["Effect"] == "Allow"
    }
    assert admitted == {
        "events.amazonaws.com": [{"Fn::GetAtt": ["SeeFunctionOnEventSold", "Arn"]}],
        "sns.amazonaws.com": [{"Ref": "TTopic"}],
    }


def test_a_function_without_triggers_has_nothing_of_them(calling: Triggered) -> None:
    assert not [title for title in resources(calling()) if re.match("SeeFunction[DOST]", title)]
