"""A small HTTP/1.1 server on 127.0.0.1: h11's protocol over asyncio's transports.

One request at a time on each connection, whole bodies, and an answer that may come much later, or
piece by piece.
A peer that breaks the protocol gets a 4xx and is hung up on; it never raises into the daemon. Who
may not be here is refused when the head of the request has come, before any of its body is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

import h11

log = logging.getLogger(__name__)

MAX_HEAD: Final = 16 * 1024
"""Bytes that a request's first line and headers may have."""
MAX_DISCARDED: Final = 256 * 1024 * 1024
"""Bytes of an oversized body that are read away, so that the peer is able to hear the answer."""
REQUEST_TIMEOUT: Final = 60.0
"""Seconds in which a request must have come, from its first byte, or from the connection's start,
to its last byte. A connection that rests after an answer may rest for ever: a job takes hours."""
MAX_STRANGERS: Final = 64
"""Connections that have not made a whole request yet; with one more, the oldest is closed."""


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request. `headers` have lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False
    """The body was over the limit; it was read away, and `body` is empty."""
    query: str = ""
    """What follows the path, without its question mark."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a request is answered with that is not let in; its connection is closed then."""

    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


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
Gate = Callable[[Request], Refusal | None]


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
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._head: Request | None = None
        """Of the request that comes, once that is whole."""
        self._body = bytearray()
        self._size = 0
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
        try:
            self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            self._refuse(error)
            return
        if self._exchange is None and self._takes:
            self._advance()
        elif len(self._http.trailing_data[0]) > MAX_HEAD:
            self.abort()  # it sends without end instead of waiting for its answer

    def _advance(self) -> None:
        self._gathered = []
        try:
            self._read()
        except h11.RemoteProtocolError as error:
            self._refuse(error)
        finally:
            self._send_gathered()
        if self._transport is not None and self._has_begun:
            self._expect()

    @property
    def _has_begun(self) -> bool:
        """Whether a part of a request has come."""
        if self._exchange is not None:
            return False
        return bool(self._http.trailing_data[0]) or self._http.their_state is h11.SEND_BODY

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
        while self._exchange is None and self._takes and self._transport is not None:
            event = self._http.next_event()
            match event:
                case h11.Request():
                    self._size = 0
                    self._body.clear()
                    if not self._begin(event):
                        return
                case h11.Data():
                    self._size += len(event.data)
                    if self._size <= self._server.max_body:
                        self._body += event.data
                    elif self._size > MAX_DISCARDED:
                        self.abort()
                        return
                case h11.EndOfMessage():
                    self._dispatch()
                case h11.ConnectionClosed():
                    self._close()
                    return
                case _:  # NEED_DATA, PAUSED
                    return

    def _begin(self, request: h11.Request) -> bool:
        """Whether the request may go on."""
        if request.method not in self._server.methods:
            # HEAD allows no body
            self._hang_up_with(Refusal(HTTPStatus.METHOD_NOT_ALLOWED, b""))
            return False
        # h11 looks at the size of a head only while it is not whole.
        fields = sum(len(name) + len(value) for name, value in request.headers)
        if len(request.target) + fields > MAX_HEAD:
            self._hang_up_with(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"{}"))
            return False
        path, _, query = request.target.decode("ascii").partition("?")
        headers = {name.decode("ascii"): text.decode("latin-1") for name, text in request.headers}
        method = request.method.decode("ascii")
        self._head = Request(method, path, headers, body=b"", query=query)
        refusal = self._server.gate(self._head)
        if refusal is not None:
            self._hang_up_with(refusal)
            return False
        if self._transport is not None and self._http.they_are_waiting_for_100_continue:
            going_on = h11.InformationalResponse(status_code=100, headers=[])
            self._write(self._http.send(going_on) or b"")
        return True

    def _dispatch(self) -> None:
        self._expect_no_more()
        self._server.strangers.pop(self, None)
        assert self._head is not None  # noqa: S101 - h11 gives a Request before its end
        too_large = self._size > self._server.max_body
        body = b"" if too_large else bytes(self._body)
        request = replace(self._head, body=body, too_large=too_large)
        self._body.clear()
        exchange = self._exchange = Exchange(self)
        try:
            self._server.handler(request, exchange)
        except Exception:
            log.exception("a request could not be handled")
            exchange.answer(HTTPStatus.INTERNAL_SERVER_ERROR, b'{"errorType":"InternalError"}')

    def send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self._exchange = None
        if self._transport is not None:
            self._send(_head(status, body, headers), h11.Data(data=body), h11.EndOfMessage())
            self._next_request()

    def begin(self, headers: Mapping[str, str]) -> None:
        self._send(h11.Response(status_code=HTTPStatus.OK, headers=[*headers.items()]))

    def write(self, data: bytes) -> None:
        self._send(h11.Data(data=data))

    @property
    def unsent(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def end(self) -> None:
        self._exchange = None
        if self._transport is not None:
            self._send(h11.EndOfMessage())
            self._next_request()

    def _send(self, *parts: h11.Event) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._write(b"".join(self._http.send(part) or b"" for part in parts))

    def _next_request(self) -> None:
        if self._http.our_state is h11.MUST_CLOSE:
            self._close()
        elif self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            if self._gathered is None and self._http.trailing_data[0]:
                asyncio.get_running_loop().call_soon(self._advance)

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        # Not its text: that quotes the request, and the path has a token in it.
        hint = error.error_status_hint
        log.info("malformed request (%d)", hint)
        status = HTTPStatus(hint) if 400 <= hint < 500 else HTTPStatus.BAD_REQUEST
        self._hang_up_with(Refusal(status, b'{"errorType":"InvalidRequest"}'))

    def _hang_up_with(self, refusal: Refusal) -> None:
        if self._transport is None:
            return
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = {**refusal.headers, "Connection": "close"}
            head = _head(refusal.status, refusal.body, headers)
            self._send(head, h11.Data(data=refusal.body), h11.EndOfMessage())
        self._close()


def _head(status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> h11.Response:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    return h11.Response(
        status_code=status, headers=[*fields.items()], reason=status.phrase.encode()
    )
