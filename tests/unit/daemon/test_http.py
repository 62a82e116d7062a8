from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from unittest.mock import ANY

import pytest

from devbridge.daemon import http
from devbridge.daemon.http import MAX_HEAD, Exchange, HttpServer, Refusal, Request

DEADLINE = 30.0
OK = b'{"ok":true}'


class Desk:
    """A server that keeps what comes, and answers when the test says so."""

    def __init__(self) -> None:
        self.refusal: bytes | None = None
        self.error: Exception | None = None
        self.heads: list[Request] = []
        self.requests: asyncio.Queue[tuple[Request, Exchange]] = asyncio.Queue()
        self.server = HttpServer(self._gate, self._handle, max_body=100)

    def _gate(self, request: Request) -> Refusal | None:
        self.heads.append(request)
        return None if self.refusal is None else Refusal(HTTPStatus.FORBIDDEN, self.refusal)

    def _handle(self, request: Request, exchange: Exchange) -> None:
        if self.error is not None:
            raise self.error
        self.requests.put_nowait((request, exchange))

    async def next(self) -> tuple[Request, Exchange]:
        async with asyncio.timeout(DEADLINE):
            return await self.requests.get()

    async def connect(self) -> Peer:
        return Peer(*await asyncio.open_connection("127.0.0.1", self.server.port))


class Peer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, head: str, body: bytes = b"") -> None:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.writer.write(f"{head} HTTP/1.1\r\nHost: here\r\n{length}\r\n".encode() + body)

    async def line(self) -> bytes:
        async with asyncio.timeout(DEADLINE):
            return await self.reader.readline()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        status = int((await self.line()).split()[1])
        headers = {}
        while line := (await self.line()).strip().decode():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return status, headers, await self.reader.readexactly(int(headers["content-length"]))

    async def closed(self) -> bool:
        async with asyncio.timeout(DEADLINE):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.server.start()
    yield made
    await made.server.close()


@pytest.fixture
async def peer(desk: Desk) -> AsyncIterator[Peer]:
    made = await desk.connect()
    yield made
    made.writer.close()


async def test_a_request_is_taken_whole_and_its_answer_may_come_much_later(
    desk: Desk, peer: Peer
) -> None:
    peer.send("POST /some/path?query=1", b"hello")
    request, exchange = await desk.next()
    assert (request.method, request.path, request.body) == ("POST", "/some/path", b"hello")
    assert request.headers["host"] == "here"
    assert not request.too_large
    exchange.answer(HTTPStatus.ACCEPTED, OK, {"X-Own": "1"})
    exchange.answer(HTTPStatus.NOT_FOUND, b"{}")  # the first one counts
    status, headers, body = await peer.answer()
    assert (status, body, headers["x-own"]) == (202, OK, "1")
    assert headers["content-type"] == "application/json"
    peer.send("GET /again")
    assert (await desk.next())[0].path == "/again"


async def test_requests_on_one_connection_are_handled_one_after_the_other(
    desk: Desk, peer: Peer
) -> None:
    peer.send("GET /one")
    peer.send("GET /two")
    _, first = await desk.next()
    assert desk.requests.empty()
    first.answer(HTTPStatus.OK, OK)
    request, second = await desk.next()
    assert request.path == "/two"
    second.answer(HTTPStatus.OK, OK)
    assert [(await peer.answer())[0] for _ in range(2)] == [200, 200]


