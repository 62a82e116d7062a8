"""Real bridges with real ledgers over real brokers, while connections, brokers and daemons go.

There are no workers: what is asked for stays QUEUED, so that the ledger shows what arrived.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pytest

from devbridge.daemon import bridge as bridge_module
from devbridge.daemon import handover, reconnect
from devbridge.daemon.bridge import Bridge
from devbridge.daemon.dispatch import Dispatcher
from devbridge.daemon.jobs import Jobs
from devbridge.emulator.ports import free_port
from devbridge.protocol import codec
from devbridge.protocol.messages import Presence, Run, Topics
from devbridge.protocol.session import Deliver, frames
from devbridge.runs.ledger import Change, Ledger
from devbridge.runs.model import JobSpec, State
from devbridge.transport import mqtt, mqtt_sync
from devbridge.transport.base import Delivery, Endpoint
from devbridge.transport.mqtt import MqttTransport
from devbridge.transport.mqtt_sync import SyncMqtt
from stub_lambda import handler
from tests.integration.brokers import (
    HOST,
    STARTS,
    Broker,
    Proxy,
    needs_mosquitto,
    running,
    start_mosquitto,
)

PERSISTENT = "user root\npersistence true\npersistence_location {}/\nautosave_interval 1\n"
DEADLINE = 30.0
SPEC = JobSpec(
    name="factorial",
    handler="jobs/factorial.handler",
    timeout=60.0,
    memory_mb=3072,
    role_arn="arn:aws:iam::000000000000:role/r",
    environment={},
)


@pytest.fixture
def topics() -> Topics:
    return Topics(f"app-{uuid.uuid4().hex[:8]}", "dev")


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_module, "pause", lambda attempt: 0.05)
    monkeypatch.setattr(bridge_module, "TICK", 0.05)


class Desk:
    """A daemon without workers: a bridge, a ledger and a dispatcher."""

    def __init__(self, port: int, topics: Topics, ledger: Ledger, *, user: str = "ann") -> None:
        self.ledger = ledger
        self.said: list[str] = []
        self.arrived: list[str] = []
        """Job ids, in the order in which they were entered."""
        self.slept = 0.0
        self._port = port
        self._dispatcher = Dispatcher(ledger, Jobs([SPEC]), Path("logs"))
        self._news = asyncio.Condition()
        self.bridge = Bridge(
            self._transport,
            topics,
            Presence(
                online=True,
                daemon_id=codec.new_id(),
                host="laptop",
                user=user,
                pid=1,
                since=time.time(),
                session_expiry=3600,
            ),
            on_requests=self._take,
            say=self._say,
            wall=lambda: time.time() + self.slept,
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Desk:
        self._task = asyncio.create_task(self.bridge.run())
        await self.connected()
        return self

    async def connected(self) -> None:
        await asyncio.wait_for(self.bridge.connected.wait(), DEADLINE)

    async def stop(self, *, goodbye: bool = True) -> None:
        if goodbye:
            await asyncio.wait_for(self.bridge.leave(), DEADLINE)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE), self._news:
            await self._news.wait_for(lambda: bool(happened()))

    async def entered(self, count: int) -> list[str]:
        await self.until(lambda: len(self.arrived) >= count)
        return self.arrived

    async def until_said(self, part: str) -> str:
        await self.until(lambda: any(part in line for line in self.said))
        return next(line for line in self.said if part in line)

    def _transport(self, client_id: str, clean: bool) -> MqttTransport:
        return MqttTransport(
            Endpoint(HOST, "us-east-1", ("127.0.0.1", self._port)),
            client_id,
            lambda: None,
            clean=clean,
            session_expiry=0 if clean else 3600,
        )

    def _take(self, batch: Sequence[Deliver]) -> None:
        with self.ledger.transaction():
            taken = [self._dispatcher.take(each.message, time.time()) for each in batch]
            replies = [one.reply() for one in taken]
        for deliver, one, reply in zip(batch, taken, replies, strict=True):
            self.bridge.ack(deliver)
            self.bridge.reply(deliver.message.stub_id, reply)
            if isinstance(deliver.message, Run) and one.events:
                self.arrived.append(deliver.message.job_id)
        self._tell()

    def _say(self, line: str) -> None:
        self.said.append(line)
        self._tell()

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        asyncio.get_running_loop().create_task(tell())


Make = Callable[..., Desk]


@pytest.fixture
async def make(tmp_path: Path, topics: Topics) -> AsyncIterator[Make]:
    made: list[Desk] = []

    def factory(port: int, name: str = "ledger", **options: Any) -> Desk:
        ledger = Ledger.open(tmp_path / f"{name}.sqlite")
        made.append(Desk(port, topics, ledger, **options))
        return made[-1]

    yield factory
    for desk in made:
        await desk.stop(goodbye=False)
        desk.ledger.close()


def a_run(payload: bytes = b"0") -> Run:
    return Run(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        sent_at=time.time(),
        job="factorial",
        job_id=codec.new_id(),
        payload=payload,
    )


def noise(size: int) -> bytes:
    """JSON that does not compress."""
    return codec.dump_json(random.randbytes(size // 2).hex())  # noqa: S311


def publish(port: int, topic: str, *published: bytes) -> None:
    """As a stub does: returns when the broker has it all."""
    client = SyncMqtt(
        Endpoint(HOST, "us-east-1", ("127.0.0.1", port)),
        f"test-{uuid.uuid4().hex}",
        lambda: None,
        subscriptions=[],
        on_delivery=lambda delivery: None,
    )
    try:
        numbers = [client.publish(topic, frame) for frame in published]
        until = time.monotonic() + DEADLINE
        while not all(client.reason(number) is not None for number in numbers):
            assert client.ended is None
            assert time.monotonic() < until
            client.poll(0.1)
    finally:
        client.close()


async def send(port: int, topics: Topics, *runs: Run) -> None:
    sent = [frame for run in runs for frame in frames(run)]
    await asyncio.to_thread(publish, port, topics.requests, *sent)


def interleaved(large: Sequence[Run], small: Sequence[Run]) -> list[bytes]:
    """All frames, those of the large ones by turns and the small ones between them."""
    turns = chain.from_iterable(zip_longest(*(frames(run) for run in large)))
    mixed = zip_longest((frame for frame in turns if frame), (frames(run)[0] for run in small))
    return [frame for pair in mixed for frame in pair if frame is not None]


# --- delivery -----------------------------------------------------------------------------------


async def test_what_was_sent_while_nobody_was_here_arrives_later_in_order_and_once(
    broker: Broker, topics: Topics, make: Make
) -> None:
    await (await make(broker.port).start()).stop()
    small = [a_run() for _ in range(250)]
    # mosquitto is slow with large messages over WebSocket, and only with those.
    size = 300_000 if broker.name == "mosquitto" else 2_000_000
    large = [a_run(noise(size)) for _ in range(3)]
    sent = interleaved(large, small)
    assert len(sent) >= 256, "in flight there can be 100"
    await asyncio.to_thread(publish, broker.port, topics.requests, *sent)
    desk = make(broker.port, "later")
    await desk.start()
    arrived = await desk.entered(253)
    assert [job_id for job_id in arrived if job_id in {run.job_id for run in small}] == [
        run.job_id for run in small
    ]
    assert len(desk.ledger.live()) == 253
    for run in large:
        assert desk.ledger.payload(run.job_id) == run.payload
    assert "requests were waiting" in await desk.until_said("waiting")


@needs_mosquitto
async def test_what_waits_survives_a_restart_of_the_broker(
    tmp_path: Path, topics: Topics, make: Make
) -> None:
    directory, port = tmp_path / "broker", free_port()
    options: dict[str, Any] = {"port": port, "extra": PERSISTENT.format(directory)}
    runs = [a_run(), a_run(noise(300_000)), a_run()]
    with running(start_mosquitto(directory, **options)):
        await (await make(port).start()).stop()
        await send(port, topics, *runs)
    with running(start_mosquitto(directory, **options)):
        desk = await make(port, "later").start()
        assert await desk.entered(3) == [run.job_id for run in runs]


async def test_a_broker_that_goes_and_comes_back_is_found_again(
    tmp_path: Path, topics: Topics, make: Make, broker: Broker
) -> None:
    directory, port = tmp_path / "broker", free_port()
    start = STARTS[broker.name]
    own = start(directory, port=port)
    try:
        desk = await make(port).start()
        own.kill()
        await desk.until_said("connection lost")
        await desk.until_said("still no connection")
    finally:
        own.kill()
    with running(start(directory, port=port)):
        await desk.connected()
        run = a_run()
        await send(port, topics, run)
        assert await desk.entered(1) == [run.job_id]
        assert "back after" in await desk.until_said("back after")
        await desk.stop()


async def test_a_request_that_comes_twice_runs_once(
    broker: Broker, topics: Topics, make: Make
) -> None:
    desk = await make(broker.port).start()
    once, last = a_run(), a_run()
    again = replace(once, request_id=codec.new_id())  # Lambda tries again: another request
    await send(broker.port, topics, once, once, again, last)
    assert await desk.entered(2) == [once.job_id, last.job_id]
    assert len(desk.ledger.live()) == 2


async def test_requests_during_reconnects_arrive_once(
    proxy: Proxy, broker: Broker, topics: Topics, make: Make
) -> None:
    desk = await make(proxy.port).start()
    if broker.name != "mosquitto":
        pytest.skip("at times it no longer acknowledges a publisher while a subscriber is cut off")
    runs = [a_run(noise(300_000) if number % 30 == 5 else b"0") for number in range(60)]
    for number in range(0, 60, 20):
        await send(broker.port, topics, *runs[number : number + 20])
        proxy.cut()
    await desk.entered(60)
    assert sorted(desk.arrived) == sorted(run.job_id for run in runs)


# --- half-open connections ----------------------------------------------------------------------


async def test_a_connection_that_died_in_its_sleep_is_found_out_at_once(
    proxy: Proxy, broker: Broker, topics: Topics, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, "PROBE", 0.2)
    desk = await make(proxy.port).start()
    proxy.stall()
    await send(broker.port, topics, a_run())
    desk.slept = 725.0
    assert await desk.until_said("asleep") == "this machine was asleep for 12m05s"
    await desk.until_said("connection lost: no answer to a ping in 0.2 s")
    await desk.entered(1)
    back = await desk.until_said("back after")
    # The embedded cloud's broker takes a second to send again what was not acknowledged.
    assert re.fullmatch(r"back after 12m\d\ds(, 1 request was waiting)?", back)


async def test_a_connection_that_outlived_the_sleep_is_kept(
    proxy: Proxy, topics: Topics, make: Make
) -> None:
    desk = await make(proxy.port).start()
    before = proxy.connections
    desk.slept = 725.0
    await desk.until_said("asleep")
    await send(proxy.port, topics, a_run())
    await desk.entered(1)
    assert proxy.connections == before + 1, "the sender's"
    assert desk.bridge.connected.is_set()


SLEEPER = """
import asyncio, sys, time, uuid
from devbridge.daemon.bridge import Bridge
from devbridge.protocol.messages import Presence, Topics
from devbridge.transport.base import Endpoint
from devbridge.transport.mqtt import MqttTransport

