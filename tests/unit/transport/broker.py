"""A broker without I/O: the server's side of `websockets`, and as much MQTT 5 as the clients see.

What it does not do (sessions, wills, delivery by topic) the brokers of the integration tests do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14


class Session:
    """One connection. `take` is what it has to say."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._protocol = ServerProtocol(
            subprotocols=[Subprotocol("mqtt")], max_size=None, logger=logging.Logger("broker")
        )
        self._stream = b""
        self.path = ""
        self.ended = False
        broker.sessions.append(self)

    def feed(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self.path = event.path
                refusal = self._broker.refuses
                accept = self._protocol.accept(event)
                self._protocol.send_response(self._protocol.reject(*refusal) if refusal else accept)
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                self._stream += bytes(event.data)
        while (packet := self._packet()) is not None:
            self._take(*packet)

    def take(self) -> bytes:
        return b"".join(self._protocol.data_to_send())

    def say(self, *packets: bytes) -> None:
        for packet in packets:
            self._protocol.send_binary(packet)

    def deliver(self, topic: str, payload: bytes, number: int) -> None:
        name = topic.encode()
        body = struct.pack("!H", len(name)) + name + struct.pack("!HB", number, 0) + payload
        self.say(bytes([0x32, len(body)]) + body)

    def close(self) -> None:
        self._protocol.send_close(1000)

    def _packet(self) -> tuple[int, bytes] | None:
        size = shift = 0
        for at, byte in enumerate(self._stream[1:5], 1):
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 128:
                if len(self._stream) <= at + size:
                    return None
                first, body = self._stream[0], self._stream[at + 1 : at + 1 + size]
                self._stream = self._stream[at + 1 + size :]
                return first, body
        return None

    def _take(self, first: int, body: bytes) -> None:
        broker, kind = self._broker, first >> 4
        broker.received.append((kind, body))
        if kind == CONNECT:
            self.say(b"\x20\x03\x00\x00\x00")
            broker.connected()
        elif kind == SUBSCRIBE and broker.grants:
            topics = body.count(b"\x01") - body[:2].count(b"\x01")
            self.say(bytes([0x90, 3 + topics]) + body[:2] + b"\x00" + b"\x01" * topics)
            broker.subscribed(self)
        elif kind == PUBLISH:
            size = struct.unpack_from("!H", body)[0]
            topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
            number, qos = rest[:2], first >> 1 & 3
            if qos:
                rest = rest[2:]
            broker.published.append((topic, rest[1 + rest[0] :], bool(first & 1)))
            broker.expiries.append(rest[1 : 1 + rest[0]])
            broker.qos.append(qos)
            if qos and broker.acknowledges is not None:
                self.say(b"\x40\x03" + number + bytes([broker.acknowledges]))
        elif kind == PINGREQ and broker.pongs:
            self.say(b"\xd0\x00")


def set_reset(connection: socket.socket) -> None:
    """Have the peer see a reset when this is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Broker:
    """What the sessions share: how they behave, and what has come."""

    def __init__(self) -> None:
        self.refuses: tuple[int, str] | None = None
        """An HTTP status and text, instead of the upgrade."""
        self.grants = True
        self.pongs = True
        self.acknowledges: int | None = 0
        """With which reason; None: never."""
        self.waiting: list[tuple[str, bytes, int]] = []
        """Delivered as soon as a client has subscribed."""
        self.sessions: list[Session] = []
        self.received: list[tuple[int, bytes]] = []
        self.published: list[tuple[str, bytes, bool]] = []
        self.expiries: list[bytes] = []
        self.qos: list[int] = []
        self.port = 0

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    def connected(self) -> None:
        """A client has connected."""

    def subscribed(self, session: Session) -> None:
        for each in self.waiting:
            session.deliver(*each)

    def kinds(self) -> list[int]:
        return [kind for kind, _ in self.received]


class AsyncBroker(Broker):
    """On a port of this event loop. `change` is set whenever something has come."""

    def __init__(self) -> None:
        super().__init__()
        self.change = asyncio.Condition()
        self._writers: list[asyncio.StreamWriter] = []

    async def until(self, condition: object) -> None:
        async with asyncio.timeout(10), self.change:
            await self.change.wait_for(condition)  # type: ignore[arg-type]

    async def flush(self) -> None:
        """Send what the last session has been told to say."""
        self._writers[-1].write(self.session.take())

    def cut(self) -> None:
        """Reset the last connection."""
        set_reset(self._writers[-1].get_extra_info("socket"))
        self._writers[-1].transport.abort()

    def end(self) -> None:
        """Close the last connection without a word."""
        self._writers[-1].close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(self)
        self._writers.append(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                session.feed(data)
                writer.write(session.take())
                async with self.change:
                    self.change.notify_all()
        session.ended = True
        writer.close()
        async with self.change:
            self.change.notify_all()


@contextlib.asynccontextmanager
async def async_broker() -> AsyncIterator[AsyncBroker]:
    broker = AsyncBroker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        for writer in broker._writers:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


class ThreadBroker(Broker):
    """On a port of a thread, one connection after the other."""

    def __init__(self, listening: socket.socket) -> None:
        super().__init__()
        self.port = listening.getsockname()[1]
        self.connection: socket.socket | None = None
        self._listening = listening

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connection, session = connection, Session(self)
            with contextlib.suppress(OSError), connection:
                while data := connection.recv(65536):
                    session.feed(data)
                    connection.sendall(session.take())
            session.ended = True

    def flush(self) -> None:
        """Send what the last session has been told to say."""
        assert self.connection is not None
        self.connection.sendall(self.session.take())

    def hang_up(self) -> None:
        assert self.connection is not None
        self.connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        assert self.connection is not None
        set_reset(self.connection)
        self.connection.shutdown(socket.SHUT_RD)  # which ends the thread's `recv`


@contextlib.contextmanager
def thread_broker() -> Iterator[ThreadBroker]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        broker = ThreadBroker(listening)
        thread = threading.Thread(target=broker.serve)
        thread.start()
        try:
            yield broker
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                broker.hang_up()
            thread.join(10)
