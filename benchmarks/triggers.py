"""What starts a job by itself, on the embedded cloud: sent -> the handler's first line."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from benchmarks import harness
from benchmarks.harness import Bench, Stamps, Watched
from benchmarks.report import Figures, Goal, Row, figures
from tests.clients import endpoint_of, root_client

APP: Final = """\
from devbridge import App, Bucket, Function, Job, OnObject, OnQueue, Queue
app = App("bench")
orders, many, files = Queue(app, "orders"), Queue(app, "many"), Bucket(app, "files")
bare, uploads = Queue(app, "bare"), Bucket(app, "uploads")
made = {"plain": OnQueue(orders), "all": OnQueue(many), "thumbs": OnObject(files)}
for name, trigger in made.items():
    Job(app, name, handler=f"jobs/{name}.handler", triggers=[trigger])
Function(
    app, "empty", handler="api/empty.handler", bind=[bare, uploads], enable_live_dev=False
)
"""
JOBS: Final = {
    "plain": "str(payload)",
    "all": "'all'",
    "thumbs": "payload['key']",
}
"""What each job's handler stamps its first line with."""
HANDLER: Final = """\
def handler(payload):
    now = time.time_ns()
    stamp({what}, now)
stamp("loaded", time.time_ns())
"""
EMPTY: Final = """\
import json
def handler(event, context):
    now = time.time_ns()
    for record in event["Records"]:
        stamp(record["s3"]["object"]["key"] if "s3" in record else json.loads(record["body"]), now)
"""
_WARM: Final = 3
"""Turns that are not counted."""
_CALLERS: Final = 8
_FUNCTION: Final = "bench_bench_empty-fn"


async def triggers(bench: Bench) -> list[Row]:
    """Warm: what reads a queue, and every function, has been called before."""
    app, rows = bench.scratch / "app", []
    with harness.stamps(bench) as stamps:
        files = {f"jobs/{name}.py": HANDLER.format(what=what) for name, what in JOBS.items()}
        files["api/empty.py"] = EMPTY
        harness.write(app, {name: stamps.source + text for name, text in files.items()})
        harness.write(app, {"app.py": APP})
        async with harness.dev(app) as dev:
            there = _There(endpoint_of(app), dev, stamps)
            there.connect_floors()
            count = bench.times(100, 3)
            rows.append(await _one("queue: message sent -> first line", there.send, there, count))
            rows.append(await _one("bucket: upload -> first line", there.put, there, count))
            rows += await _many(there, bench.times(1000, 30))
    return rows


