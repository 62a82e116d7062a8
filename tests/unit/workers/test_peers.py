from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from devbridge.workers import peers
from devbridge.workers.peers import is_own

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/net/tcp")


@linux
def test_a_connection_of_this_user_is_known() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server, socket.create_connection(server.getsockname()):
        accepted, peer = server.accept()
        with accepted:
            assert is_own(peer, accepted.getsockname())
            assert not is_own((peer[0], peer[1] ^ 1), accepted.getsockname())


@linux
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
def test_a_connection_of_another_user_is_not_ones_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        if (other := os.fork()) == 0:
            os.setuid(65534)
            socket.create_connection(server.getsockname()).recv(1)
            os._exit(0)
        accepted, peer = server.accept()
        with accepted:
            assert not is_own(peer, accepted.getsockname())
        assert os.waitpid(other, 0)[1] == 0


def test_where_it_cannot_be_known_nobody_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(peers, "_CONNECTIONS", tmp_path / "none")
    assert not is_own(("127.0.0.1", 1), ("127.0.0.1", 2))
