"""`Link` against a broker that is a list of bytes, written down from the MQTT 5 specification."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable

import pytest
from paho.mqtt.client import Client

from devbridge.errors import BrokerRefused, BrokerUnreachable
from devbridge.transport.base import Connected, Disconnected, Will
from devbridge.transport.link import Link, LinkOptions

CONNACK = b"\x20\x03\x00\x00\x00"
CONNACK_SESSION_PRESENT = b"\x20\x03\x01\x00\x00"
CONNACK_NOT_AUTHORIZED = b"\x20\x03\x00\x87\x00"
SUBACK_BOTH = b"\x90\x05\x00\x01\x00\x01\x01"
SUBACK_GRANTED_A = b"\x90\x05\x00\x01\x00\x01"
PINGRESP = b"\xd0\x00"
DISCONNECT_TAKEN_OVER = b"\xe0\x02\x8e\x00"


def publish(topic: bytes, number: int, payload: bytes) -> bytes:
    body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", number) + b"\x00" + payload
    return bytes([0x32, len(body)]) + body


def puback(number: int, reason: int = 0) -> bytes:
    return b"\x40\x03" + struct.pack("!H", number) + bytes([reason])


def in_frame(payload: bytes) -> bytes:
    return bytes([0x82, len(payload)]) + payload


class Peer:
    """The other end: what the link wrote, unmasked, and what to feed it."""

    def __init__(self, **options: object) -> None:
        self.written = b""
        self.delivered: list[tuple[str, bytes, int | None]] = []
        self.acknowledged: list[tuple[int, int]] = []
        self.pongs = 0
        self.changes = 0
        values: dict[str, object] = {
            "host": "broker.example",
            "path": "/mqtt",
            "client_id": "me",
            "clean": False,
            "session_expiry": 7200,
            "keep_alive": 30,
            "subscriptions": ["a", "b"],
            **options,
        }
        self.link = Link(
            LinkOptions(**values),  # type: ignore[arg-type]
            write=self._write,
            on_delivery=lambda *delivery: self.delivered.append(delivery),
            on_acknowledged=lambda *number: self.acknowledged.append(number),
            on_pong=self._ponged,
            on_change=self._changed,
        )

    def _ponged(self) -> None:
        self.pongs += 1

    def _changed(self) -> None:
        self.changes += 1

    def _write(self, data: bytes) -> None:
        self.written += data

    def take(self) -> bytes:
        """The MQTT bytes that the link has written since the last time."""
        data, self.written = self.written, b""
        packets = b""
        while data:
            size, start = data[1] & 0x7F, 2
            assert size < 126
            mask = data[start : start + 4]
            body = data[start + 4 : start + 4 + size]
            packets += bytes(byte ^ mask[index % 4] for index, byte in enumerate(body))
            data = data[start + 4 + size :]
        return packets

    def upgrade(self) -> bytes:
        self.link.start()
        request, self.written = self.written, b""
        key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key + guid).digest())  # noqa: S324
        lines = (
            b"HTTP/1.1 101 Ok",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Protocol: mqtt",
            b"Sec-WebSocket-Accept: " + accept,
        )
        answer = b"\r\n".join(lines) + b"\r\n\r\n"
        self.link.feed(answer[:50])
        assert self.written == b"", "before the answer is whole"
        self.link.feed(answer[50:])
        return self.take()

    def says(self, *packets: bytes) -> None:
        self.link.feed(b"".join(in_frame(packet) for packet in packets))

    def ready(self) -> Peer:
        self.upgrade()
        self.says(CONNACK, SUBACK_BOTH)
        self.take()
        return self


def test_paho_still_asks_the_method_that_is_replaced_for_its_socket() -> None:
    assert callable(getattr(Client, "_create_socket", None))
    assert Peer().upgrade(), "paho has not written to the socket in memory"


def test_connect_says_what_the_options_say() -> None:
    packet = Peer().upgrade()
    assert packet[0] == 0x10
    assert packet[2:9] == b"\x00\x04MQTT\x05"
    assert packet[9] == 0, "clean start"
    assert packet[10:12] == struct.pack("!H", 30)
    assert b"\x11" + struct.pack("!I", 7200) in packet, "session expiry"
    assert b"\x21" + struct.pack("!H", 100) in packet, "receive maximum"
    assert Peer(clean=True).upgrade()[9] == 2


def test_the_will_is_kept_for_those_who_come_later() -> None:
    packet = Peer(will=Will("presence", b"gone")).upgrade()
    assert packet[9] == 0x04 | 0x08 | 0x20, "a will, QoS 1, retained"
    assert packet.endswith(b"\x00\x00\x08presence\x00\x04gone")


def test_before_the_broker_has_accepted_nothing_is_asked_of_it() -> None:
    peer = Peer()
    peer.upgrade()
    assert not peer.link.open
    peer.link.ack(1)
    peer.link.ping()
    assert peer.take() == b""
    peer.says(CONNACK)
    assert peer.link.open


def test_it_is_connected_when_the_subscriptions_are_granted() -> None:
    peer = Peer()
    peer.upgrade()
    peer.says(CONNACK_SESSION_PRESENT)
    assert peer.take() == b"\x82\x0b\x00\x01\x00\x00\x01a\x01\x00\x01b\x01"
    assert peer.link.connected is None
    peer.says(SUBACK_BOTH)
    assert peer.link.connected == Connected(session_present=True)


def test_a_session_that_has_the_subscriptions_is_not_asked_for_them_again() -> None:
    peer = Peer(granted=["a", "b"])
    peer.upgrade()
    peer.says(CONNACK_SESSION_PRESENT)
    assert peer.take() == b""
    assert peer.link.connected == Connected(session_present=True)
    for granted, connack in ((["a", "b"], CONNACK), (["a"], CONNACK_SESSION_PRESENT)):
        other = Peer(granted=granted)
        other.upgrade()
        other.says(connack)
        assert other.take()[0] == 0x82


def test_a_refused_connection_says_why() -> None:
    peer = Peer()
    peer.upgrade()
    peer.says(CONNACK_NOT_AUTHORIZED)
    assert isinstance(peer.link.failure, BrokerRefused)
    assert "not authorized" in peer.link.failure.what
    assert peer.link.ended is not None


@pytest.mark.parametrize("reason", [b"\x80", b"\x87"])
def test_a_refused_subscription_names_the_topic(reason: bytes) -> None:
    peer = Peer()
    peer.upgrade()
    peer.says(CONNACK, SUBACK_GRANTED_A + reason)
    assert isinstance(peer.link.failure, BrokerRefused)
    assert "topic b" in str(peer.link.failure)
    assert peer.link.connected is None


def test_a_connection_that_ends_before_it_is_ready_is_a_failure() -> None:
    peer = Peer()
    peer.upgrade()
    peer.link.end("reset")
    assert isinstance(peer.link.failure, BrokerUnreachable)
    assert "no MQTT connection: reset" in str(peer.link.failure)
    assert "may connect to AWS IoT" in str(peer.link.failure)
    assert peer.changes == 1


def test_a_delivery_is_acknowledged_only_when_it_is_told_so() -> None:
    peer = Peer().ready()
    peer.says(publish(b"a", 7, b"hello"))
    assert peer.delivered == [("a", b"hello", 7)]
    assert peer.take() == b""
    peer.link.ack(7)
    assert peer.take() == b"\x40\x02\x00\x07"


def test_messages_that_come_before_the_subscriptions_are_granted_can_be_acknowledged() -> None:
    peer = Peer()
    peer.upgrade()
    peer.says(CONNACK_SESSION_PRESENT, publish(b"a", 7, b"waited"))
    peer.take()
    peer.link.ack(7)
    assert peer.take() == b"\x40\x02\x00\x07"


def test_a_publish_is_unacknowledged_until_its_puback_and_its_reason_is_told() -> None:
    peer = Peer().ready()
    number = peer.link.publish("a", b"x")
    assert peer.link.unacknowledged == {number}
    assert peer.take() == publish(b"a", number, b"x")
    peer.says(puback(number, 0x10))
    assert peer.acknowledged == [(number, 0x10)]
    assert peer.link.unacknowledged == set()


def test_a_change_is_told_when_nothing_is_unacknowledged_any_more() -> None:
    peer = Peer().ready()
    first, second = peer.link.publish("a", b"x"), peer.link.publish("a", b"y")
    before = peer.changes
    peer.says(puback(first))
    assert peer.changes == before
    peer.says(puback(second))
    assert peer.changes == before + 1


def test_a_message_may_expire_in_the_broker() -> None:
    peer = Peer().ready()
    peer.link.publish("a", b"x", expiry=8)
    assert b"\x05\x02" + struct.pack("!I", 8) + b"x" in peer.take()


def test_a_takeover_is_told_apart() -> None:
    peer = Peer().ready()
    peer.says(DISCONNECT_TAKEN_OVER)
    assert peer.link.ended is not None
    assert peer.link.ended.taken_over
    peer.link.ack(1)
    peer.link.tick()
    assert peer.take() == b""


def test_packets_may_be_cut_and_joined_by_websocket_frames() -> None:
    peer = Peer().ready()
    stream = publish(b"a", 1, b"one") + publish(b"b", 2, b"two")
    peer.says(*(bytes([byte]) for byte in stream))
    peer.says(stream)
    assert peer.delivered == [("a", b"one", 1), ("b", b"two", 2)] * 2


def test_a_ping_is_answered() -> None:
    peer = Peer().ready()
    peer.link.feed(b"\x89\x02hi")
    assert peer.written[0] == 0x8A


def ended(peer: Peer) -> Disconnected:
    assert peer.link.ended is not None
    return peer.link.ended


def test_a_websocket_close_ends_it_after_what_came_before() -> None:
    peer = Peer().ready()
    peer.link.feed(in_frame(publish(b"a", 7, b"last")) + b"\x88\x02\x03\xe8")
    assert peer.delivered == [("a", b"last", 7)]
    assert ended(peer) == Disconnected("the broker closed the connection", orderly=True)
    assert peer.written[0] == 0x88, "it is answered"


@pytest.mark.parametrize(
    ("nonsense", "reason"),
    [
        (b"\x82\xff", "the broker violated the WebSocket protocol: incorrect masking"),
        (b"\x81\x01x", "the broker sent a text frame, which MQTT forbids"),
        (in_frame(b"\x00\x00"), "protocol error"),
        (in_frame(b"\x30\xff\xff\xff\xff\xff"), "protocol error"),
    ],
)
def test_nonsense_ends_it_and_is_told_as_what_it_is(nonsense: bytes, reason: str) -> None:
    peer = Peer().ready()
    peer.link.feed(nonsense)
    assert ended(peer) == Disconnected(reason)


def test_a_handshake_that_is_refused_is_the_failure() -> None:
    kinds = {403: BrokerRefused, 499: BrokerRefused, 500: BrokerUnreachable, 503: BrokerUnreachable}
    for status, kind in kinds.items():
        peer = Peer()
        peer.link.start()
        peer.link.feed(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
        assert type(peer.link.failure) is kind
        assert f"HTTP {status} No" in str(peer.link.failure)
        assert "broker.example" in str(peer.link.failure)
        assert f"HTTP {status} No" in ended(peer).reason


def test_a_refusal_that_ends_with_the_stream_is_one_too() -> None:
    peer = Peer()
    peer.link.start()
    peer.link.feed(b"HTTP/1.1 403 No\r\n\r\nnot you")
    assert peer.link.failure is None
    peer.link.closed_by_broker()
    assert isinstance(peer.link.failure, BrokerRefused)
    assert "HTTP 403 No" in str(peer.link.failure)


def test_an_answer_that_was_cut_is_just_a_closed_connection() -> None:
    peer = Peer()
    peer.link.start()
    peer.link.feed(b"HTTP/1.1 101 Swi")
    peer.link.closed_by_broker()
    assert isinstance(peer.link.failure, BrokerUnreachable)
    assert ended(peer) == Disconnected("the broker closed the connection", orderly=True)


def test_before_the_handshake_is_over_nothing_else_is_sent() -> None:
    peer = Peer()
    peer.link.start()
    peer.written = b""
    peer.link.tick()
    peer.link.ack(1)
    peer.link.ping()
    peer.link.goodbye()
    assert peer.written == b""
    assert ended(peer).reason == "closed"


def test_a_goodbye_is_a_disconnect_without_will() -> None:
    peer = Peer().ready()
    peer.link.goodbye()
    assert peer.take().startswith(b"\xe0\x00")
    assert peer.link.ended is not None
    assert peer.link.ended.reason == "closed"


def test_paho_still_calls_what_is_replaced_when_a_pong_comes() -> None:
    peer = Peer().ready()
    peer.link.ping()
    assert peer.take() == b"\xc0\x00"
    peer.says(PINGRESP)
    assert peer.pongs == 1
    assert peer.link.ended is None


def test_nothing_is_asked_of_a_connection_that_is_not_there() -> None:
    peer = Peer()
    peer.link.ping()
    peer.link.end("gone")
    peer.link.ping()
    assert peer.pongs == 0


def test_an_end_by_the_broker_is_told_from_an_accident() -> None:
    ends = {}
    ways: dict[str, Callable[[Peer], None]] = {
        "close frame": lambda peer: peer.link.feed(b"\x88\x02\x03\xe8"),
        "disconnect": lambda peer: peer.says(b"\xe0\x02\x8b\x00"),
        "end of stream": lambda peer: peer.link.closed_by_broker(),
        "reset": lambda peer: peer.link.end("connection reset"),
        "nonsense": lambda peer: peer.link.feed(b"\x82\xff"),
    }
    for name, end in ways.items():
        peer = Peer().ready()
        end(peer)
        assert peer.link.ended is not None
        ends[name] = peer.link.ended.orderly
    assert ends == {
        "close frame": True,
        "disconnect": True,
        "end of stream": True,
        "reset": False,
        "nonsense": False,
    }