async def test_answers_to_what_came_in_one_piece_go_out_in_one(
    desk: Desk, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handle(request: Request, exchange: Exchange) -> None:
        if request.path != "/later":
            exchange.answer(HTTPStatus.OK, OK)
        desk.requests.put_nowait((request, exchange))

    desk.server.handler = handle
    peer.send("GET /first")
    await peer.answer()
    (connection,) = desk.server.connections
    written: list[bytes] = []
    assert connection._transport is not None
    monkeypatch.setattr(connection._transport, "write", written.append)
    connection.data_received(
        b"POST /one HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n{}"
        b"GET /two HTTP/1.1\r\nHost: here\r\n\r\n"
        b"GET /later HTTP/1.1\r\nHost: here\r\n\r\n"
    )
    assert [sent.count(OK) for sent in written] == [2]
    exchange = [await desk.next() for _ in range(4)][-1][1]
    exchange.answer(HTTPStatus.OK, OK)
    assert [sent.count(OK) for sent in written] == [2, 1]


async def test_who_takes_no_answers_is_given_no_more_of_them(desk: Desk, peer: Peer) -> None:
    large = b" " * (32 << 20)
    peer.send("GET /large")
    peer.send("GET /next")
    _, exchange = await desk.next()
    exchange.answer(HTTPStatus.OK, large)
    for _ in range(9):  # turns of the loop, in which the next one would be handled
        await asyncio.sleep(0)
    assert desk.requests.empty()
    assert (await peer.answer())[2] == large
    request, exchange = await desk.next()
    assert request.path == "/next"
    exchange.answer(HTTPStatus.OK, OK)
    assert (await peer.answer())[2] == OK


async def test_what_was_answered_is_heard_before_a_refusal(desk: Desk, peer: Peer) -> None:
    desk.server.handler = lambda _, exchange: exchange.answer(HTTPStatus.OK, OK)
    peer.writer.write(b"GET /one HTTP/1.1\r\nHost: here\r\n\r\nno HTTP at all\r\n\r\n")
    assert await peer.answer() == (200, ANY, OK)
    assert (await peer.answer())[0] == 400
    assert await peer.closed()


async def test_the_gate_sees_the_head_and_refuses_before_the_body_comes(
    desk: Desk, peer: Peer
) -> None:
    desk.refusal = b'{"errorType":"Forbidden"}'
    peer.writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5000\r\n\r\n")
    assert (await peer.answer())[::2] == (403, desk.refusal)
    assert await peer.closed()
    assert desk.requests.empty()
    assert [head.body for head in desk.heads] == [b""]


async def test_a_body_over_the_limit_is_read_away_and_the_connection_stays(
    desk: Desk, peer: Peer
) -> None:
    for size, too_large in ((100, False), (101, True), (5, False)):
        peer.send("POST /", b"x" * size)
        request, exchange = await desk.next()
        assert (request.too_large, len(request.body)) == (too_large, 0 if too_large else size)
        exchange.answer(HTTPStatus.OK, OK)
        await peer.answer()


async def test_a_body_without_end_is_hung_up_on(
    desk: Desk, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_DISCARDED", 1000)
    peer.send("POST /", b"x" * 1001)
    assert await peer.closed()
    assert desk.requests.empty()


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_not_for_here(desk: Desk, peer: Peer, method: str) -> None:
    peer.send(f"{method} /")
    assert (await peer.line()).startswith(b"HTTP/1.1 405")
    assert desk.heads == []


async def test_a_head_that_is_too_large_is_refused_though_it_came_at_once(
    desk: Desk, peer: Peer
) -> None:
    peer.writer.write(b"GET / HTTP/1.1\r\nHost: here\r\nX: " + b"a" * MAX_HEAD + b"\r\n\r\n")
    assert (await peer.line()).startswith(b"HTTP/1.1 431")
    assert desk.heads == []


async def test_a_handler_that_raises_is_answered_for(desk: Desk, peer: Peer) -> None:
    desk.error = RuntimeError("a defect")
    peer.send("GET /")
    assert (await peer.answer())[0] == 500
    desk.error = None
    peer.send("GET /")
    await desk.next()


async def test_who_hangs_up_before_the_answer_is_known(desk: Desk, peer: Peer) -> None:
    peer.send("GET /")
    _, exchange = await desk.next()
    gone = asyncio.Event()
    exchange.on_disconnect = gone.set
    peer.writer.close()
    async with asyncio.timeout(DEADLINE):
        await gone.wait()
    exchange.answer(HTTPStatus.OK, OK)  # it goes nowhere


async def test_an_exchange_can_be_hung_up(desk: Desk, peer: Peer) -> None:
    peer.send("GET /")
    _, exchange = await desk.next()
    exchange.on_disconnect = lambda: pytest.fail("it was us")
    exchange.hang_up()
    exchange.hang_up()
    assert await peer.closed()


async def test_a_request_must_come_in_time_and_an_answer_need_not(
    desk: Desk, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REQUEST_TIMEOUT", 0.05)
    slow = await desk.connect()
    slow.writer.write(b"GET / HTTP/1.1\r\n")
    peer.send("GET /")
    _, exchange = await desk.next()
    assert await slow.closed()
    slow.writer.close()
    exchange.answer(HTTPStatus.OK, OK)
    assert (await peer.answer())[0] == 200


async def test_of_too_many_strangers_the_oldest_goes_and_who_has_asked_is_none(
    desk: Desk, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_STRANGERS", 2)
    peer.send("GET /")
    _, exchange = await desk.next()
    strangers = [await desk.connect() for _ in range(3)]
    assert await strangers[0].closed()
    exchange.answer(HTTPStatus.OK, OK)
    assert (await peer.answer())[0] == 200
    strangers[1].send("GET /")
    await desk.next()
    for stranger in strangers:
        stranger.writer.close()


async def test_closing_hangs_up_on_everybody_and_twice_is_harmless(desk: Desk, peer: Peer) -> None:
    peer.send("GET /")
    await desk.next()
    await desk.server.close()
    await desk.server.close()
    assert await peer.closed()


async def test_an_answer_may_come_in_pieces_and_another_request_follows(
    desk: Desk, peer: Peer
) -> None:
    peer.send("GET /events?run=1")
    request, exchange = await desk.next()
    assert (request.path, request.query) == ("/events", "run=1")
    exchange.begin({"Content-Type": "text/event-stream"})
    exchange.write(b"one")
    assert exchange.unsent == 0
    while await peer.line() != b"\r\n":
        pass
    assert [await peer.line(), await peer.line()] == [b"3\r\n", b"one\r\n"]
    exchange.write(b"two")
    exchange.end()
    exchange.write(b"nothing more")
    assert [await peer.line() for _ in range(4)] == [b"3\r\n", b"two\r\n", b"0\r\n", b"\r\n"]
    peer.send("GET /")
    _, exchange = await desk.next()
    exchange.answer(HTTPStatus.OK, OK)
    assert (await peer.answer())[0] == 200


async def test_who_hangs_up_while_pieces_come_is_told_of(desk: Desk, peer: Peer) -> None:
    peer.send("GET /")
    _, exchange = await desk.next()
    gone = asyncio.Event()
    exchange.on_disconnect = gone.set
    exchange.begin({})
    peer.writer.close()
    await asyncio.wait_for(gone.wait(), DEADLINE)
    exchange.write(b"to nobody")
    exchange.end()
    assert exchange.hung_up
    assert exchange.unsent == 0


async def test_a_refusal_has_its_status_and_its_headers() -> None:
    refusal = Refusal(HTTPStatus.SEE_OTHER, b"", {"Location": "/"})
    server = HttpServer(lambda _: refusal, lambda *_: None, max_body=1, methods=("PUT",))
    await server.start()
    try:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", server.port))
        peer.send("PUT /")
        status, headers, _ = await peer.answer()
        assert (status, headers["location"], headers["connection"]) == (303, "/", "close")
        peer = Peer(*await asyncio.open_connection("127.0.0.1", server.port))
        peer.send("GET /")
        assert (await peer.answer())[0] == 405
    finally:
        await server.close()
