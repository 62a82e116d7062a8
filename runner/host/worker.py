"""``python3 runner run`` of a task that never stops: it reads a queue, and runs each message.

A message is a run, and deleted when that has succeeded. One that fails comes again after the job's
delay, as often as the queue's redrive policy says; each delivery is a run of its own, with one
attempt. SIGTERM lets what was received be run to its end, as far as there is time, for that was one
of its deliveries; what is not ended in time goes back to its queue at once.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from types import FrameType
from typing import Any

from runner import aws, process
from runner.attempt import Inbox, Output
from runner.host.container import ContainerHost
from runner.host.deliveries import (
    DONE,
    Delivery,
    come_again,
    deliveries,
    settings_of,
    taken,
)
from runner.host.hops import beside, run_here
from runner.host.lines import Lines
from runner.host.settings import Settings
from runner.host.told import Told
from runner.outcome import CANCELLED, STARTING, retry_delay

QUEUE = "DEVBRIDGE_WORKER"
"""The variable with the ARN of the queue that it reads."""
BATCH = "DEVBRIDGE_WORKER_BATCH"
"""The variable that says how many messages are one run at most."""
WAIT = 20
"""Seconds that one look at the queue waits for a message: the most that SQS does."""
PROTECTED_AFTER = 30.0
"""Seconds after which a run is one that takes long: ECS is told not to end its task."""
_PROTECTED_FOR = 150
"""Minutes that ECS keeps to it, should nobody say anything else: more than a run may take."""
_LOOK = 0.5
"""Seconds between two looks at whether a run is to stop."""
_PATIENCE = 0.9
"""The part of the time to stop that a run has to end by itself; the rest is that of its process
between SIGTERM and SIGKILL."""
_PAUSES = (1.0, 5.0, 15.0, 60.0)
"""Seconds to wait where the queue cannot be read, the more often the longer."""
_AGENT = "ECS_AGENT_URI"
_pause = time.sleep


class Stop:
    """Whether this process is to stop."""

    def __init__(self) -> None:
        self.asked_at: float | None = None
        """Since when, as `time.monotonic` has it."""

    def listen(self) -> None:
        """Take SIGTERM from now on. In the main thread only."""
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked_at = self.asked_at or time.monotonic()


class WorkerHost(ContainerHost):
    """The container, for one delivery of a message."""

    interruptible = False

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], one: Delivery, stop: Stop
    ) -> None:
        super().__init__(settings, environment)
        self._first = Told(STARTING, attempt=one.read.delivery)
        self._stop = stop
        self._patience = _PATIENCE * self.grace
        self.grace -= self._patience

    def claim(self) -> bool:
        """Make the delivery this one's; False if it has been before.

        Raises:
            AwsError: that cannot be known.
        """
        try:
            self._store.tell(self._first, {"if-none-match": "*"})
        except aws.Conflict:
            return False
        return True

    def watched(self, inbox: Inbox) -> AbstractContextManager[None]:
        """See `WatchedHost`: when it was cancelled, or this process has no more time. While it
        takes long, ECS is told not to end the task."""
        return beside(self._watch, inbox)

    def _watch(self, inbox: Inbox, over: threading.Event) -> None:
        protect_at, protected, looked = time.monotonic() + PROTECTED_AFTER, False, False
        while not over.wait(_LOOK):
            now, asked = time.monotonic(), self._stop.asked_at
            if not protected and now >= protect_at:
                protected = True
                protect(True)
            if asked is None or inbox.terminated:
                continue
            if not looked:
                with suppress(aws.AwsError, OSError):
                    looked, _ = True, self._is_cancelled()
            if self.cancelled or now >= asked + self._patience:
                inbox.terminated = True
                inbox.put(None, 0)  # so it is seen at once
        if protected:
            protect(False)


def main() -> int:
    """Read the queue until this process is to stop; its exit code."""
    stop, output = Stop(), Output()
    stop.listen()
    process.adopt_orphans()
    queue, most = os.environ[QUEUE], int(os.environ.get(BATCH) or 1)
    lines = Lines(output, "")
    lines.note(f"a worker reads {queue.rpartition(':')[2]}")
    failed = 0
    while stop.asked_at is None:
        try:
            found = aws.receive_messages(queue, most, WAIT)
            failed = 0
        except (aws.AwsError, OSError) as error:
            lines.warn(f"the queue cannot be read: {error}")
            _pause(_PAUSES[min(failed, len(_PAUSES) - 1)])
            failed += 1
            continue
        if found:
            for one in deliveries([record_of(each, queue) for each in found]):
                work(one, stop, output)
    lines.note("the worker has stopped")
    return 0


def work(one: Delivery, stop: Stop, output: Output) -> None:
    """Run a delivery, and have its messages deleted, or come again."""
    settings, environment = settings_of(one.read)
    lines = Lines(output, settings.run_id)
    try:
        delay = _run(one, settings, environment, stop, lines)
    except aws.AwsError as error:
        lines.warn(f"its message comes again: {error}")
        return
    if delay is not None:
        come_again(one, lines, delay)
        return
    for record in one.records:
        try:
            aws.delete_message(os.environ[QUEUE], record["receiptHandle"])
        except aws.AwsError as error:
            lines.warn(f"its message is not deleted, and may come again: {error}")


def _run(
    one: Delivery,
    settings: Settings,
    environment: Mapping[str, str],
    stop: Stop,
    lines: Lines,
) -> int | None:
    """Run it; after how many seconds it is to come again, or None: it is done with.

    Raises:
        AwsError: it cannot be known, or told, what becomes of it.
    """
    host = WorkerHost(settings, environment, one, stop)
    if (done := taken(one, settings, host, host.arn, lines)) is not None:
        return None if done else 0
    end, run = run_here(settings, host, Inbox(), lines, environment)
    if end.state == CANCELLED and not host.cancelled:
        return 0  # this process had no more time
    if end.state in DONE or run.given_up:
        return None
    return round(retry_delay(settings.retry_delay, one.read.delivery))


def record_of(message: Mapping[str, Any], queue: str) -> dict[str, Any]:
    """A message as SQS answers it, as Lambda would hand it over. Pure.

    Args:
        queue: the ARN of its queue.
    """
    attributes = {
        name: {key[0].lower() + key[1:]: value for key, value in given.items()}
        for name, given in (message.get("MessageAttributes") or {}).items()
    }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message.get("Body", ""),
        "attributes": dict(message.get("Attributes") or {}),
        "messageAttributes": attributes,
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": queue.split(":")[3],
    }


def protect(enabled: bool) -> None:
    """Tell ECS whether it may end this task where it scales or deploys: "Amazon ECS task scale-in
    protection". Where there is no ECS, or it does not listen, nothing is told."""
    if not (agent := os.environ.get(_AGENT)):
        return
    asked: dict[str, Any] = {"ProtectionEnabled": enabled}
    if enabled:
        asked["ExpiresInMinutes"] = _PROTECTED_FOR
    request = urllib.request.Request(  # noqa: S310
        f"{agent}/task-protection/v1/state",
        json.dumps(asked).encode(),
        {"content-type": "application/json"},
        method="PUT",
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError), opener.open(request, timeout=10) as response:
        response.read()
