"""The daemon's transport over a socket of this event loop. What brokers really do is in
tests/integration/test_mqtt_brokers.py."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import paho.mqtt.client
import pytest

from devbridge.errors import BrokerRefused, BrokerUnreachable, CredentialsError
from devbridge.transport import mqtt as module
from devbridge.transport.base import AwsCredentials, Connected, Delivery, Disconnected, Endpoint
from devbridge.transport.link import LinkOptions
from devbridge.transport.mqtt import MqttTransport
from devbridge.transport.pacer import Pacer
from tests.unit.transport.broker import (
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PUBACK,
    SUBSCRIBE,
    AsyncBroker,
    async_broker,
)

TAKEN_OVER = b"\xe0\x02\x8e\x00"

pytestmark = pytest.mark.timeout(5)
RESET = f"[Errno {errno.ECONNRESET}] {os.strerror(errno.ECONNRESET)}"


@pytest.fixture
async def broker() -> AsyncIterator[AsyncBroker]:
    async with async_broker() as one:
        yield one


class Client:
    """A transport to the broker, and what it has delivered."""

    def __init__(self, broker: AsyncBroker, **options: Any) -> None:
        self.got: list[Delivery] = []
        self.arrived = asyncio.Event()
        endpoint = Endpoint("iot.example", "eu-west-1", ("127.0.0.1", broker.port))
        options = {"clean": True, "session_expiry": 60, "connect_timeout": 10.0, **options}
        credentials = options.pop("credentials", lambda: None)
        self.transport = MqttTransport(
            options.pop("endpoint", endpoint), "me", credentials, **options
        )

    def take(self, delivery: Delivery) -> None:
        self.got.append(delivery)
        self.arrived.set()

    async def has(self, number: int) -> None:
        """Wait until so many have been delivered."""
        async with asyncio.timeout(10):
            while len(self.got) < number:
                self.arrived.clear()
                await self.arrived.wait()

    async def connect(self, *topics: str) -> Connected:
        return await self.transport.connect(
            subscriptions=topics or ("a", "b"), on_delivery=self.take
        )


# --- connecting ---------------------------------------------------------------------------------


async def test_it_is_connected_once_the_subscriptions_are_granted(broker: AsyncBroker) -> None:
    client = Client(broker)
    assert await client.connect() == Connected(session_present=False)
    assert broker.kinds() == [CONNECT, SUBSCRIBE]
    assert broker.session.path == "/mqtt"
    await client.transport.close()


async def test_the_path_is_signed_with_the_credentials_that_there_are_now(
    broker: AsyncBroker,
) -> None:
    keys = iter(["AKIA1", "AKIA2"])
    client = Client(broker, credentials=lambda: AwsCredentials(next(keys), "s"))
    for key in ("AKIA1", "AKIA2"):
        await client.connect()
        (credential,) = parse_qs(urlsplit(broker.session.path).query)["X-Amz-Credential"]
        assert credential.startswith(f"{key}/")
    await client.transport.close()


async def test_without_credentials_aws_is_not_asked() -> None:
    transport = MqttTransport(
        Endpoint("iot.example", "eu-west-1"), "me", lambda: None, clean=True, session_expiry=0
    )
    with pytest.raises(CredentialsError, match="aws sso login"):
        await transport.connect(subscriptions=["a"], on_delivery=print)


async def test_aws_is_dialled_over_tls_by_its_name(
    broker: AsyncBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    async def create_connection(_factory: object, *where: object, ssl: object) -> None:
        asked.extend((*where, ssl is not None))
        raise OSError("no network")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create_connection)
    client = Client(
        broker,
        endpoint=Endpoint("iot.example", "eu-west-1"),
        credentials=lambda: AwsCredentials("AKIA", "s"),
    )
    with pytest.raises(BrokerUnreachable, match=r"no network(.|\n)*iot.example:443"):
        await client.connect()
    assert asked == ["iot.example", 443, True]
    with pytest.raises(BrokerUnreachable, match="no network"):
        await Client(broker).connect()
    assert asked[3:] == ["127.0.0.1", broker.port, False]


async def test_a_refused_handshake_is_a_refusal(broker: AsyncBroker) -> None:
    broker.refuses = (403, "not you")
    with pytest.raises(BrokerRefused, match="HTTP 403 Forbidden"):
        await Client(broker).connect()
    await broker.until(lambda: broker.session.ended)


async def test_nobody_there_is_told_with_the_address(broker: AsyncBroker) -> None:
    client = Client(broker, endpoint=Endpoint("h", "r", ("127.0.0.1", 1)))
    with pytest.raises(BrokerUnreachable, match=r"127.0.0.1:1(.|\n)*check the network"):
        await client.connect()
    assert await client.transport.wait_closed() == Disconnected("given up")


async def test_a_broker_that_says_nothing_is_given_up_in_time(broker: AsyncBroker) -> None:
    broker.grants = False
    client = Client(broker, connect_timeout=0.05)
    with pytest.raises(BrokerUnreachable, match=r"no answer in 0.05 s"):
        await client.connect()
    await broker.until(lambda: all(session.ended for session in broker.sessions))
    assert await client.transport.wait_closed() == Disconnected("given up")


async def test_so_is_one_that_does_not_even_answer_the_handshake() -> None:
    accepted = asyncio.Event()
    async with await asyncio.start_server(lambda *_: accepted.set(), "127.0.0.1", 0) as server:
        dial = server.sockets[0].getsockname()
        endpoint = Endpoint("h", "r", dial)
        transport = MqttTransport(
            endpoint, "me", lambda: None, clean=True, session_expiry=60, connect_timeout=0.05
        )
        with pytest.raises(BrokerUnreachable, match=r"no answer in 0.05 s"):
            await transport.connect(subscriptions=(), on_delivery=print)
        await accepted.wait()


async def test_credentials_that_are_slow_keep_nothing_else_waiting(broker: AsyncBroker) -> None:
    asked: list[threading.Thread] = []
    client = Client(broker, credentials=lambda: asked.append(threading.current_thread()))
    await client.connect()
    assert asked
    assert threading.current_thread() not in asked
    await client.transport.close()


async def test_while_something_comes_it_is_not_given_up(broker: AsyncBroker) -> None:
    broker.grants = False
    client = Client(broker, connect_timeout=0.3)
    began = time.monotonic()
    connecting = asyncio.create_task(client.connect("a"))
    await broker.until(lambda: SUBSCRIBE in broker.kinds())
    for number in range(1, 6):
        broker.session.deliver("a", b"x", number)
        await broker.flush()
        await client.has(number)
        await asyncio.sleep(0.1)
    broker.session.say(b"\x90\x04\x00\x01\x00\x01")
    await broker.flush()
    await connecting
    assert time.monotonic() - began > 0.3
    await client.transport.close()


async def test_connecting_again_leaves_the_first_connection(broker: AsyncBroker) -> None:
    client = Client(broker)
    await client.connect()
    first = broker.session
    await client.connect()
    await broker.until(lambda: first.ended)
    assert DISCONNECT in broker.kinds()
    await client.transport.close()


async def test_a_session_that_has_the_topics_is_not_asked_for_them_again(
    broker: AsyncBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    options = LinkOptions

    def recorded(**values: Any) -> Any:
        made.append(values)
        return options(**values)

    monkeypatch.setattr(module, "LinkOptions", recorded)
    client = Client(broker, clean=False, session_expiry=77, keep_alive=11)
    await client.connect("a")
    await client.connect("a")
    await client.transport.close()
    first, second = made
    assert (first["granted"], second["granted"]) == (frozenset(), {"a"})
    assert (first["clean"], first["session_expiry"], first["keep_alive"]) == (False, 77, 11)
    assert (first["host"], first["client_id"], first["will"]) == ("iot.example", "me", None)


# --- messages -----------------------------------------------------------------------------------


async def test_a_delivery_is_acknowledged_when_it_is_told_so_and_by_its_own_connection(
    broker: AsyncBroker,
) -> None:
    broker.waiting = [("a", b"one", 7)]
    client = Client(broker)
    await client.connect()
    await client.has(1)
    (first,) = client.got
    assert (first.topic, first.payload) == ("a", b"one")
    await client.connect()
    await client.has(2)
    client.transport.ack(first)  # of a connection that is no more
    client.transport.ack(Delivery("a", b"", None))
    client.transport.ack(client.got[1])
    await broker.until(lambda: PUBACK in broker.kinds())
    assert broker.received.count((PUBACK, b"\x00\x07")) == 1
    await client.transport.close()
    client.transport.ack(client.got[1])


async def test_a_receiver_that_fails_is_told_and_the_message_stays_in_the_broker(
    broker: AsyncBroker,
) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what))
    broker.waiting = [("a", b"one", 7), ("a", b"two", 8)]
    client = Client(broker)

    def fails(delivery: Delivery) -> None:
        client.take(delivery)
        raise ValueError

    await client.transport.connect(subscriptions=["a"], on_delivery=fails)
    await client.has(2)
    assert [each["message"] for each in told] == ["the receiver of a failed"] * 2
    assert all(isinstance(each["exception"], ValueError) for each in told)
    assert PUBACK not in broker.kinds()
    await client.transport.close()


async def test_what_is_published_arrives_and_draining_waits_for_its_acknowledgement(
    broker: AsyncBroker,
) -> None:
    client = Client(broker)
    await client.connect()
    client.transport.publish("t", b"one")
    client.transport.publish("t", b"two", retain=True)
    assert broker.published == []
    assert await client.transport.drain()
    assert broker.published == [("t", b"one", False), ("t", b"two", True)]
    assert await client.transport.drain()
    await client.transport.close()


async def test_draining_ends_without_knowing_when_the_connection_does(broker: AsyncBroker) -> None:
    broker.acknowledges = None
    client = Client(broker)
    await client.connect()
    client.transport.publish("t", b"one")
    draining = [asyncio.create_task(client.transport.drain()) for _ in range(2)]
    await broker.until(lambda: broker.published)
    assert not any(each.done() for each in draining)
    broker.cut()
    assert await asyncio.gather(*draining) == [False, False]
    client.transport.publish("t", b"lost")
    assert not await client.transport.drain()


async def test_what_the_quotas_do_not_allow_waits_for_its_turn(
    broker: AsyncBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    pacer = Pacer(rate=20, burst=1)
    asked = Mock(wraps=pacer.wait)
    monkeypatch.setattr(pacer, "wait", asked)
    monkeypatch.setattr(module, "pacer_for", lambda _endpoint: pacer)
    client = Client(broker)
    await client.connect()
    began = time.monotonic()
    for number in range(3):
        client.transport.publish("t", b"%d" % number)
    assert await client.transport.drain()
    assert [payload for _, payload, _ in broker.published] == [b"0", b"1", b"2"]
    assert time.monotonic() - began >= 0.09
    assert asked.call_count < 10, "the pacer has told when to ask again"
    await client.transport.close()


async def test_what_waits_for_its_turn_is_lost_with_the_connection(
    broker: AsyncBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "pacer_for", lambda _endpoint: Pacer(rate=0.1, burst=1))
    client = Client(broker)
    await client.connect()
    client.transport.publish("t", b"0")
    client.transport.publish("t", b"1")
    draining = asyncio.create_task(client.transport.drain())
    await broker.until(lambda: broker.published)
    broker.cut()
    assert not await draining
    assert len(broker.published) == 1


# --- the end ------------------------------------------------------------------------------------


async def test_a_goodbye_is_said_and_everything_is_released(broker: AsyncBroker) -> None:
    client = Client(broker)
    await client.connect()
    await client.transport.close()
    assert await client.transport.wait_closed() == Disconnected("closed")
    await broker.until(lambda: broker.session.ended)
    assert broker.kinds()[-1] == DISCONNECT
    await client.transport.close()


async def test_before_it_was_connected_there_is_nothing_to_do(broker: AsyncBroker) -> None:
    transport = Client(broker).transport
    transport.publish("t", b"x")
    transport.ack(Delivery("t", b"x", None))
    await transport.probe(1)
    await transport.close()
    assert not await transport.drain()
    assert await transport.wait_closed() == Disconnected("not connected")
    assert broker.sessions == []


@pytest.mark.parametrize(
    ("end", "disconnected"),
    [
        ("cut", Disconnected(RESET)),
        ("end", Disconnected("the broker closed the connection", orderly=True)),
        ("close", Disconnected("the broker closed the connection", orderly=True)),
        (
            "taken over",
            Disconnected(
                "the broker ended the connection: session taken over",
                taken_over=True,
                orderly=True,
            ),
        ),
    ],
)
async def test_the_end_is_told_with_its_reason(
    broker: AsyncBroker, end: str, disconnected: Disconnected
) -> None:
    client = Client(broker)
    await client.connect()
    ended = [asyncio.create_task(client.transport.wait_closed()) for _ in range(2)]
    await asyncio.sleep(0)
    ended.pop().cancel()  # who does not wait any more does not end it for others
    if end == "cut":
        broker.cut()
    elif end == "end":
        broker.end()
    elif end == "close":
        broker.session.close()
        await broker.flush()
    else:
        broker.session.say(TAKEN_OVER)
        await broker.flush()
    assert await ended[0] == disconnected
    assert await client.transport.wait_closed() == disconnected


async def test_a_broker_that_answers_a_ping_is_alive(broker: AsyncBroker) -> None:
    client = Client(broker)
    await client.connect()
    for _ in range(2):
        await client.transport.probe(10)
    assert broker.kinds().count(PINGREQ) == 2
    client.transport.publish("t", b"x")
    assert await client.transport.drain()
    await client.transport.close()
    await client.transport.probe(10)


async def test_several_probes_at_once_each_have_their_own_answer(broker: AsyncBroker) -> None:
    broker.pongs = False
    client = Client(broker)
    await client.connect()
    probing = [asyncio.create_task(client.transport.probe(60)) for _ in range(3)]
    await broker.until(lambda: broker.kinds().count(PINGREQ) == 3)
    for answered in range(3):
        assert [probe.done() for probe in probing] == [number < answered for number in range(3)]
        broker.session.say(b"\xd0\x00")
        await broker.flush()
        async with asyncio.timeout(10):
            await probing[answered]
    await client.transport.close()


async def test_a_broker_that_does_not_answer_a_ping_is_left(broker: AsyncBroker) -> None:
    broker.pongs = False
    client = Client(broker)
    await client.connect()
    await client.transport.probe(0.05)
    assert await client.transport.wait_closed() == Disconnected("no answer to a ping in 0.05 s")
    await broker.until(lambda: broker.session.ended)


async def test_a_probe_ends_with_the_connection(broker: AsyncBroker) -> None:
    broker.pongs = False
    client = Client(broker)
    await client.connect()
    probing = asyncio.create_task(client.transport.probe(60))
    await broker.until(lambda: PINGREQ in broker.kinds())
    broker.end()
    await probing
    ended = await client.transport.wait_closed()
    assert ended == Disconnected("the broker closed the connection", orderly=True)


async def test_a_silent_connection_is_kept_alive(
    broker: AsyncBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TICKS", 200)
    monkeypatch.setattr(paho.mqtt.client, "time_func", lambda: time.monotonic() * 50)
    client = Client(broker, keep_alive=1)
    await client.connect()
    await broker.until(lambda: PINGREQ in broker.kinds())
    broker.pongs = False
    async with asyncio.timeout(10):
        assert "keep alive" in (await client.transport.wait_closed()).reason.lower()


async def test_a_socket_that_takes_nothing_any_more_is_not_waited_for(
    broker: AsyncBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GOODBYE", 0.05)
    client = Client(broker)
    await client.connect()
    broker._writers[-1].transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(40):
        client.transport.publish("t", bytes(500_000))
    async with asyncio.timeout(10):
        await client.transport.close()