port, app, host = int(sys.argv[1]), sys.argv[2], sys.argv[3]

def transport(client_id, clean):
    endpoint = Endpoint(host, "us-east-1", ("127.0.0.1", port))
    expiry = 0 if clean else 3600
    return MqttTransport(endpoint, client_id, lambda: None, clean=clean, session_expiry=expiry)

async def main():
    def take(batch):
        for each in batch:
            bridge.ack(each)
            print("request", each.message.job_id, flush=True)

    presence = Presence(
        online=True, daemon_id=str(uuid.uuid4()), host="h", user="u", pid=1, since=time.time(),
        session_expiry=3600,
    )
    say = lambda line: print(line, flush=True)
    bridge = Bridge(transport, Topics(app, "dev"), presence, on_requests=take, say=say)
    running = asyncio.create_task(bridge.run())
    await bridge.connected.wait()
    print("ready", flush=True)
    await running

asyncio.run(main())
"""


async def test_a_process_that_was_stopped_and_goes_on_finds_its_dead_connection(
    proxy: Proxy, broker: Broker, topics: Topics
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SLEEPER,
        str(proxy.port),
        topics.app,
        HOST,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    seen: list[str] = []

    async def read_until(part: str) -> str:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while not any(part in line for line in seen):
                line = await process.stdout.readline()
                assert line, seen
                seen.append(line.decode())
        return seen[-1]

    try:
        await read_until("ready")
        process.send_signal(signal.SIGSTOP)
        proxy.stall()
        run = a_run()
        await send(broker.port, topics, run)
        await asyncio.sleep(reconnect.NAP + bridge_module.PROBE / 2)  # this is how long it sleeps
        process.send_signal(signal.SIGCONT)
        await read_until("connection lost: no answer to a ping in 5 s")
        await read_until(f"request {run.job_id}")
        await read_until("back after")
    finally:
        process.kill()
        await process.wait()


# --- two daemons --------------------------------------------------------------------------------


async def test_the_newer_of_two_daemons_gets_the_stage_and_what_had_not_started(
    broker: Broker, topics: Topics, make: Make
) -> None:
    older = await make(broker.port, "older").start()
    runs = [a_run(), a_run(noise(300_000)), a_run()]
    await send(broker.port, topics, *runs)
    await older.entered(3)
    started = older.arrived[0]
    with older.ledger.transaction():
        older.ledger.record(Change(job_id=started, state=State.RUNNING, at=time.time()))
    newer = await make(broker.port, "newer", user="bob").start()
    await asyncio.wait_for(older.bridge.taken_over.wait(), DEADLINE)
    who = handover.who(older.bridge.taken_over_by)
    assert who == "bob@laptop (pid 1)"
    await asyncio.wait_for(
        handover.hand_over(older.bridge, older.ledger, older.arrived[1:], who), DEADLINE
    )
    assert await newer.entered(2) == older.arrived[1:]
    assert newer.ledger.payload(runs[1].job_id) == runs[1].payload
    assert [entry.job_id for entry in older.ledger.live()] == [started]
    given = older.ledger.get(runs[1].job_id)
    assert given is not None
    assert given.state is State.CANCELLED
    assert handover.is_handed_over(given)
    await send(broker.port, topics, last := a_run())
    await newer.until(lambda: last.job_id in newer.arrived)
    assert last.job_id not in older.arrived


@pytest.fixture
def stub(broker: Broker, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Call it as Lambda does: an action and what else the event has; the answer."""
    for name, value in {
        "DEVBRIDGE_APP": topics.app,
        "DEVBRIDGE_STAGE": topics.stage,
        "DEVBRIDGE_JOB": "factorial",
        "DEVBRIDGE_IOT_ENDPOINT": HOST,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{broker.port}",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler, "_bridge", None)

    class Context:
        aws_request_id = str(uuid.uuid4())
        invoked_function_arn = ""

        def get_remaining_time_in_millis(self) -> int:
            return 10_000

    async def call(action: str, **event: object) -> dict[str, Any]:
        full = {"devbridge": 1, "action": action, **event}
        return await asyncio.to_thread(handler.handler, full, Context())

    yield call
    if handler._bridge is not None:
        handler._bridge.close()


async def test_both_daemons_answer_for_their_own_runs(
    broker: Broker, make: Make, stub: Any
) -> None:
    older = await make(broker.port, "older").start()
    old = (await stub("run", idempotencyKey="old"))["jobId"]
    newer = await make(broker.port, "newer", user="bob").start()
    await asyncio.wait_for(older.bridge.taken_over.wait(), DEADLINE)
    await older.connected()
    new = (await stub("run", idempotencyKey="new"))["jobId"]
    assert (older.arrived, newer.arrived) == ([old], [new])
    for job_id in (old, new):
        answer = await stub("status", jobId=job_id)
        assert (answer["jobId"], answer["state"]) == (job_id, "QUEUED")
        assert (await stub("cancel", jobId=job_id))["was"] == "QUEUED"
    answer = await stub("status", jobId=codec.new_id())
    assert answer["error"]["code"] == "UnknownRun"


async def test_a_retry_of_lambda_and_an_idempotency_key_are_the_same_run(
    broker: Broker, make: Make, stub: Any
) -> None:
    desk = await make(broker.port).start()
    first, again = await stub("run", payload=1), await stub("run", payload=1)
    assert (first["jobId"], first["duplicate"]) == (again["jobId"], not again["duplicate"])
    keyed, repeated = [await stub("run", idempotencyKey="k") for _ in range(2)]
    assert keyed["jobId"] == repeated["jobId"] != first["jobId"]
    assert repeated["duplicate"]
    assert desk.arrived == [first["jobId"], keyed["jobId"]]


# --- pacing -------------------------------------------------------------------------------------


class EachWaitsOnce:
    """A pacer that lets every message wait for a moment."""

    def __init__(self, *_: object) -> None:
        self.asked = 0

    def wait(self, size: int, now: float) -> float:
        self.asked += 1
        return 0.001 if self.asked % 2 else 0.0


async def test_a_burst_is_paced_in_order_and_nothing_is_dropped(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "pacer_for", EachWaitsOnce)
    topic, received = f"test-{uuid.uuid4().hex}", asyncio.Queue[bytes]()
    client = MqttTransport(
        Endpoint(HOST, "us-east-1", ("127.0.0.1", broker.port)),
        topic,
        lambda: None,
        clean=True,
        session_expiry=0,
    )

    def arrived(delivery: Delivery) -> None:
        client.ack(delivery)
        received.put_nowait(delivery.payload)

    await client.connect(subscriptions=[topic], on_delivery=arrived)
    sent = [b"%d" % number for number in range(200)]
    for payload in sent:
        client.publish(topic, payload)
    assert await asyncio.wait_for(client.drain(), DEADLINE)
    async with asyncio.timeout(DEADLINE):
        assert [await received.get() for _ in sent] == sent
    client.publish(topic, b"lost")
    await client.close()
    assert not await asyncio.wait_for(client.drain(), DEADLINE)


def test_the_stub_is_paced_too(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_sync, "pacer_for", EachWaitsOnce)
    topic, received, all_here = f"test-{uuid.uuid4().hex}", [], threading.Event()

    def arrived(delivery: Delivery) -> None:
        received.append(delivery.payload)
        if len(received) == 100:
            all_here.set()

    client = SyncMqtt(
        Endpoint(HOST, "us-east-1", ("127.0.0.1", broker.port)),
        topic,
        lambda: None,
        subscriptions=[topic],
        on_delivery=arrived,
    )
    sent = [b"%d" % number for number in range(100)]
    for payload in sent:
        client.publish(topic, payload)
    until = time.monotonic() + DEADLINE
    while not all_here.is_set() and time.monotonic() < until:
        client.poll(0.1)
    client.close()
    assert received == sent
