"""Each type of trigger has a row, and the invoker is told of them."""

from __future__ import annotations

import json
from typing import Any

from devbridge import constructs
from devbridge.constructs import App, OnEvent, OnQueue, OnTopic, Queue, Topic, Trigger
from devbridge.deploy.synth.triggers.known import ROWS
from tests.unit.deploy.synth.triggers.test_queues import app, job, template
from tests.unit.deploy.templates import properties

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
