"""The stub's transport over a socket to a thread of this process. What brokers really do is in
tests/integration/test_mqtt_brokers.py."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from devbridge.errors import BrokerRefused, BrokerUnreachable, CredentialsError
from devbridge.transport import mqtt_sync as module
from devbridge.transport.base import AwsCredentials, Delivery, Disconnected, Endpoint
from devbridge.transport.mqtt_sync import SyncMqtt
from devbridge.transport.pacer import Pacer
from tests.unit.transport.broker import CONNECT, DISCONNECT, PUBACK, ThreadBroker, thread_broker
from tests.waiting import eventually

AWS = Endpoint("iot.example", "eu-west-1")

pytestmark = pytest.mark.timeout(5)
RESET = f"[Errno {errno.ECONNRESET}] {os.strerror(errno.ECONNRESET)}"


@pytest.fixture
def broker() -> Iterator[ThreadBroker]:
    with thread_broker() as one:
        yield one


class Client:
    """A connection to the broker, and what it has delivered."""

    def __init__(self, broker: ThreadBroker, **options: Any) -> None:
        self.got: list[Delivery] = []
        dial = ("127.0.0.1", broker.port)
        self.mqtt = SyncMqtt(
            Endpoint("iot.example", "eu-west-1", dial),
            "me",
            options.pop("credentials", lambda: None),
            subscriptions=["a", "b"],
            on_delivery=self.got.append,
            timeout=options.pop("timeout", 10.0),
            **options,
        )

    def poll_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline
            self.mqtt.poll(0.01)


def test_it_is_connected_when_it_is_made_and_has_what_came_meanwhile(broker: ThreadBroker) -> None:
    broker.waiting = [("a", b"kept", 7)]
    client = Client(broker)
    client.poll_until(lambda: client.got)
    (delivery,) = client.got
    assert (delivery.topic, delivery.payload) == ("a", b"kept")
    eventually(lambda: (PUBACK, b"\x00\x07") in broker.received)
    assert client.mqtt.ended is None
    client.mqtt.close()


def test_the_broker_is_to_forget_it_at_once_and_to_put_up_with_silence(
    broker: ThreadBroker,
) -> None:
    Client(broker, keep_alive=1234).mqtt.close()
    kind, packet = broker.received[0]
    assert kind == CONNECT
    assert packet[7:10] == b"\x02" + (1234).to_bytes(2, "big"), "clean start, keep alive"
    assert b"\x11\x00\x00\x00\x00" in packet, "session expiry"


def test_the_path_is_signed_if_there_are_credentials(broker: ThreadBroker) -> None:
    Client(broker).mqtt.close()
    assert broker.session.path == "/mqtt"
    Client(broker, credentials=lambda: AwsCredentials("AKIA", "s")).mqtt.close()
    query = parse_qs(urlsplit(broker.session.path).query)
    assert query["X-Amz-Credential"][0].startswith("AKIA/")


def connect_to_aws(who: AwsCredentials | None) -> SyncMqtt:
    return SyncMqtt(AWS, "me", lambda: who, subscriptions=["a"], on_delivery=print)


def test_without_credentials_aws_is_not_asked() -> None:
    with pytest.raises(CredentialsError, match=r"no AWS credentials(.|\n)*iot.example"):
        connect_to_aws(None)


def test_aws_is_dialled_over_tls_by_its_name_and_an_end_on_the_way_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    dialled: list[object] = []

    def create_connection(*where: object) -> socket.socket:
        dialled.extend(where)
        return TcpLike(fileno=mine.detach())

    def wrap(_context: ssl.SSLContext, opened: socket.socket, server_hostname: str) -> None:
        dialled.append(server_hostname)
        raise ssl.SSLError("no")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
    with pytest.raises(BrokerUnreachable, match=r"no(.|\n)*iot.example:443"):
        connect_to_aws(AwsCredentials("AKIA", "s"))
    assert dialled == [("iot.example", 443), 5.0, "iot.example"]
    assert theirs.recv(1) == b"", "it was closed"
    theirs.close()


class TcpLike(socket.socket):
    def setsockopt(self, *_: object) -> None:
        """No TCP_NODELAY here."""


def test_a_refused_handshake_is_a_refusal(broker: ThreadBroker) -> None:
    broker.refuses = (403, "not you")
    with pytest.raises(BrokerRefused, match="HTTP 403 Forbidden"):
        Client(broker)
    eventually(lambda: broker.session.ended)


def test_nobody_there_is_told_with_the_address() -> None:
    with pytest.raises(BrokerUnreachable, match=r"(.|\n)*127.0.0.1:1"):
        SyncMqtt(
            Endpoint("h", "r", ("127.0.0.1", 1)),
            "me",
            lambda: None,
            subscriptions=["a"],
            on_delivery=print,
        )


def test_a_broker_that_does_not_grant_is_given_up_in_time(broker: ThreadBroker) -> None:
    broker.grants = False
    with pytest.raises(BrokerUnreachable, match=r"no answer in 0.1 s(.|\n)*127.0.0.1"):
        Client(broker, timeout=0.1)
    eventually(lambda: broker.session.ended)


def test_the_reason_of_an_acknowledgement_is_known_once_it_has_come(broker: ThreadBroker) -> None:
    client = Client(broker)
    broker.acknowledges = 0x10
    number = client.mqtt.publish("t", b"x", expiry=8)
    assert client.mqtt.reason(number) is None
    client.poll_until(lambda: client.mqtt.reason(number) is not None)
    assert client.mqtt.reason(number) == 0x10
    assert broker.published == [("t", b"x", False)]
    assert broker.expiries == [b"\x02\x00\x00\x00\x08"]
    assert client.mqtt.reason(number + 1) is None
    client.mqtt.close()


def test_a_large_message_leaves_while_it_polls(broker: ThreadBroker) -> None:
    client, payload = Client(broker), bytes(3_000_000)
    number = client.mqtt.publish("t", payload)
    client.poll_until(lambda: client.mqtt.reason(number) is not None)
    assert broker.published == [("t", payload, False)]
    client.mqtt.close()


def test_polling_takes_no_longer_than_it_may_and_ends_when_something_comes(
    broker: ThreadBroker,
) -> None:
    client = Client(broker)
    heard, began = client.mqtt.heard, time.monotonic()
    client.mqtt.poll(0.05)
    assert 0.04 < time.monotonic() - began < 5
    assert client.mqtt.heard == heard
    broker.session.deliver("a", b"x", 1)
    broker.flush()
    began = time.monotonic()
    client.mqtt.poll(60)
    assert time.monotonic() - began < 30
    client.poll_until(lambda: client.got)
    assert client.mqtt.heard > heard
    client.mqtt.poll(-1)
    client.mqtt.close()


def test_what_the_quotas_do_not_allow_waits_and_receives_meanwhile(
    broker: ThreadBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "pacer_for", lambda _: Pacer(rate=20, burst=1))
    client, began = Client(broker), time.monotonic()
    client.mqtt.publish("t", b"0")
    broker.session.deliver("a", b"x", 1)
    broker.flush()
    client.mqtt.publish("t", b"1")
    assert time.monotonic() - began >= 0.04
    assert client.got
    client.poll_until(lambda: len(broker.published) == 2)
    client.mqtt.close()


def test_what_is_published_once_is_acknowledged_by_nobody(broker: ThreadBroker) -> None:
    client = Client(broker)
    client.mqtt.publish_once("t", b"now or never")
    client.mqtt.publish("t", b"kept")
    client.poll_until(lambda: len(broker.published) == 2)
    assert broker.published == [("t", b"now or never", False), ("t", b"kept", False)]
    assert broker.qos == [0, 1]
    client.mqtt.close()


def test_it_waits_for_the_quotas_too(broker: ThreadBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pacer_for", lambda _: Pacer(rate=20, burst=1))
    client, began = Client(broker), time.monotonic()
    client.mqtt.publish_once("t", b"0")
    client.mqtt.publish_once("t", b"1")
    assert time.monotonic() - began >= 0.04
    client.poll_until(lambda: len(broker.published) == 2)
    client.mqtt.close()


def test_a_broker_that_answers_a_ping_is_alive_and_what_it_sent_before_was_received(
    broker: ThreadBroker,
) -> None:
    client = Client(broker)
    broker.session.deliver("a", b"x", 1)
    assert client.mqtt.is_alive(10)
    assert [each.payload for each in client.got] == [b"x"]
    assert client.mqtt.is_alive(10), "as often as it is asked"
    client.mqtt.close()


def test_a_broker_that_does_not_answer_a_ping_is_not(broker: ThreadBroker) -> None:
    client = Client(broker)
    assert client.mqtt.is_alive(10)
    broker.pongs = False
    assert not client.mqtt.is_alive(0.05)
    assert client.mqtt.ended is None
    broker.hang_up()
    assert not client.mqtt.is_alive(60)
    assert client.mqtt.ended
    client.mqtt.close()


def test_the_end_of_the_connection_is_told_and_nothing_waits_for_it_any_more(
    broker: ThreadBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "pacer_for", lambda _: Pacer(rate=0.1, burst=1))
    client = Client(broker)
    client.mqtt.publish("t", b"0")
    broker.hang_up()
    client.mqtt.publish("t", b"1")
    assert client.mqtt.ended == Disconnected("the broker closed the connection", orderly=True)
    began = time.monotonic()
    client.mqtt.poll(60)
    assert time.monotonic() - began < 30
    client.mqtt.close()


def test_a_socket_that_breaks_is_the_end(broker: ThreadBroker) -> None:
    client = Client(broker)
    broker.reset()
    client.poll_until(lambda: client.mqtt.ended)
    assert client.mqtt.ended == Disconnected(RESET)
    client.mqtt.close()


def test_a_goodbye_is_said_and_may_be_said_to_nobody(broker: ThreadBroker) -> None:
    client = Client(broker)
    client.mqtt.close()
    eventually(lambda: broker.session.ended)
    assert broker.kinds()[-1] == DISCONNECT
    client.mqtt.close()
    assert client.mqtt.ended == Disconnected("closed")
