"""A task that reads its queue for ever: what becomes of each message. That it runs them, and stops
when it is told to, the integration tests show."""

from __future__ import annotations

import io
import json
import threading
import time
import urllib.request
from types import SimpleNamespace
from typing import Any

import pytest

from runner import aws, process
from runner.attempt import Inbox
from runner.host import container, worker
from runner.host import told as tale
from runner.host.settings import Settings
from runner.host.told import Told
from runner.host.worker import Stop, WorkerHost, record_of
from runner.outcome import CANCELLED, FAILED, SUCCEEDED, End
from tests.unit.runner.host.test_deliveries import ENVIRONMENT, Cloud

QUEUE = "arn:aws:sqs:eu-west-1:1:orders"


class Reading(Cloud):
    """The same with a queue, which is empty when all of it was received: then the worker stops."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.waiting: list[Any] = []
        self.deleted: list[str] = []
        self.cancelled = True
        self.stop = Stop()
        monkeypatch.setenv(worker.QUEUE, QUEUE)
        known = {"dead": "arn:dead", "sources": {QUEUE: {"held": True, "name": "orders"}}}
        monkeypatch.setenv("DEVBRIDGE_TRIGGERS", json.dumps(known))
        monkeypatch.setenv("DEVBRIDGE_COMPUTE", "fargate")
        monkeypatch.setattr(aws, "receive_messages", self.receive)
        monkeypatch.setattr(aws, "delete_message", lambda _, receipt: self.deleted.append(receipt))
        monkeypatch.setattr(worker, "run_here", self.run)
        monkeypatch.setattr(worker, "Stop", lambda: self.stop)
        monkeypatch.setattr(self.stop, "listen", lambda: None)
        monkeypatch.setattr(worker, "_pause", lambda _: None)
        monkeypatch.setattr(process, "adopt_orphans", lambda: None)

    def receive(self, queue: str, most: int, wait: int) -> list[Any]:
        assert (queue, most, wait) == (QUEUE, 1, 20)
        if not self.waiting:
            self.stop.asked_at = time.monotonic()
            return []
        found = self.waiting.pop(0)
        if isinstance(found, Exception):
            raise found
        return [found]

    def hide(self, queue: str, receipt: str, seconds: int) -> None:
        assert queue == QUEUE
        self.hidden.append((receipt, seconds))

    def run(self, settings: Any, host: Any, *_: Any) -> tuple[End, Any]:
        self.ran.append(settings.run_id)
        state = self.ends.pop(0) if self.ends else SUCCEEDED
        told = Told(state, attempt=host.earlier().attempt)
        host.cancelled = state == CANCELLED and self.cancelled
        self.objects[settings.places.told(settings.uuid)] = tale.text(told)
        return End(state), SimpleNamespace(given_up=self.given_up)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Reading:
    return Reading(monkeypatch)


def message(name: str, count: int = 1) -> dict[str, Any]:
    return {
        "MessageId": name,
        "ReceiptHandle": f"receipt of {name}",
        "Body": "1",
        "Attributes": {"ApproximateReceiveCount": str(count)},
    }


def test_each_message_runs_and_is_deleted_when_its_run_has_succeeded(cloud: Reading) -> None:
    cloud.waiting = [message("a"), message("b")]
    assert worker.main() == 0
    assert cloud.deleted == ["receipt of a", "receipt of b"]
    assert (len(cloud.ran), cloud.hidden) == (2, [])


@pytest.mark.parametrize(("count", "seconds"), [(1, 10), (2, 20), (3, 40)])
def test_one_that_fails_comes_again_after_the_jobs_delay(
    cloud: Reading, count: int, seconds: int
) -> None:
    cloud.waiting, cloud.ends = [message("a", count)], [FAILED]
    worker.main()
    assert (cloud.deleted, cloud.hidden) == ([], [("receipt of a", seconds)])


def test_ecs_is_asked_once_where_it_is_and_again_only_if_it_did_not_say(
    cloud: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    container._metadata.cache_clear()
    told: list[OSError | bytes] = [
        OSError("not yet"),
        b'{"Labels": {"com.amazonaws.ecs.task-arn": "arn:task"}}',
    ]
    asked: list[str] = []

    def open_(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        found = told.pop(0)
        if isinstance(found, OSError):
            raise found
        return io.BytesIO(found)

    opener = SimpleNamespace(open=open_)
    monkeypatch.setattr(urllib.request, "build_opener", lambda *_: opener)
    monkeypatch.setenv(container.METADATA, "http://169.254.170.2/v4/a")
    cloud.waiting = [message("a"), message("b"), message("c")]
    worker.main()
    assert len(cloud.ran) == 3
    assert asked == ["http://169.254.170.2/v4/a"] * 2


def test_one_that_was_given_up_or_cancelled_does_not_come_again(cloud: Reading) -> None:
    cloud.waiting, cloud.ends = [message("a"), message("b")], [CANCELLED, FAILED]
    cloud.given_up = True
    worker.main()
    assert cloud.deleted == ["receipt of a", "receipt of b"]


def test_one_that_this_process_had_no_time_for_comes_again_at_once(cloud: Reading) -> None:
    cloud.waiting, cloud.ends, cloud.cancelled = [message("a")], [CANCELLED], False
    worker.main()
    assert (cloud.deleted, cloud.hidden) == ([], [("receipt of a", 0)])


def test_the_same_delivery_runs_once(cloud: Reading) -> None:
    cloud.waiting, cloud.ends = [message("a"), message("a"), message("b"), message("b")], []
    cloud.ends = [SUCCEEDED, FAILED]
    worker.main()
    assert len(cloud.ran) == 2
    assert cloud.deleted == ["receipt of a", "receipt of a"]
    assert cloud.hidden == [("receipt of b", 10), ("receipt of b", 0)]


def test_a_queue_that_cannot_be_read_is_said_and_read_again(
    cloud: Reading, capfd: pytest.CaptureFixture[str]
) -> None:
    cloud.waiting = [aws.AwsError("no such queue"), OSError("no net"), message("a")]
    worker.main()
    said = capfd.readouterr().out
    assert "the queue cannot be read: no such queue" in said
    assert "the queue cannot be read: no net" in said
    assert cloud.deleted == ["receipt of a"]


def test_without_the_stores_word_a_message_stays_hidden_and_comes_again(
    cloud: Reading, capfd: pytest.CaptureFixture[str]
) -> None:
    cloud.waiting, cloud.broken = [message("a")], True
    worker.main()
    assert (cloud.ran, cloud.deleted, cloud.hidden) == ([], [], [])
    assert "its message comes again: no S3" in capfd.readouterr().out


def test_a_message_is_the_record_that_lambda_would_hand_over() -> None:
    given = {"StringValue": "x", "DataType": "String"}
    found = record_of({**message("a"), "MessageAttributes": {"k": given}}, QUEUE)
    assert found["messageAttributes"] == {"k": {"stringValue": "x", "dataType": "String"}}
    assert (found["eventSourceARN"], found["awsRegion"]) == (QUEUE, "eu-west-1")
    assert (found["messageId"], found["body"]) == ("a", "1")


def watched(monkeypatch: pytest.MonkeyPatch, stop: Stop, *, ended: bool = False) -> WorkerHost:
    monkeypatch.setattr(worker, "_LOOK", 0.001)
    monkeypatch.setattr(aws, "find_object", lambda *_: (b"", "e") if ended else None)
    one: Any = SimpleNamespace(read=SimpleNamespace(delivery=1))
    settings = Settings.read({**ENVIRONMENT, "DEVBRIDGE_RUN_ID": "a:b"})
    return WorkerHost(settings, {}, one, stop)


@pytest.mark.parametrize("ended", [False, True])
def test_a_run_is_stopped_when_it_was_cancelled_or_there_is_no_more_time(
    monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    stop, inbox = Stop(), Inbox()
    host = watched(monkeypatch, stop, ended=ended)
    with host.watched(inbox):
        stop.asked_at = time.monotonic() - (0 if ended else 1000)
        assert inbox.pause(30) is False
    assert host.cancelled is ended


def test_a_run_that_takes_long_is_protected_until_it_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[bool] = []
    called = threading.Event()

    def protect(enabled: bool) -> None:
        told.append(enabled)
        called.set()

    monkeypatch.setattr(worker, "protect", protect)
    monkeypatch.setattr(worker, "PROTECTED_AFTER", 0.0)
    with watched(monkeypatch, Stop()).watched(Inbox()):
        assert called.wait(30)
    assert told == [True, False]


def test_without_ecs_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECS_AGENT_URI", raising=False)
    worker.protect(True)


def test_ecs_is_told_for_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    asked: list[Any] = []

    class Agent(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            asked.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Agent) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setenv("ECS_AGENT_URI", f"http://127.0.0.1:{server.server_port}/api/x")
        worker.protect(True)
        thread.join(30)
    path = "/api/x/task-protection/v1/state"
    assert asked == [(path, {"ProtectionEnabled": True, "ExpiresInMinutes": 150})]
    worker.protect(False)  # nobody listens, and that is no error
