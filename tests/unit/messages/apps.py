"""Apps with triggers of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devbridge.constructs import (
    Api,
    App,
    Bucket,
    Function,
    Job,
    LoadBalancer,
    OnEvent,
    OnLoadBalancer,
    OnLog,
    OnObject,
    OnQueue,
    OnRequest,
    OnStream,
    OnTable,
    OnTopic,
    Queue,
    Schedule,
    Stream,
    Table,
    Topic,
    Trigger,
    Vpc,
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


def others(root: Path) -> App:
    """Job `seen` with triggers whose records wait in no queue."""
    for folder, name in (("jobs", "work"), ("api", "speak")):
        (root / folder).mkdir()
        (root / folder / f"{name}.py").write_text("def handler(payload): ...\n")
    with loading(root):
        app = App("shop")
    speak = Function(app, "speak", handler="api/speak.handler")
    old = Job(app, "old", handler="jobs/work.handler")
    subnets = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    vpc = Vpc("vpc-0123456789abcdef0", subnets, ["sg-0123456789abcdef0"])
    api, front = Api(app, "web"), LoadBalancer(app, "front", vpc=vpc)
    stream, notes = Stream(app, "clicks"), Table(app, "notes", partition_key="id", sort_key="at")
    images = {"Keys": {"at": {"S": ["now"]}}, "NewImage": {"n": {"N": ["5"]}}}
    _job(
        app,
        "seen",
        OnStream(stream, filter={"data": {"kind": ["click"]}}),
        OnStream(stream, name="together", batch=5),
        OnTable(notes, where=["REMOVE", "INSERT"], filter={"dynamodb": images}),
        OnTable(notes, name="changed", where=["MODIFY"]),
        OnLog(speak, "ERROR"),
        OnLog(old, '{ $.level = "error" }'),
        OnRequest(api, "ANY /see/{what}", name="asked"),
        OnRequest(api, "GET /look", name="looked"),
        OnLoadBalancer(
            front, ["/img/*"], methods=["PUT"], headers={"x-kind": ["a*"]}, hosts=["*.example.com"]
        ),
    )
    return app


def named(app: App, name: str) -> Job:
    return next(each for each in app.of_type(Job) if each.name == name)


def trigger(app: App, job_name: str, label: str) -> Trigger:
    return next(each for each in named(app, job_name).triggers if each.label == label)
