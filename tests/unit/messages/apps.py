"""An app with a trigger of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devbridge.constructs import (
    App,
    Bucket,
    Job,
    OnEvent,
    OnObject,
    OnQueue,
    OnTopic,
    Queue,
    Schedule,
    Topic,
    Trigger,
)
from devbridge.constructs.app import loading


def _job(app: App, name: str, *triggers: Trigger, **options: Any) -> Job:
    return Job(app, name, handler="jobs/work.handler", triggers=list(triggers), **options)


def shop(root: Path) -> App:
    """Job `orders` with a queue that has its own dead letters, `thumbs` with all others, and two
    that share one dead-letter queue."""
    (root / "jobs").mkdir()
    (root / "jobs" / "work.py").write_text("def handler(payload): ...\n")
    with loading(root):
        app = App("shop")
    bad = Queue(app, "bad-orders")
    shared = Queue(app, "failed")
    _job(
        app, "orders", OnQueue(Queue(app, "incoming", dead_letter=bad)), OnTopic(Topic(app, "news"))
    )
    _job(
        app,
        "thumbs",
        OnObject(Bucket(app, "files"), prefix="in/", suffix=".jpg"),
        OnTopic(
            Topic(app, "tasks"), filter={"kind": ["thumbs", "all"], "size": [{"numeric": [">", 3]}]}
        ),
        OnEvent({"source": ["shop"], "detail": {"state": ["paid"]}}, name="paid"),
        OnEvent({"source": ["aws.autoscaling"], "region": ["us-west-2"]}, name="scaled"),
    )
    _job(app, "one", OnQueue(Queue(app, "first")), on_failure=shared)
    _job(app, "two", OnTopic(Topic(app, "second")), on_failure=shared)
    fifo = Queue(app, "late", fifo=True)
    _job(app, "three", OnQueue(Queue(app, "in-order", fifo=True, dead_letter=fifo)))
    Queue(app, "alone")
    _job(app, "nightly", Schedule("rate(2 hours)", payload={"full": True}, name="often"))
    _job(app, "called")
    return app


def named(app: App, name: str) -> Job:
    return next(each for each in app.of_type(Job) if each.name == name)


def trigger(app: App, job_name: str, label: str) -> Trigger:
    return next(each for each in named(app, job_name).triggers if each.label == label)
