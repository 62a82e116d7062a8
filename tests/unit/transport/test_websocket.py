from __future__ import annotations

import base64
import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.transport.websocket import (
    BINARY,
    Decoder,
    Handshake,
    HandshakeRefused,
    WebSocketError,
    frame,
)


def accepting(handshake: Handshake) -> bytes:
    lines = handshake.request.decode().split("\r\n")
    key = next(line.split(": ")[1] for line in lines if line.startswith("Sec-WebSocket-Key"))
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()  # noqa: S324
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: "
        + base64.b64encode(digest)
        + b"\r\nupgrade: websocket\r\n\r\n"
    )


def from_server(payload: bytes, opcode: int = BINARY) -> bytes:
    """RFC 6455, section 5.2, written down anew: unmasked."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def unmasked(data: bytes) -> bytes:
    """The payload of a client's frame, byte by byte as RFC 6455 has it in section 5.3."""
    assert data[0] == 0x80 | BINARY
    assert data[1] & 0x80
    start = {126: 4, 127: 10}.get(data[1] & 0x7F, 2)
    mask, body = data[start : start + 4], data[start + 4 :]
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(body))


@given(st.binary(max_size=300))
def test_a_frame_is_masked_as_the_rfc_says(payload: bytes) -> None:
    assert unmasked(frame(BINARY, payload)) == payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 120 * 1024])
def test_a_frame_of_any_size_can_be_read(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    sent = frame(BINARY, bytearray(payload))
    assert unmasked(sent) == payload
    assert Decoder().feed(from_server(payload)) == [(BINARY, payload)]


@given(st.lists(st.binary(max_size=200), max_size=5), st.data())
def test_frames_are_found_wherever_the_stream_is_cut(
    payloads: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(from_server(payload) for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    frames = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        frames += decoder.feed(stream[start:end])
    assert frames == [(BINARY, payload) for payload in payloads]


def test_a_masked_or_huge_frame_is_an_error() -> None:
    with pytest.raises(WebSocketError, match="masks"):
        Decoder().feed(frame(BINARY, b"x"))
    with pytest.raises(WebSocketError, match="bytes"):
        Decoder().feed(struct.pack("!BBQ", 0x82, 127, 2**40))


def test_a_handshake_is_complete_with_the_end_of_the_answer() -> None:
    handshake = Handshake("example.org", "/mqtt?a=b")
    assert handshake.request.startswith(b"GET /mqtt?a=b HTTP/1.1\r\nHost: example.org\r\n")
    answer = accepting(handshake)
    assert handshake.feed(answer[:40]) is None
    assert handshake.feed(answer[40:] + b"more") == b"more"


def test_an_http_error_is_a_refusal_with_its_status() -> None:
    with pytest.raises(HandshakeRefused, match="HTTP 403 Forbidden") as caught:
        Handshake("h", "/").feed(b"HTTP/1.1 403 Forbidden\r\n\r\n{}")
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Ok\r\n\r\n",
        b"HTTP/1.1 101 Ok\r\nSec-WebSocket-Accept: c3RyYW5nZXI=\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"\r\n\r\n",
        b"x" * 20_000,
    ],
)
def test_another_answer_is_an_error(answer: bytes) -> None:
    with pytest.raises(WebSocketError):
        Handshake("h", "/").feed(answer)
