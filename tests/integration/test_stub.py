"""The stub's handler against real brokers and a daemon that follows a script."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devbridge.protocol import codec
from devbridge.protocol.messages import (
    Accepted,
    Cancel,
    Cancelled,
    Presence,
    Rejected,
    Reply,
    Request,
    Run,
    StatusReply,
    Topics,
)
from devbridge.protocol.session import DaemonSession, Deliver, frames
from devbridge.transport import mqtt_sync
from devbridge.transport.base import Delivery, Endpoint, Will
from devbridge.transport.mqtt import MqttTransport
from devbridge.transport.pacer import Pacer
from runner.places import Places
from stub_lambda import bridge, deployed, handler
from tests.integration.brokers import (
    HOST,
    Broker,
    Proxy,
)
from tests.unit.codebuild import PROJECT, FakeCodeBuild
from tests.unit.runs.clouds import S3

Script = Callable[[Request], Reply | None]


class Context:
    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self.invoked_function_arn = ""

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


class Daemon:
    """A daemon in a thread: it announces itself, receives requests, and answers by a script."""

    def __init__(self, port: int, app: str, script: Script | None = None) -> None:
        self.topics = Topics(app, "dev")
        self.requests: list[Request] = []
        self.script = script or accept
        self._arrived = threading.Condition()
        self._session = DaemonSession()
        self._transport = MqttTransport(
            Endpoint(HOST, "us-east-1", ("127.0.0.1", port)),
            self.topics.daemon_client_id,
            lambda: None,
            clean=False,
            session_expiry=3600,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def start(self) -> Daemon:
        self._call(self._start())
        return self

    def stop(self, *, goodbye: bool = True) -> None:
        """Go away; with `goodbye`, after having said so."""
        self._call(self._stop(goodbye))

    def wait(self, count: int) -> list[Request]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= count, 20)
        return self.requests

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def _presence(self, online: bool) -> bytes:
        presence = Presence(
            online=online,
            daemon_id=codec.new_id(),
            host="laptop",
            user="ann",
            pid=1,
            since=time.time(),
            session_expiry=3600,
        )
        (frame,) = frames(presence)
        return frame

    async def _start(self) -> None:
        await self._transport.connect(
            subscriptions=[self.topics.requests],
            on_delivery=self._receive,
            will=Will(self.topics.presence, self._presence(online=False)),
        )
        self._transport.publish(self.topics.presence, self._presence(online=True), retain=True)
        await self._transport.drain()

    async def _stop(self, goodbye: bool) -> None:
        if goodbye:
            offline = self._presence(online=False)
            self._transport.publish(self.topics.presence, offline, retain=True)
            await self._transport.drain()
        await self._transport.close()

    def _receive(self, delivery: Delivery) -> None:
        for effect in self._session.receive(delivery.payload, delivery, time.time()):
            for token in effect.tokens:
                assert isinstance(token, Delivery)
                self._transport.ack(token)
            if isinstance(effect, Deliver):
                with self._arrived:
                    self.requests.append(effect.message)
                    self._arrived.notify_all()
                reply = self.script(effect.message)
                if reply is not None:
                    for frame in frames(reply):
                        self._transport.publish(self.topics.replies(effect.message.stub_id), frame)


def accept(request: Request) -> Reply:
    if isinstance(request, Run):
        return Accepted(request_id=request.request_id, job_id=request.job_id, state="STARTING")
    if isinstance(request, Cancel):
        return Cancelled(
            request_id=request.request_id, job_id=request.job_id, state="RUNNING", was="RUNNING"
        )
    return StatusReply(
        request_id=request.request_id,
        job_id=request.job_id,
        job="factorial",
        state="SUCCEEDED",
        attempt=1,
        max_attempts=2,
        result=b'{"n": "\xf0\x9f\x99\x82"}',
    )


@pytest.fixture
def app() -> str:
    return f"app-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def daemon(broker: Broker, app: str) -> Iterator[Daemon]:
    started = Daemon(broker.port, app).start()
    yield started
    started.close()


@pytest.fixture(autouse=True)
def environment(
    proxy: Proxy, app: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    for name, value in {
        "DEVBRIDGE_APP": app,
        "DEVBRIDGE_STAGE": "dev",
        "DEVBRIDGE_JOB": "factorial",
        "DEVBRIDGE_IOT_ENDPOINT": HOST,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
    }.items():
        monkeypatch.setenv(name, value)
    yield monkeypatch
    if handler._bridge is not None:
        handler._bridge.close()
        handler._bridge = None


def run(payload: object = None, **extra: object) -> dict[str, Any]:
    event = {"devbridge": 1, "action": "run", "payload": payload, **extra}
    answer: dict[str, Any] = handler.handler(event, Context())
    return answer


def test_a_run_is_accepted(daemon: Daemon) -> None:
    answer = run({"num": 5})
    (request,) = daemon.requests
    assert isinstance(request, Run)
    assert (request.job, request.payload) == ("factorial", b'{"num":5}')
    assert answer == {"jobId": request.job_id, "state": "STARTING", "duplicate": False}


@pytest.mark.parametrize("value", [0, False, "", None, [], {}, "\u2028", "漢" * 50_000, "\ud800"])
def test_a_payload_arrives_as_it_was(value: object, daemon: Daemon) -> None:
    run(value)
    (request,) = daemon.requests
    assert isinstance(request, Run)
    assert codec.load_json(request.payload) == value


def test_a_payload_of_6_mb_arrives(daemon: Daemon) -> None:
    value = "ab" * (3 * 1024 * 1024 - 2)
    run(value)
    (request,) = daemon.requests
    assert isinstance(request, Run)
    assert codec.load_json(request.payload) == value


def test_a_payload_of_many_frames_arrives(daemon: Daemon, broker: Broker) -> None:
    if broker.name == "mosquitto":
        pytest.skip("mosquitto 2.0.11's WebSocket listener stalls in the middle of megabytes")
    value = random.Random(1).randbytes(2_000_000).hex()  # noqa: S311
    assert run(value)["state"] == "STARTING"
    (request,) = daemon.requests
    assert isinstance(request, Run)
    assert codec.load_json(request.payload) == value


def test_a_payload_that_is_too_large_is_refused(daemon: Daemon) -> None:
    answer = run("x" * codec.MAX_BODY)
    assert answer["error"]["code"] == "PayloadTooLarge"
    assert daemon.requests == []


def test_the_same_key_is_the_same_job(daemon: Daemon) -> None:
    first, second = run(idempotencyKey="k"), run(idempotencyKey="k")
    other = run(idempotencyKey="other")
    assert first["jobId"] == second["jobId"] != other["jobId"]
    requests = daemon.requests
    assert len({request.request_id for request in requests}) == 3


def test_a_job_can_be_cancelled_and_asked_for(daemon: Daemon) -> None:
    job_id = codec.new_id()
    ask = {"devbridge": 1, "jobId": job_id}
    assert handler.handler({**ask, "action": "cancel"}, Context()) == {
        "jobId": job_id,
        "state": "RUNNING",
        "was": "RUNNING",
    }
    assert handler.handler({**ask, "action": "status"}, Context()) == {
        "jobId": job_id,
        "job": "factorial",
        "state": "SUCCEEDED",
        "attempt": 1,
        "maxAttempts": 2,
        "result": {"n": "🙂"},
    }


def test_a_rejection_is_an_error(daemon: Daemon) -> None:
    daemon.script = lambda request: Rejected(
        request_id=request.request_id, code="UnknownJob", message="no job of that name"
    )
    assert run() == {"error": {"code": "UnknownJob", "message": "no job of that name"}}


def test_the_connection_is_kept_between_invocations(daemon: Daemon, proxy: Proxy) -> None:
    for _ in range(5):
        assert run()["state"] == "STARTING"
    assert proxy.connections == 1


def test_a_connection_that_was_cut_while_frozen_is_made_again(daemon: Daemon, proxy: Proxy) -> None:
    run()
    proxy.cut()
    assert run()["state"] == "STARTING"
    assert proxy.connections == 2
    assert len(daemon.requests) == 2


def test_a_connection_that_died_without_a_sign_is_made_again(
    daemon: Daemon, proxy: Proxy, environment: pytest.MonkeyPatch
) -> None:
    environment.setattr(bridge, "_DEAD", 0.3)
    run()
    proxy.stall()
    assert run()["state"] == "STARTING"
    assert proxy.connections == 2
    assert len(daemon.requests) == 2


def test_a_request_that_is_not_answered_is_sent_once_more(
    daemon: Daemon, environment: pytest.MonkeyPatch
) -> None:
    environment.setattr(bridge, "_AGAIN", 0.2)
    daemon.script = lambda request: accept(request) if len(daemon.requests) > 1 else None
    assert run()["state"] == "STARTING"
    first, second = daemon.requests
    assert first == second


def test_without_any_daemon_nothing_is_promised(environment: pytest.MonkeyPatch) -> None:
    environment.setattr(bridge, "_PRESENCE", 0.2)
    answer = run()
    assert answer["error"]["code"] == "NoDaemon"
    assert "start `devbridge dev`" in answer["error"]["message"]


@pytest.mark.parametrize("warm", [False, True])
def test_a_run_is_queued_while_the_daemon_is_offline_and_arrives_later(
    daemon: Daemon, warm: bool
) -> None:
    if warm:
        run()
    daemon.stop()
    daemon.requests.clear()
    answer = run({"num": 1})
    assert answer["state"] == "QUEUED"
    daemon.start()
    (request,) = daemon.wait(1)
    assert isinstance(request, Run)
    assert request.job_id == answer["jobId"]


def test_what_is_queued_is_not_waited_for(daemon: Daemon, environment: pytest.MonkeyPatch) -> None:
    daemon.stop()
    environment.setattr(bridge, "_AGAIN", 1e9)
    environment.setattr(handler, "_WAIT", 1e6)  # it would wait for ever, if it did
    assert run()["state"] == "QUEUED"


def test_the_error_policy_names_who_is_missing_and_leaves_nothing_behind(
    daemon: Daemon, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DEVBRIDGE_OFFLINE", "error")
    daemon.stop()
    answer = run()
    assert answer["error"]["code"] == "Offline"
    assert "ann@laptop" in answer["error"]["message"]
    daemon.start()
    assert run()["state"] == "STARTING"
    assert len(daemon.requests) == 1


def test_the_cloud_policy_needs_a_deployed_job(
    daemon: Daemon, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DEVBRIDGE_OFFLINE", "cloud")
    daemon.stop()
    assert run()["error"]["code"] == "NotDeployed"


def test_a_status_is_not_queued(daemon: Daemon) -> None:
    daemon.stop()
    event = {"devbridge": 1, "action": "status", "jobId": codec.new_id()}
    assert handler.handler(event, Context())["error"]["code"] == "Offline"


def test_a_daemon_that_does_not_answer_leaves_the_run_queued_in_the_broker(
    daemon: Daemon, environment: pytest.MonkeyPatch
) -> None:
    environment.setattr(handler, "_WAIT", 0.5)
    daemon.script = lambda request: None
    assert run()["state"] == "QUEUED"


def test_a_daemon_that_does_not_answer_is_an_error_under_the_error_policy(
    daemon: Daemon, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DEVBRIDGE_OFFLINE", "error")
    environment.setattr(handler, "_WAIT", 0.5)
    daemon.script = lambda request: None
    answer = run()
    assert answer["error"]["code"] == "NoAnswer"
    assert "ann@laptop" in answer["error"]["message"]


def test_a_broker_that_cannot_be_reached_is_an_error(
    proxy: Proxy, environment: pytest.MonkeyPatch
) -> None:
    proxy.close()
    assert run()["error"]["code"] == "BrokerUnreachable"


def test_a_daemon_that_may_still_wake_up_gets_no_build_beside_it(
    daemon: Daemon, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DEVBRIDGE_OFFLINE", "cloud")
    environment.setenv("DEVBRIDGE_PROJECT", PROJECT)
    environment.setenv("DEVBRIDGE_BUCKET", "bucket")
    environment.setattr(handler, "_WAIT", 0.5)
    daemon.script = lambda request: None
    answer = run()
    assert answer["error"]["code"] == "NoAnswer"
    assert "the run may start when it wakes up" in answer["error"]["message"]


def test_the_cloud_policy_answers_with_the_id_of_the_run_in_the_cloud(
    daemon: Daemon, environment: pytest.MonkeyPatch, app: str
) -> None:
    environment.setenv("DEVBRIDGE_OFFLINE", "cloud")
    environment.setenv("DEVBRIDGE_PROJECT", PROJECT)
    environment.setenv("DEVBRIDGE_BUCKET", "bucket")
    codebuild, stored = FakeCodeBuild(), S3(bucket="bucket")
    clients = {"codebuild": codebuild.client, "s3": stored}
    environment.setattr(deployed, "_client", clients.get)
    daemon.stop()
    answer = run({"num": 5})
    payload = Places(f"{app}/dev/factorial").payload(answer["jobId"].partition(":")[2])
    assert json.loads(stored.objects[payload]) == {"num": 5}
    assert answer == {"jobId": answer["jobId"], "state": "QUEUED", "duplicate": False}
    (build,) = codebuild.builds.values()
    given = {each["name"]: each["value"] for each in build["environment"]["environmentVariables"]}
    assert given["DEVBRIDGE_RUN_ID"] == answer["jobId"]
    question = {"devbridge": 1, "action": "status", "jobId": answer["jobId"]}
    assert handler.handler(question, Context())["state"] == "QUEUED"
    daemon.start()
    assert daemon.requests == []


def test_what_cannot_be_sent_in_time_is_refused(
    daemon: Daemon, environment: pytest.MonkeyPatch
) -> None:
    environment.setattr(mqtt_sync, "pacer_for", lambda endpoint: Pacer(rate=1, burst=1))
    environment.setattr(handler, "_WAIT", 1.5)
    answer = run(random.Random(1).randbytes(600_000).hex())  # noqa: S311
    assert answer["error"]["code"] == "PayloadTooLarge"
    assert "more than can be sent in time" in answer["error"]["message"]
    assert daemon.requests == []