class _There:
    """The stage, with what is sent to it."""

    def __init__(self, endpoint: str, dev: Watched, stamps: Stamps) -> None:
        self.dev = dev
        self.stamps = stamps
        self._sqs, self._s3 = root_client(endpoint, "sqs"), root_client(endpoint, "s3")
        self._functions = root_client(endpoint, "lambda")
        cloudformation = root_client(endpoint, "cloudformation")
        found = cloudformation.list_stack_resources(StackName="devbridge-bench--bench-")
        self._at = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in found["StackResourceSummaries"]
        }

    def connect_floors(self) -> None:
        """Have the embedded cloud itself call the empty function."""
        wanted = {"QueueUrl": self._at["BareQueue"], "AttributeNames": ["QueueArn"]}
        arn = self._sqs.get_queue_attributes(**wanted)["Attributes"]["QueueArn"]
        self._functions.create_event_source_mapping(EventSourceArn=arn, FunctionName=_FUNCTION)
        self._functions.add_permission(
            FunctionName=_FUNCTION,
            StatementId="uploads",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
        )
        function = self._functions.get_function(FunctionName=_FUNCTION)["Configuration"]
        told = {"LambdaFunctionArn": function["FunctionArn"], "Events": ["s3:ObjectCreated:*"]}
        self._s3.put_bucket_notification_configuration(
            Bucket=self._at["UploadsBucket"],
            NotificationConfiguration={"LambdaFunctionConfigurations": [told]},
        )

    def send(self, what: str, *, bare: bool) -> None:
        """A message."""
        url = self._at["BareQueue" if bare else "OrdersQueue"]
        self._sqs.send_message(QueueUrl=url, MessageBody=json.dumps(what))

    def put(self, what: str, *, bare: bool) -> None:
        """An object."""
        bucket = self._at["UploadsBucket" if bare else "FilesBucket"]
        self._s3.put_object(Bucket=bucket, Key=what, Body=b"")

    def send_many(self, count: int, *, bare: bool) -> None:
        """Messages, ten at a time."""
        url = self._at["BareQueue" if bare else "ManyQueue"]
        for start in range(0, count, 10):
            entries = [
                {"Id": str(number), "MessageBody": json.dumps("all")}
                for number in range(start, min(start + 10, count))
            ]
            self._sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def call_many(self, count: int) -> Callable[[], int]:
        """As many runs, by calls."""
        event = json.dumps({"devbridge": 1, "action": "run", "payload": "all"}).encode()

        def call(_: int) -> None:
            self._functions.invoke(FunctionName="bench_bench_all-invoker", Payload=event)

        with ThreadPoolExecutor(_CALLERS) as callers:
            list(callers.map(call, range(count)))
        return lambda: 0

    def left(self, *, bare: bool) -> int:
        """Messages that are not deleted in the end."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = {
            "QueueUrl": self._at["BareQueue" if bare else "ManyQueue"],
            "AttributeNames": names,
        }
        until = time.monotonic() + harness.DEADLINE
        while True:
            found = self._sqs.get_queue_attributes(**asked)["Attributes"].values()
            left = sum(map(int, found))
            if not left or time.monotonic() > until:
                return left
            time.sleep(0.02)


async def _one(measure: str, send: Callable[..., None], there: _There, count: int) -> Row:
    """One at a time, in turns with the floor."""
    ours: list[float] = []
    floor: list[float] = []
    for turn in range(count + _WARM):
        floor.append(await _took(send, there.stamps, f"{measure[0]}{turn}-bare", bare=True))
        there.stamps.forget("loaded")
        done = there.dev.expecting(b"Done ")
        ours.append(await _took(send, there.stamps, f"{measure[0]}{turn}", bare=False))
        await harness.soon(done)
        await there.stamps.next("loaded")
    what = measure.partition(":")[0]
    return Row(
        measure=measure,
        unit="ms",
        ours=figures(ours[_WARM:]),
        floor=figures(floor[_WARM:]),
        floor_is=f"the embedded cloud's own {what} -> an empty Lambda",
        goals=(Goal("ratio", "<=", 3),),
    )


async def _took(send: Callable[..., None], stamps: Stamps, what: str, *, bare: bool) -> float:
    """Milliseconds from before it is sent to the first line."""
    began = harness.now()
    await asyncio.to_thread(send, what, bare=bare)
    return (await stamps.next(what) - began) / 1e6


async def _many(there: _There, count: int) -> list[Row]:
    """All at once; and as many calls, which is what the runs themselves take."""
    ways = (_queued(there, bare=True), _queued(there, bare=False), there.call_many)
    for send in ways:
        await _all(there, 10, send)  # so that all are warm
    bare, queued, called = [await _all(there, count, send) for send in ways]
    measure = f"queue, {count:,} messages"
    return [
        Row(
            measure=f"{measure}: all are accepted after",
            unit="s",
            ours=Figures(queued.accepted),
            floor=Figures(bare.accepted),
            floor_is="the embedded cloud's own queue -> an empty Lambda",
            goals=(Goal("ratio", "<=", 3),),
        ),
        Row(
            measure=f"{measure}: all have run after",
            unit="s",
            ours=Figures(queued.run),
            floor=Figures(called.run),
            floor_is="as many calls of the stub, eight at a time",
            goals=(Goal("ratio", "<=", 1.5),),
        ),
        Row(
            measure=f"{measure}: lost, or run twice",
            unit="messages",
            ours=Figures(queued.left + there.stamps.left("all")),
            goals=(Goal("ours", "=", 0),),
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Took:
    """Seconds since the first was sent."""

    accepted: float
    run: float
    left: int
    """Messages that are in their queue in the end."""


Sends = Callable[[int], Callable[[], int]]
"""Sends so many; what it returns waits until they are accepted, and says how many are not."""


def _queued(there: _There, *, bare: bool) -> Sends:
    def send(count: int) -> Callable[[], int]:
        there.send_many(count, bare=bare)
        return functools.partial(there.left, bare=bare)

    return send


async def _all(there: _There, count: int, send: Sends) -> _Took:
    """
    Raises:
        TimeoutError: for too long none has run.
    """
    there.stamps.forget("all")
    began = time.monotonic()

    def accepted() -> tuple[float, int]:
        left = send(count)()
        return time.monotonic() - began, left

    sending = asyncio.create_task(asyncio.to_thread(accepted))
    for _ in range(count):
        await there.stamps.next("all")
    run = time.monotonic() - began
    after, left = await sending
    return _Took(after, run, left)
