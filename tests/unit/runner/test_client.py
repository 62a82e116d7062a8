from __future__ import annotations

import itertools
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.client import RuntimeApiGone, RuntimeClient

pytestmark = pytest.mark.timeout(60)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

FAILURE = {"errorType": "Bäd  E"}


class Wire:
    """Stands for the connection: what was sent, and what comes in which pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.sent: list[bytes] = []
        self.pieces = list(pieces)
        self.connected = False
        self.closed = 0

    def connect(self) -> None:
        self.connected = True

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def receive(self) -> bytes:
        if not self.pieces:
            raise ConnectionResetError
        return self.pieces.pop(0)

    def close(self) -> None:
        self.connected = False
        self.closed += 1


def over(*pieces: bytes, address: str = "127.0.0.1:99/token") -> tuple[RuntimeClient, Wire]:
    client, wire = RuntimeClient(address), Wire(*pieces)
    client._wire.close()
    client._wire = wire  # type: ignore[assignment]
    return client, wire


NEXT = (
    b'HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id:  run-1 \r\nContent-Length: 7\r\n\r\n{"a":1}'
)


def test_next_is_asked_below_the_workers_own_path() -> None:
    client, wire = over(NEXT)
    headers, body = client.next()
    assert headers["lambda-runtime-aws-request-id"] == "run-1"
    assert body == b'{"a":1}'
    assert wire.sent == [
        b"GET /token/2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:99\r\n\r\n"
    ]


@pytest.mark.parametrize(
    ("address", "peer", "path"),
    [
        ("127.0.0.1:99/a/b", ("127.0.0.1", 99), b"GET /a/b/2018"),
        ("127.0.0.1:99", ("127.0.0.1", 99), b"GET /2018"),
        ("localhost", ("localhost", 80), b"GET /2018"),
    ],
)
def test_an_address_may_have_a_port_and_a_path(
    address: str, peer: tuple[str, int], path: bytes
) -> None:
    real = RuntimeClient(address)
    assert real._wire._peer == peer
    real.close()
    client, wire = over(NEXT, address=address)
    client.next()
    assert wire.sent[0].startswith(path)


@settings(max_examples=40)
@given(st.lists(st.integers(0, len(NEXT)), max_size=6))
def test_an_answer_is_read_wherever_the_network_cuts_it(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(NEXT)]
    pieces = [NEXT[a:b] for a, b in itertools.pairwise(edges)]
    assert over(*pieces)[0].next()[1] == b'{"a":1}'


def test_an_answer_in_chunks_is_put_together() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b'3;x=y\r\n{"a\r\n4\r\n":1}\r\n0\r\nTrailer: x\r\n\r\n'
    )
    assert over(chunked)[0].next()[1] == b'{"a":1}'


def test_an_answer_without_a_length_is_empty() -> None:
    assert over(b"HTTP/1.1 200 OK\r\n\r\n")[0].next()[1] == b""


def test_any_other_status_is_the_end() -> None:
    client, _ = over(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    with pytest.raises(RuntimeApiGone, match="answered 403 to `next`: b'no'"):
        client.next()


def test_a_connection_that_the_peer_closes_is_not_used_again() -> None:
    closing = b"HTTP/1.1 202 Accepted\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"
    client, wire = over(closing, ANSWER)
    assert client.respond("run-1", b"5") == 202
    assert (wire.connected, wire.closed) == (False, 1)
    assert client.respond("run-1", b"5") == 200
    assert (wire.connected, wire.closed) == (True, 1)


def posted(wire: Wire) -> tuple[str, dict[str, str], bytes]:
    (request,) = wire.sent
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize(
    ("say", "path", "body"),
    [
        (lambda c: c.respond("r", b"5"), "runtime/invocation/r/response", 5),
        (lambda c: c.fail("r", FAILURE), "runtime/invocation/r/error", {"errorType": "Bäd  E"}),
        (lambda c: c.fail_init(FAILURE), "runtime/init/error", {"errorType": "Bäd  E"}),
        (lambda c: c.report_modules({"a": []}), "devbridge/modules", {"a": []}),
        (lambda c: c.report_lookup("NAME"), "devbridge/lookup", "NAME"),
        (lambda c: c.report_lingering(["a"]), "devbridge/lingering", ["a"]),
    ],
)
def test_what_is_told_is_json_of_a_length_at_its_place(
    say: Callable[[RuntimeClient], int], path: str, body: Any
) -> None:
    client, wire = over(ANSWER)
    assert say(client) == 200
    first, headers, sent = posted(wire)
    assert first == f"POST /token/2018-06-01/{path} HTTP/1.1"
    assert json.loads(sent) == body
    assert headers["Content-Length"] == str(len(sent))
    assert headers["Content-Type"] == "application/json"
    named = headers.get("Lambda-Runtime-Function-Error-Type")
    assert named == ("B?d E" if isinstance(body, dict) and "errorType" in body else None)


def test_a_request_is_sent_again_over_a_new_connection_and_not_for_ever() -> None:
    client, wire = over()
    with pytest.raises(RuntimeApiGone, match=r"the runtime api at 127\.0\.0\.1:99"):
        client.next()
    assert len(wire.sent) == 3
    assert not wire.connected


# --- over a real socket -------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        yield listening


@pytest.mark.parametrize("when", ["before the first request", "between two"])
def test_a_client_whose_descriptor_was_closed_connects_again(
    server: socket.socket, when: str
) -> None:
    client = RuntimeClient(f"127.0.0.1:{server.getsockname()[1]}/token")
    kept = _serve_one(client, server) if when == "between two" else None
    assert client._wire._socket is not None
    os.close(client._wire._socket.fileno())
    _serve_one(client, server, kept).close()
    client.close()


def test_a_client_whom_nobody_answers_gives_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = RuntimeClient(f"127.0.0.1:{port}/token")
    with pytest.raises(RuntimeApiGone):
        client.next()


def test_a_client_on_whom_the_api_hangs_up_gives_up_after_some_connections(
    server: socket.socket,
) -> None:
    accepted = []

    def hang_up() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.close()
            accepted.append(1)

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(RuntimeApiGone):
        RuntimeClient(f"127.0.0.1:{server.getsockname()[1]}/token").next()
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert 1 <= len(accepted) <= 3


def _serve_one(
    client: RuntimeClient, server: socket.socket, kept: socket.socket | None = None
) -> socket.socket:
    """One request, on the connection that was kept or on a new one, which is kept."""
    found: list[socket.socket] = []

    def serve() -> None:
        connection = kept or server.accept()[0]
        if not connection.recv(65536):
            connection.close()
            connection = server.accept()[0]
            connection.recv(65536)
        connection.sendall(ANSWER)
        found.append(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    assert client.report_modules({}) == 200
    thread.join()
    return found[0]


def test_an_answer_and_the_next_request_are_one_round_trip() -> None:
    client, wire = over(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok" + NEXT)
    headers, body = client.respond_and_next("run-0", b"[1]")
    assert (headers["lambda-runtime-aws-request-id"], body) == ("run-1", b'{"a":1}')
    (sent,) = wire.sent
    post, get = sent.split(b"[1]")
    assert post.startswith(b"POST /token/2018-06-01/runtime/invocation/run-0/response HTTP/1.1")
    assert get.startswith(b"GET /token/2018-06-01/runtime/invocation/next HTTP/1.1")


def test_what_was_imported_and_the_first_request_are_one_round_trip() -> None:
    client, wire = over(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" + NEXT)
    headers, body = client.report_modules_and_next({"userFiles": []})
    assert (headers["lambda-runtime-aws-request-id"], body) == ("run-1", b'{"a":1}')
    (sent,) = wire.sent
    post, get = sent.split(b'{"userFiles": []}')
    assert post.startswith(b"POST /token/2018-06-01/devbridge/modules HTTP/1.1")
    assert get.startswith(b"GET /token/2018-06-01/runtime/invocation/next HTTP/1.1")


def test_both_are_sent_again_over_a_new_connection() -> None:
    client, wire = over(b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(RuntimeApiGone):
        client.respond_and_next("run-0", b"[1]")
    assert len(wire.sent) > 1
    assert len(set(wire.sent)) == 1
