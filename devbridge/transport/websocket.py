"""The client's side of a WebSocket that carries MQTT, without I/O: bytes in, bytes out.

The framing is that of the `websockets` package. paho-mqtt has a WebSocket of its own, but it owns
the (blocking) socket, masks each byte in Python (7 ms for a frame of 120 KiB; here less than one),
reads its answers byte by byte with one system call each, and does not let the Host header differ
from the address that is dialled.
"""

from __future__ import annotations

import logging
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

MQTT: Final = Subprotocol("mqtt")
"""MQTT 5, 6.0: the subprotocol that the client asks for, and that the server must agree to."""
MAX_MESSAGE: Final = 1024 * 1024
"""Bytes of one message from the broker; AWS IoT sends at most 128 KiB."""
_NORMAL: Final = 1000
_UNSUPPORTED: Final = 1003
_SILENT: Final = logging.Logger("devbridge.transport.websocket", logging.CRITICAL)
"""`websockets` logs requests, and with them the signature in the path."""


class WebSocketError(Exception):
    """The other side does not speak WebSocket, or broke its rules."""


class HandshakeRefused(WebSocketError):
    """The other side answered the handshake with an HTTP error. `status` is its code."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"HTTP {status} {reason}".rstrip())
        self.status = status


class WebSocket:
    """One connection, from the handshake on.

    Args:
        host: what the Host header says.
        path: the path to ask for, with its query, encoded as it is to be sent.
    """

    def __init__(self, host: str, path: str) -> None:
        # With the scheme's own port the Host header is the bare name, wherever we dial.
        uri = WebSocketURI(secure=True, host=host, port=443, path=path, query="")
        self._protocol = ClientProtocol(
            uri, subprotocols=[MQTT], max_size=MAX_MESSAGE, logger=_SILENT
        )
        self._protocol.send_request(self._protocol.connect())

    @property
    def upgraded(self) -> bool:
        """Whether the handshake is over, and went well."""
        return self._protocol.state is not State.CONNECTING

    @property
    def close_code(self) -> int | None:
        """The code that the other side has closed with (1005 when it gave none), if it has."""
        received = self._protocol.close_rcvd
        return received.code if received is not None else None

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes that have come; the next pieces of the MQTT stream, if there are any.

        Raises:
            HandshakeRefused: the answer to the handshake is an HTTP error.
            WebSocketError: the other side broke the rules.
        """
        self._protocol.receive_data(data)
        return self._received()

    def end(self) -> None:
        """The stream has ended, which may be what an HTTP error's text was waiting for.

        Raises:
            HandshakeRefused: the answer to the handshake was an HTTP error.
            WebSocketError: it was cut, or none at all.
        """
        if not self.upgraded:
            self._protocol.receive_eof()
            self._received()

    def send(self, data: bytes | bytearray) -> None:
        """Send bytes of the MQTT stream; nothing is sent any more once it is being closed."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_binary(data)

    def close(self) -> None:
        """Close in good order, if it is open."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(_NORMAL)

    def take(self) -> bytes:
        """What is to be sent now."""
        return b"".join(self._protocol.data_to_send())

    def _received(self) -> list[bytes]:
        protocol = self._protocol
        events = protocol.events_received()
        if (refused := protocol.handshake_exc) is not None:
            if isinstance(refused, InvalidStatus):
                response = refused.response
                raise HandshakeRefused(response.status_code, response.reason_phrase)
            cause = f": {refused.__cause__}" if refused.__cause__ else ""
            raise WebSocketError(f"the WebSocket handshake failed: {refused}{cause}")
        if self.upgraded and protocol.subprotocol != MQTT:
            protocol.fail(_UNSUPPORTED)
            raise WebSocketError("the broker does not agree to speak MQTT on this WebSocket")
        pieces: list[bytes] = []
        for frame in events:
            if not isinstance(frame, Frame):
                continue
            if frame.opcode is Opcode.TEXT:  # and MQTT-6.0.0-1 wants the connection closed
                protocol.fail(_UNSUPPORTED)
                raise WebSocketError("the broker sent a text frame, which MQTT forbids")
            if frame.opcode in (Opcode.BINARY, Opcode.CONT):
                pieces.append(bytes(frame.data))
        if protocol.parser_exc is not None:
            raise WebSocketError(
                f"the broker violated the WebSocket protocol: {protocol.parser_exc}"
            )
        return pieces
