"""A small HTTP/1.1 server on 127.0.0.1: llhttp's parser over asyncio's transports.

One request at a time on each connection, whole bodies, and an answer that may come much later, or
piece by piece.
A peer that breaks the protocol gets a 4xx and is hung up on; it never raises into the daemon. Who
may not be here is refused when the head of the request has come, before any of its body is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Final

from devbridge.daemon.http_requests import (
    MAX_HEAD,
    Continue,
    Endless,
    Gate,
    Refusal,
    Request,
    Requests,
    Whole,
)

__all__ = ["Exchange", "HttpServer", "Refusal", "Request"]

log = logging.getLogger(__name__)

REQUEST_TIMEOUT: Final = 60.0
"""Seconds in which a request must have come, from its first byte, or from the connection's start,
to its last byte. A connection that rests after an answer may rest for ever: a job takes hours."""
MAX_STRANGERS: Final = 64
"""Connections that have not made a whole request yet; with one more, the oldest is closed."""


class Exchange:
    """One request that waits for its answer."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._over = False
        """It was answered, or hung up on."""
        self.on_disconnect: Callable[[], None] | None = None
        """Called when the peer hangs up before the answer."""

    @property
    def hung_up(self) -> bool:
        """Whether the connection over which it came is closed, before the answer or after it."""
        return self._connection.closed

    def answer(
        self, status: HTTPStatus, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send the answer, JSON unless the headers say otherwise. The first one counts; after a
        disconnect it goes nowhere."""
        if self._ends():
            self._connection.send(status, body, headers or {})

    def begin(self, headers: Mapping[str, str]) -> None:
        """Send the head of an answer that comes in pieces; `on_disconnect` is its only end that the
        peer makes."""
        if not self._over:
            self._connection.begin(headers)

    def write(self, data: bytes) -> None:
        """Send a piece of an answer that was begun."""
        if not self._over:
            self._connection.write(data)

    @property
    def unsent(self) -> int:
        """The bytes of such an answer that the peer has not taken yet."""
        return self._connection.unsent

    def end(self) -> None:
        """End an answer that was begun."""
        if self._ends():
            self._connection.end()

    def hang_up(self) -> None:
        """Close the connection without an answer."""
        if self._ends():
            self._connection.abort()

    def disconnected(self) -> None:
        """The peer has hung up."""
        if self._ends() and self.on_disconnect is not None:
            self.on_disconnect()

    def _ends(self) -> bool:
        """It is over now; False: it was already."""
        before, self._over = self._over, True
        return not before


Handler = Callable[[Request, Exchange], None]


class HttpServer:
    """Calls `gate` with each request's head, and `handler` with each whole request that it lets
    in, both in the event loop's thread. Other methods than these are refused before that."""

    def __init__(
        self,
        gate: Gate,
        handler: Handler,
        *,
        max_body: int,
        methods: Collection[str] = ("GET", "POST"),
    ) -> None:
        self.gate = gate
        self.handler = handler
        self.max_body = max_body
        self.methods = frozenset(method.encode() for method in methods)
        self.port = 0
        self.connections: set[_Connection] = set()
        self.strangers: dict[_Connection, None] = {}
        """Those that have not made a whole request yet, the oldest first."""
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on that port of 127.0.0.1, or on a free one: see `port`.

        Raises:
            OSError: no socket could be opened.
        """
        loop = asyncio.get_running_loop()
        # asyncio sets TCP_NODELAY by itself.
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Hang up on everybody and listen no more. Idempotent."""
        for connection in list(self.connections):
            connection.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None


class _Connection(asyncio.Protocol):
    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._requests = Requests(server.gate, server.methods, server.max_body)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._unread = b""
        """What came while the peer should have waited for its answer."""
        self._stays = self._chunked = True
        """After the answer; and, if that comes in pieces, each says how long it is."""
        self._patience: asyncio.TimerHandle | None = None
        self._gathered: list[bytes] | None = None
        """While requests are read: the answers to them, which go out together."""
        self._takes = True
        """The peer takes what it is sent; one that does not is not answered any more."""

    @property
    def closed(self) -> bool:
        return self._transport is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type
        self._transport = transport
        self._server.connections.add(self)
        self._server.strangers[self] = None
        if len(self._server.strangers) > MAX_STRANGERS:
            next(iter(self._server.strangers)).abort()
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server.connections.discard(self)
        self._server.strangers.pop(self, None)
        self._expect_no_more()
        self._transport = None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.disconnected()

    def pause_writing(self) -> None:
        self._takes = False

    def resume_writing(self) -> None:
        self._takes = True
        if self._exchange is None:
            self._advance()

    def abort(self) -> None:
        self._server.strangers.pop(self, None)
        if self._transport is not None:
            self._transport.abort()

    def _expect(self) -> None:
        """From now on a request must come, whole, in time."""
        if self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(REQUEST_TIMEOUT, self.abort)

    def _expect_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._unread += data
        if self._exchange is None and self._takes:
            self._advance()
        elif len(self._unread) > MAX_HEAD:
            self.abort()  # it sends without end instead of waiting for its answer

    def _advance(self) -> None:
        self._gathered = []
        try:
            self._read()
        finally:
            self._send_gathered()
        if self._transport is not None and self._exchange is None and self._requests.under_way:
            self._expect()

    def _write(self, data: bytes) -> None:
        if self._gathered is not None:
            self._gathered.append(data)
        elif self._transport is not None:
            self._transport.write(data)

    def _send_gathered(self) -> None:
        gathered, self._gathered = self._gathered, None
        if gathered:
            self._write(b"".join(gathered))

    def _close(self) -> None:
        self._send_gathered()
        if self._transport is not None:
            self._transport.close()

    def _read(self) -> None:
        while self._exchange is None and self._takes:
            if self._transport is None or self._transport.is_closing():
                return
            match self._requests.next():
                case Refusal() as refusal:
                    self._hang_up_with(refusal)
                case Whole(request, stays, chunked):
                    self._stays, self._chunked = stays, chunked
                    self._dispatch(request)
                case Continue():
                    self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
                case Endless():
                    self.abort()
                case None if self._unread:
                    data, self._unread = self._unread, b""
                    self._requests.feed(data)
                case None:
                    return

    def _dispatch(self, request: Request) -> None:
        self._expect_no_more()
        self._server.strangers.pop(self, None)
        exchange = self._exchange = Exchange(self)
        try:
            self._server.handler(request, exchange)
        except Exception:
            log.exception("a request could not be handled")
            exchange.answer(HTTPStatus.INTERNAL_SERVER_ERROR, b'{"errorType":"InternalError"}')

    def send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        self._send(self._answer(status, fields) + body)
        self._next_request()

    def begin(self, headers: Mapping[str, str]) -> None:
        self._stays = self._stays and self._chunked
        coding = {"Transfer-Encoding": "chunked"} if self._chunked else {}
        self._send(self._answer(HTTPStatus.OK, {**headers, **coding}))

    def write(self, data: bytes) -> None:
        if data:  # a piece without anything would be the last one
            self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    @property
    def unsent(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def end(self) -> None:
        self._send(b"0\r\n\r\n" if self._chunked else b"")
        self._next_request()

    def _answer(self, status: HTTPStatus, headers: Mapping[str, str]) -> bytes:
        """The head of an answer.

        Raises:
            ValueError: a header has what no header may have.
        """
        fields = headers if self._stays else {**headers, "Connection": "close"}
        lines = [f"HTTP/1.1 {status:d} {status.phrase}"]
        lines += [f"{name}: {text}" for name, text in fields.items()]
        if not all(map(str.isprintable, lines)):
            raise ValueError("a header has a character that ends it")
        return "\r\n".join([*lines, "\r\n"]).encode("ascii")

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._write(data)

    def _next_request(self) -> None:
        self._exchange = None
        if self._transport is None:
            return
        if not self._stays:
            self._close()
        elif self._gathered is None and (self._requests.waiting or self._unread):
            asyncio.get_running_loop().call_soon(self._advance)

    def _hang_up_with(self, refusal: Refusal) -> None:
        self._stays = False
        self.send(refusal.status, refusal.body, refusal.headers)
