"""`MqttTransport` against two brokers that have nothing in common: mosquitto and the embedded
cloud's. What holds for both, holds for MQTT."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from devbridge.emulator.ports import free_port
from devbridge.errors import BrokerRefused, BrokerUnreachable, CredentialsError
from devbridge.protocol import codec
from devbridge.protocol.messages import Run
from devbridge.protocol.session import DaemonSession, Deliver, frames
from devbridge.transport.base import (
    AwsCredentials,
    Connected,
    Delivery,
    Disconnected,
    Endpoint,
    Transport,
    Will,
)
from devbridge.transport.mqtt import MqttTransport
from devbridge.transport.mqtt_sync import SyncMqtt
from tests.integration.brokers import (
    BOTH,
    HOST,
    STARTS,
    Broker,
    Proxy,
    needs_mosquitto,
    running,
    start_mosquitto,
)

DEADLINE = 20.0
T = TypeVar("T")


@pytest.fixture(params=BOTH)
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """One that the test may kill."""
    with running(STARTS[request.param](tmp_path / "broker")) as started:
        yield started


def endpoint(port: int) -> Endpoint:
    return Endpoint(HOST, "us-east-1", ("127.0.0.1", port))


class Client:
    """A transport, and what it has received."""

    def __init__(self, port: int, client_id: str, *, persistent: bool = False, **options: float):
        self.transport = MqttTransport(
            endpoint(port),
            client_id,
            lambda: None,
            clean=not persistent,
            session_expiry=3600 if persistent else 0,
            **options,  # type: ignore[arg-type]
        )
        self.received: asyncio.Queue[Delivery] = asyncio.Queue()
        self.acknowledge = True

    async def connect(self, *topics: str, will: Will | None = None) -> Connected:
        return await self.transport.connect(
            subscriptions=topics, on_delivery=self._receive, will=will
        )

    async def next(self) -> Delivery:
        async with asyncio.timeout(DEADLINE):
            return await self.received.get()

    async def payloads(self, count: int) -> list[bytes]:
        return [(await self.next()).payload for _ in range(count)]

    def _receive(self, delivery: Delivery) -> None:
        if self.acknowledge:
            self.transport.ack(delivery)
        self.received.put_nowait(delivery)


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Client]]:
    clients: list[Client] = []

    def factory(port: int, client_id: str = "", **options: object) -> Client:
        client = Client(port, client_id or a_name(), **options)  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield factory
    for client in clients:
        await client.transport.close()


def a_name() -> str:
    return f"devbridge-{uuid.uuid4().hex[:12]}"


async def within(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(DEADLINE):
        return await awaitable


async def test_what_is_published_arrives_in_order(
    broker: Broker, make: Callable[..., Client]
) -> None:
    topic, client = a_name(), make(broker.port)
    transport: Transport = client.transport
    assert await client.connect(topic) == Connected(session_present=False)
    sent = [b"%d" % number for number in range(300)]
    for payload in sent:
        transport.publish(topic, payload)
    await within(transport.drain())
    assert await client.payloads(300) == sent


async def test_only_what_was_not_acknowledged_comes_again(
    broker: Broker, make: Callable[..., Client]
) -> None:
    topic, sender = a_name(), make(broker.port)
    client = make(broker.port, persistent=True)
    client.acknowledge = False
    await sender.connect()
    assert not (await client.connect(topic)).session_present
    for payload in (b"1", b"2", b"3"):
        sender.transport.publish(topic, payload)
    first, second, _ = [await client.next() for _ in range(3)]
    client.transport.ack(first)
    await client.transport.close()
    sender.transport.publish(topic, b"4")
    await within(sender.transport.drain())
    client.acknowledge = True
    assert (await client.connect(topic)).session_present
    client.transport.ack(second)  # void: the connection that it came by has gone
    assert sorted(await client.payloads(3)) == [b"2", b"3", b"4"]
    await client.transport.close()
    assert (await client.connect(topic)).session_present
    for payload in (b"5", b"6"):
        sender.transport.publish(topic, payload)
    assert await client.payloads(2) == [b"5", b"6"]


async def test_a_clean_client_is_forgotten(broker: Broker, make: Callable[..., Client]) -> None:
    topic, sender, client = a_name(), make(broker.port), make(broker.port)
    await sender.connect()
    await client.connect(topic)
    await client.transport.close()
    sender.transport.publish(topic, b"lost")
    await within(sender.transport.drain())
    assert not (await client.connect(topic)).session_present
    sender.transport.publish(topic, b"new")
    assert await client.payloads(1) == [b"new"]


async def test_a_retained_message_greets_who_comes_later(
    broker: Broker, make: Callable[..., Client]
) -> None:
    topic, sender, client = a_name(), make(broker.port), make(broker.port)
    await sender.connect()
    sender.transport.publish(topic, b"old", retain=True)
    sender.transport.publish(topic, b"here", retain=True)
    await within(sender.transport.drain())
    await client.connect(topic)
    assert await client.payloads(1) == [b"here"]


async def test_a_will_is_published_when_the_connection_dies(
    broker: Broker, proxy: Proxy, make: Callable[..., Client]
) -> None:
    topic, observer, client = a_name(), make(broker.port), make(proxy.port)
    await observer.connect(topic)
    await client.connect(will=Will(topic, b"gone"))
    proxy.cut()
    await within(client.transport.wait_closed())
    assert await observer.payloads(1) == [b"gone"]
    late = make(broker.port)
    await late.connect(topic)
    assert await late.payloads(1) == [b"gone"]


async def test_a_will_is_not_published_after_a_goodbye(
    broker: Broker, make: Callable[..., Client]
) -> None:
    topic, observer, client = a_name(), make(broker.port), make(broker.port)
    await observer.connect(topic)
    await client.connect(will=Will(topic, b"gone"))
    await client.transport.close()
    assert await client.transport.wait_closed() == Disconnected("closed")
    observer.transport.publish(topic, b"something else")
    assert await observer.payloads(1) == [b"something else"]


async def test_the_newer_of_two_clients_takes_over_and_the_older_is_told(
    broker: Broker, make: Callable[..., Client]
) -> None:
    topic, client_id = a_name(), a_name()
    older = make(broker.port, client_id, persistent=True)
    newer = make(broker.port, client_id, persistent=True)
    await older.connect(topic)
    assert (await newer.connect(topic)).session_present
    ended = await within(older.transport.wait_closed())
    # mosquitto 2.0.11 does say so, but its WebSocket listener closes before it has been sent.
    assert ended.taken_over or broker.name == "mosquitto", ended
    older.transport.publish(topic, b"from the older")
    newer.transport.publish(topic, b"from the newer")
    assert await newer.payloads(1) == [b"from the newer"]


PAYLOADS = {
    "zero": b"0",
    "false": b"false",
    "empty text": b'""',
    "null": b"null",
    "nothing": b"",
    "separators": codec.dump_json("\u2028\u2029\u0000\x7f\r\n"),
    "emoji": codec.dump_json({"👩‍🚀": "🙂" * 5000}),
    "cjk": codec.dump_json("漢字" * 25_000),
    "lone surrogate": codec.dump_json("\ud800"),
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "three frames": random.Random(2).randbytes(300_000),  # noqa: S311
    "6 MB that does not compress": random.Random(1).randbytes(codec.MAX_BODY),  # noqa: S311
    "6 MB of one letter": b'"' + b"x" * (codec.MAX_BODY - 2) + b'"',
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
async def test_a_payload_arrives_unchanged(
    payload: bytes, broker: Broker, make: Callable[..., Client]
) -> None:
    if broker.name == "mosquitto" and len(payload) == codec.MAX_BODY and payload[:1] != b'"':
        pytest.skip("mosquitto 2.0.11's WebSocket listener stalls in the middle of megabytes")
    topic, sender = a_name(), make(broker.port)
    receiver = make(broker.port, persistent=True)
    receiver.acknowledge = False
    await sender.connect()
    await receiver.connect(topic)
    run = Run(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        sent_at=1.0,
        job="j",
        job_id=codec.new_id(),
        payload=payload,
    )
    for frame in frames(run):
        sender.transport.publish(topic, frame)
    session = DaemonSession()
    while True:
        delivery = await receiver.next()
        effects = session.receive(delivery.payload, delivery, now=1.0)
        if effects:
            break
    (effect,) = effects
    assert isinstance(effect, Deliver)
    assert effect.message == run
    for token in effect.tokens:
        assert isinstance(token, Delivery)
        receiver.transport.ack(token)
    await within(sender.transport.drain())


async def test_nagle_is_off(broker: Broker, make: Callable[..., Client]) -> None:
    client = make(broker.port)
    await client.connect()
    connection = client.transport._connection
    assert connection is not None
    assert connection._transport is not None
    opened: socket.socket = connection._transport.get_extra_info("socket")
    assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def open_files() -> int:
    gc.collect()  # what other tests have left is not to go meanwhile
    return len(list(Path("/dev/fd").iterdir()))


async def test_close_leaves_nothing_behind(broker: Broker, make: Callable[..., Client]) -> None:
    client = make(broker.port)
    before, tasks = open_files(), asyncio.all_tasks()
    for _ in range(5):
        await client.connect(a_name())
        assert open_files() == before + 1
        await client.transport.close()
        await client.transport.close()
    assert open_files() == before
    assert asyncio.all_tasks() == tasks


async def test_the_death_of_the_broker_is_noticed_and_survived(
    own_broker: Broker, make: Callable[..., Client]
) -> None:
    client = make(own_broker.port)
    before = open_files()
    await client.connect(a_name())
    client.transport.publish("t", b"")
    own_broker.kill()
    ended = await within(client.transport.wait_closed())
    assert not ended.taken_over
    client.transport.publish("t", b"lost")
    await within(client.transport.drain())
    with pytest.raises(BrokerUnreachable, match="cannot be reached"):
        await client.connect(a_name())
    assert open_files() == before


async def test_a_connection_without_a_sign_of_life_is_given_up(
    broker: Broker, proxy: Proxy, make: Callable[..., Client]
) -> None:
    client = make(proxy.port, keep_alive=1)
    before = open_files()
    await client.connect(a_name())
    proxy.stall()
    ended = await within(client.transport.wait_closed())
    assert "keep alive" in ended.reason
    await client.transport.close()
    assert open_files() <= before + 2  # the proxy's own side


@pytest.fixture
def stub(broker: Broker) -> Iterator[SyncMqtt]:
    """The transport of stubs."""
    with closing(stub_at(broker.port)) as made:
        yield made


def stub_at(port: int, topic: str = "none", got: list[Delivery] | None = None) -> SyncMqtt:
    return SyncMqtt(
        endpoint(port),
        a_name(),
        lambda: None,
        subscriptions=[topic],
        on_delivery=([] if got is None else got).append,
    )


async def test_what_is_published_once_is_for_those_who_are_there_and_for_nobody_later(
    broker: Broker, stub: SyncMqtt, make: Callable[..., Client]
) -> None:
    """No call of a live function waits for a daemon."""
    topic, name = a_name(), a_name()
    client = make(broker.port, name, persistent=True)
    await client.connect(topic)
    stub.publish_once(topic, b"there")
    assert stub.is_alive(DEADLINE)
    assert await client.payloads(1) == [b"there"]
    await client.transport.close()
    stub.publish_once(topic, b"nobody")
    assert stub.is_alive(DEADLINE)
    assert await client.connect(topic) == Connected(session_present=True)
    stub.publish_once(topic, b"back")
    assert stub.is_alive(DEADLINE)
    assert await client.payloads(1) == [b"back"]


async def test_a_ping_is_answered_behind_all_that_was_sent_before(
    broker: Broker, stub: SyncMqtt, make: Callable[..., Client]
) -> None:
    """How old a call may be is told by nothing else."""
    topic, got = a_name(), list[Delivery]()
    client = make(broker.port)
    await client.connect(topic)
    with closing(stub_at(broker.port, topic, got)) as hearing:
        for number in range(200):
            stub.publish_once(topic, b"%d" % number + b" " * 1000)
        assert stub.is_alive(DEADLINE)  # the broker has them all
        assert hearing.is_alive(DEADLINE)
        assert len(got) == 200
    await within(client.transport.probe(DEADLINE))
    assert client.received.qsize() == 200


async def test_several_probes_at_once_are_each_answered(
    broker: Broker, make: Callable[..., Client]
) -> None:
    client = make(broker.port)
    await client.connect(a_name())
    await within(asyncio.gather(*(client.transport.probe(DEADLINE) for _ in range(20))))
    client.transport.publish(a_name(), b"")
    assert await within(client.transport.drain()), "the connection is still there"


def test_a_stub_finds_out_that_the_connection_is_dead(broker: Broker, proxy: Proxy) -> None:
    with closing(stub_at(proxy.port)) as stub:
        assert stub.is_alive(DEADLINE)
        proxy.stall()
        assert not stub.is_alive(0.1)


async def test_an_idle_connection_is_kept_alive(
    broker: Broker, make: Callable[..., Client]
) -> None:
    client, topic = make(broker.port, keep_alive=1), a_name()
    await client.connect(topic)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3.5):
            await client.transport.wait_closed()
    client.transport.publish(topic, b"still here")
    assert await client.payloads(1) == [b"still here"]


async def test_it_connects_again_after_the_connection_was_cut(
    broker: Broker, proxy: Proxy, make: Callable[..., Client]
) -> None:
    client, topic, sender = make(proxy.port, persistent=True), a_name(), make(broker.port)
    await client.connect(topic)
    await sender.connect()
    for number in range(3):
        proxy.cut()
        await within(client.transport.wait_closed())
        sender.transport.publish(topic, b"%d" % number)
        assert (await client.connect(topic)).session_present
        # What came before may come again: its acknowledgement was perhaps cut off.
        while (await client.next()).payload != b"%d" % number:
            pass


async def test_a_receiver_that_fails_does_not_harm_the_connection(
    broker: Broker, make: Callable[..., Client]
) -> None:
    client, topic = make(broker.port), a_name()
    seen: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context))
    received: asyncio.Queue[bytes] = asyncio.Queue()

    def receive(delivery: Delivery) -> None:
        received.put_nowait(delivery.payload)
        if delivery.payload == b"bad":
            raise RuntimeError("bad")

    await client.transport.connect(subscriptions=[topic], on_delivery=receive)
    for payload in (b"bad", b"good"):
        client.transport.publish(topic, payload)
    assert await within(received.get()) == b"bad"
    assert await within(received.get()) == b"good"
    assert [str(each["exception"]) for each in seen] == ["bad"]


@needs_mosquitto
async def test_a_broker_that_refuses_says_why(tmp_path: Path, make: Callable[..., Client]) -> None:
    with running(start_mosquitto(tmp_path, extra="allow_anonymous false")) as refusing:
        before = open_files()
        with pytest.raises(BrokerRefused, match="not authorized"):
            await make(refusing.port).connect()
        await asyncio.sleep(0)
        assert open_files() == before


async def test_an_http_error_is_a_refusal(make: Callable[..., Client]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        with pytest.raises(BrokerRefused, match="403 Forbidden"):
            await make(server.sockets[0].getsockname()[1]).connect()


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\n", b"nonsense\r\n\r\n"])
async def test_what_is_no_broker_is_unreachable(says: bytes, make: Callable[..., Client]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        with pytest.raises(BrokerUnreachable):
            await make(server.sockets[0].getsockname()[1]).connect()


async def test_nobody_there_is_unreachable(make: Callable[..., Client]) -> None:
    port = free_port()
    before = open_files()
    with pytest.raises(BrokerUnreachable, match="cannot be reached") as caught:
        await make(port).connect()
    assert caught.value.where == f"127.0.0.1:{port}"
    assert open_files() == before


async def test_a_broker_that_says_nothing_is_unreachable_after_the_timeout(
    make: Callable[..., Client],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = make(silent.getsockname()[1], connect_timeout=0.2)
        before = open_files()
        with pytest.raises(BrokerUnreachable, match=r"no answer in 0\.2 s"):
            await client.connect()
        await asyncio.sleep(0)
        assert open_files() == before


async def test_a_connect_that_is_cancelled_leaves_nothing_behind(
    make: Callable[..., Client],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = open_files()
        task = asyncio.create_task(make(silent.getsockname()[1]).connect())
        accepted, _ = await asyncio.to_thread(silent.accept)
        with accepted:
            await asyncio.to_thread(accepted.recv, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.sleep(0)
        assert open_files() == before


async def test_without_a_connection_there_is_nothing_to_wait_for() -> None:
    transport = Client(1, "never").transport
    transport.publish("t", b"")
    transport.ack(Delivery("t", b"", None))
    await transport.drain()
    await transport.close()
    assert await transport.wait_closed() == Disconnected("not connected")


async def test_aws_is_not_connected_to_without_credentials() -> None:
    transport = MqttTransport(
        Endpoint("unresolvable.invalid", "eu-west-1"),
        "id",
        lambda: None,
        clean=True,
        session_expiry=0,
    )
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        await transport.connect(subscriptions=[], on_delivery=lambda delivery: None)


async def test_credentials_are_asked_for_at_each_connect() -> None:
    asked: list[int] = []

    def credentials() -> AwsCredentials:
        asked.append(os.getpid())
        return AwsCredentials("AKIA", "s", "t")

    transport = MqttTransport(
        Endpoint("unresolvable.invalid", "eu-west-1"),
        "id",
        credentials,
        clean=True,
        session_expiry=0,
    )
    for _ in range(2):
        with pytest.raises(BrokerUnreachable):
            await transport.connect(subscriptions=[], on_delivery=lambda delivery: None)
    assert len(asked) == 2
