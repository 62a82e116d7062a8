"""Against the server's side of `websockets`, and against bytes written down from RFC 6455."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from devbridge.transport.websocket import (
    MAX_MESSAGE,
    HandshakeRefused,
    WebSocket,
    WebSocketError,
)


class Server:
    """The other side, as `websockets` has it."""

    def __init__(self, *subprotocols: str) -> None:
        offered = [Subprotocol(each) for each in subprotocols]
        self.protocol = ServerProtocol(
            subprotocols=offered or None, max_size=None, logger=logging.Logger("server")
        )
        self.got = b""
        self.pongs: list[bytes] = []

    def receive(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.request = event
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                self.got += bytes(event.data)
            elif isinstance(event, Frame) and event.opcode is Opcode.PONG:
                self.pongs.append(bytes(event.data))

    def take(self) -> bytes:
        return b"".join(self.protocol.data_to_send())

    @property
    def told(self) -> int | None:
        """The code that the client has closed with."""
        received = self.protocol.close_rcvd
        return received.code if received is not None else None


def opened(server: Server) -> WebSocket:
    client = WebSocket("example.org", "/mqtt?a=b%2Fc")
    server.receive(client.take())
    server.protocol.send_response(server.protocol.accept(server.request))
    assert client.feed(server.take()) == []
    return client


@pytest.fixture
def server() -> Server:
    return Server("mqtt")


def raw(head: int, payload: bytes = b"", *, size: int | None = None) -> bytes:
    """RFC 6455, section 5.2, written down anew: unmasked."""
    size = len(payload) if size is None else size
    if size < 126:
        return struct.pack("!BB", head, size) + payload
    if size < 65536:
        return struct.pack("!BBH", head, 126, size) + payload
    return struct.pack("!BBQ", head, 127, size) + payload


# --- the handshake ------------------------------------------------------------------------------


def test_it_asks_for_mqtt_at_the_path_and_by_the_name_it_was_given(server: Server) -> None:
    client = opened(server)
    assert client.upgraded
    assert server.request.path == "/mqtt?a=b%2Fc"
    assert server.request.headers["Host"] == "example.org"
    assert server.protocol.state is State.OPEN
    assert server.protocol.subprotocol == "mqtt"


def test_what_comes_with_the_end_of_the_answer_is_the_beginning_of_the_stream(
    server: Server,
) -> None:
    client = WebSocket("h", "/")
    server.receive(client.take())
    server.protocol.send_response(server.protocol.accept(server.request))
    server.protocol.send_binary(b"more")
    answer = server.take()
    assert client.feed(answer[:40]) == []
    assert not client.upgraded
    assert client.feed(answer[40:]) == [b"more"]


def test_a_broker_that_does_not_agree_to_mqtt_is_left() -> None:
    server = Server()
    client = WebSocket("h", "/")
    server.receive(client.take())
    server.protocol.send_response(server.protocol.accept(server.request))
    with pytest.raises(WebSocketError, match="does not agree to speak MQTT"):
        client.feed(server.take())
    server.receive(client.take())
    assert server.told == 1003


def test_an_http_error_is_a_refusal_with_its_status() -> None:
    with pytest.raises(HandshakeRefused, match=r"^HTTP 403 Forbidden$") as caught:
        WebSocket("h", "/").feed(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}")
    assert caught.value.status == 403


def test_an_http_error_may_end_with_the_stream() -> None:
    client = WebSocket("h", "/")
    assert client.feed(b"HTTP/1.1 403 Forbidden\r\n\r\n{") == []
    with pytest.raises(HandshakeRefused, match=r"^HTTP 403 Forbidden$"):
        client.end()


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 101 Switching", b"HTTP/1.1 101 Ok\r\nA: b\r\n"])
def test_an_answer_that_is_cut_is_an_error(begun: bytes) -> None:
    client = WebSocket("h", "/")
    client.feed(begun)
    with pytest.raises(WebSocketError, match="handshake failed"):
        client.end()


def changed(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(answer: bytes) -> bytes:
        assert old in answer
        return answer.replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x"), "Sec-WebSocket-Accept"),
        (changed(b"Sec-WebSocket-Accept", b"X-Accept"), "Sec-WebSocket-Accept"),
        (changed(b"Upgrade: websocket", b"Upgrade: h2c"), "Upgrade"),
        (changed(b"Connection: Upgrade", b"Connection: close"), "Connection"),
        (changed(b"Protocol: mqtt", b"Protocol: mqttv3.1"), "mqttv3.1"),
        (changed(b"Protocol: mqtt", b"Protocol: mqtt, amqp"), "multiple values"),
        (changed(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: x\r\n\r\n"), "extensions"),
        (lambda _: b"SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP"),
        (lambda _: b"x" * 20_000, "handshake failed"),
    ],
)
def test_another_answer_is_an_error(
    server: Server, change: Callable[[bytes], bytes], said: str
) -> None:
    client = WebSocket("h", "/")
    server.receive(client.take())
    server.protocol.send_response(server.protocol.accept(server.request))
    with pytest.raises(WebSocketError, match=said) as caught:
        client.feed(change(server.take()))
    assert not isinstance(caught.value, HandshakeRefused)
    assert not client.upgraded


def test_the_signature_in_the_path_is_never_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        opened(server)
    assert caplog.records == []


# --- frames -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 120 * 1024])
def test_a_message_of_any_size_passes_in_both_directions(server: Server, size: int) -> None:
    client, payload = opened(server), bytes(index % 251 for index in range(size))
    client.send(bytearray(payload))
    sent = client.take()
    assert sent[1] & 0x80, "a client masks"
    server.receive(sent)
    assert server.got == payload
    assert client.feed(raw(0x82, payload)) == [payload]


@given(st.lists(st.binary(max_size=300), max_size=6), st.data())
def test_the_stream_is_whole_wherever_it_is_cut_into_frames_and_packets(
    messages: list[bytes], data: st.DataObject
) -> None:
    server = Server("mqtt")
    client = opened(server)
    pings = []
    for message in messages:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(message)), max_size=3)))
        parts = [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]
        for index, part in enumerate(parts):
            send = server.protocol.send_continuation if index else server.protocol.send_binary
            send(part, fin=index == len(parts) - 1)
            if data.draw(st.booleans()):
                pings.append(part[:125])
                server.protocol.send_ping(part[:125])
    stream = server.take()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    got = b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += b"".join(client.feed(stream[start:end]))
    assert got == b"".join(messages)
    server.receive(client.take())
    assert server.pongs == pings


@given(st.lists(st.binary(max_size=300), max_size=6), st.data())
def test_what_is_sent_arrives_wherever_the_network_cuts_it(
    messages: list[bytes], data: st.DataObject
) -> None:
    server = Server("mqtt")
    client = opened(server)
    for message in messages:
        client.send(message)
    stream = client.take()
    assert client.take() == b""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        server.receive(stream[start:end])
    assert server.got == b"".join(messages)
    assert server.protocol.parser_exc is None


FIN = 0x80
BROKEN = {
    "masked": (b"\x82\x81\x00\x00\x00\x00x", 1002),
    "a reserved bit": (raw(FIN | 0x40 | 0x2, b"x"), 1002),
    "a reserved bit of a ping": (raw(FIN | 0x10 | 0x9), 1002),
    "an unknown opcode": (raw(FIN | 0x3, b"x"), 1002),
    "an unknown control opcode": (raw(FIN | 0xB), 1002),
    "a long ping": (raw(FIN | 0x9, b"x" * 126), 1002),
    "a fragmented ping": (raw(0x9, b"x"), 1002),
    "a fragmented close": (raw(0x8, b"\x03\xe8"), 1002),
    "a continuation of nothing": (raw(FIN | 0x0, b"x"), 1002),
    "a message inside another": (raw(0x2, b"x") + raw(FIN | 0x2, b"y"), 1002),
    "a close with half a code": (raw(FIN | 0x8, b"\x03"), 1002),
    "a close with a code that is never sent": (raw(FIN | 0x8, b"\x03\xee"), 1002),
    "a close with a reason that is no text": (raw(FIN | 0x8, b"\x03\xe8\xff"), 1007),
    "text": (raw(FIN | 0x1, b"x"), 1003),
    "too large": (raw(FIN | 0x2, size=MAX_MESSAGE + 1), 1009),
    "huge": (raw(FIN | 0x2, size=2**40), 1009),
    "too large in the end": (raw(0x2, bytes(MAX_MESSAGE)) + raw(FIN, b"x"), 1009),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_rule_is_an_error_and_the_broker_is_told_which(server: Server, what: str) -> None:
    client, (data, code) = opened(server), BROKEN[what]
    with pytest.raises(WebSocketError):
        client.feed(data)
    server.receive(client.take())
    assert server.told == code
    client.send(b"more")
    client.close()
    assert client.take() == b"", "nothing follows"


@given(st.binary(max_size=60))
def test_whatever_comes_is_bytes_or_an_error(noise: bytes) -> None:
    client = opened(Server("mqtt"))
    try:
        pieces = client.feed(noise)
    except WebSocketError:
        return
    assert all(type(piece) is bytes for piece in pieces)


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"\x88\x02\x03\xe8", 1000), (b"\x88\x00", 1005), (b"\x88\x02\x0f\xa0", 4000)],
)
def test_a_close_is_answered_with_the_same_and_its_code_is_told(
    server: Server, frame: bytes, code: int
) -> None:
    client = opened(server)
    assert client.close_code is None
    assert client.feed(raw(FIN | 0x2, b"last") + frame) == [b"last"]
    assert client.close_code == code
    server.receive(client.take())
    assert server.told == code
    client.send(b"too late")
    assert client.take() == b""


def test_it_closes_in_good_order(server: Server) -> None:
    client = opened(server)
    client.close()
    client.close()
    server.receive(client.take())
    assert server.told == 1000
    assert client.take() == b""


def test_the_end_of_the_stream_after_the_handshake_is_no_error_of_its_own(server: Server) -> None:
    opened(server).end()
