from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.client import RuntimeApiGone, RuntimeClient
from runner.wire import Wire

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        yield listening


def connected(server: socket.socket) -> tuple[Wire, socket.socket]:
    wire = Wire(server.getsockname())
    wire.connect()
    return wire, server.accept()[0]


def descriptor(wire: Wire) -> int:
    assert wire._socket is not None
    return wire._socket.fileno()


def test_its_descriptor_is_not_one_that_the_users_first_file_would_get() -> None:
    wire = Wire(("127.0.0.1", 1))
    assert descriptor(wire) >= 240
    assert not os.get_inheritable(descriptor(wire))
    wire.close()


def test_a_default_timeout_does_not_concern_it(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", None)
    socket.setdefaulttimeout(0.001)
    try:
        wire = Wire(server.getsockname())
    finally:
        socket.setdefaulttimeout(None)
    assert wire._socket is not None
    assert wire._socket.gettimeout() is None
    wire.close()


def test_what_took_its_descriptor_is_neither_written_to_nor_closed(
    server: socket.socket, tmp_path: Path
) -> None:
    wire, peer = connected(server)
    number, theirs = descriptor(wire), os.open(tmp_path / "theirs", os.O_CREAT | os.O_RDWR)
    os.dup2(theirs, number)
    with pytest.raises(ConnectionAbortedError):
        wire.send(b"secret")
    wire.close()
    assert os.read(number, 10) == b""
    os.close(number)
    os.close(theirs)
    peer.close()


def test_another_socket_on_its_descriptor_is_told_from_its_own(server: socket.socket) -> None:
    wire, peer = connected(server)
    number = descriptor(wire)
    mine, theirs = socket.socketpair()
    os.dup2(theirs.fileno(), number)
    with pytest.raises(ConnectionAbortedError):
        wire.receive()
    wire.connect()
    again = server.accept()[0]
    wire.send(b"hello")
    assert again.recv(5) == b"hello"
    mine.setblocking(False)
    with pytest.raises(BlockingIOError):
        mine.recv(5)
    os.close(number)
    wire.close()
    for each in (mine, theirs, again, peer):
        each.close()


@pytest.mark.parametrize("when", ["before the first request", "between two"])
def test_a_client_whose_descriptor_was_closed_connects_again(
    server: socket.socket, when: str
) -> None:
    client = RuntimeClient(f"127.0.0.1:{server.getsockname()[1]}/token")
    kept = _serve_one(client, server) if when == "between two" else None
    os.close(descriptor(client._wire))
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
