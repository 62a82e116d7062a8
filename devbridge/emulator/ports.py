"""TCP ports on loopback that are free."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """A port that nobody uses now.

    Below those that the system gives to outgoing connections: one of them could take it while the
    cloud is down, and who dials such a port while nobody listens can be connected to itself.
    """
    while True:
        port = random.randrange(10_000, 32_000)  # noqa: S311
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether 127.0.0.1:`port` could be bound, and nobody answers there."""
    with socket.socket() as client:
        client.settimeout(1.0)
        if client.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        # A connection of a server that has ended (TIME_WAIT) does not make its port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
