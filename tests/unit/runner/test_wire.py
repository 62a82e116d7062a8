from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.wire import Wire


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
