"""The runner's own connection, which what the user's code does to sockets must not reach.

The socket is made before that code is loaded, of the C type that cannot be patched, on a descriptor
that programs do not count up to, and with a timeout of its own: `socket.setdefaulttimeout`, the
patches of gevent, a full table of descriptors and `os.closerange` do not concern it. One that was
closed all the same is noticed, as its descriptor may be somebody else's by then, and made anew.
"""

from __future__ import annotations

import _socket
import os
import stat

try:
    from fcntl import F_DUPFD_CLOEXEC as _DUP
    from fcntl import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None  # type: ignore[assignment]

_HIGH = (1000, 240)
"""The least descriptor that is asked for; limits are 1024 at most, or 256, where they are old."""
_NO_SIGNAL: int = getattr(_socket, "MSG_NOSIGNAL", 0)
"""A peer that went away is an error, whatever the user's code has made of SIGPIPE."""
_fstat, _is_socket = os.fstat, stat.S_ISSOCK


class Wire:
    """A TCP connection to `peer`, made when it is needed and kept."""

    def __init__(self, peer: tuple[str, int]) -> None:
        self._peer = peer
        self._socket: _socket.socket | None = None
        self._identity: tuple[int, int] | None = None
        self.connected = False
        self._open()

    def connect(self) -> None:
        """Connect to the peer.

        Raises:
            OSError: nobody listens there, or there is no descriptor left.
        """
        if not self._is_ours():
            self._open()
        ours = self._checked()
        ours.connect(self._peer)
        ours.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.connected = True

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: the peer went away, or somebody here has closed the descriptor.
        """
        self._checked().sendall(data, _NO_SIGNAL)

    def receive(self) -> bytes:
        """What comes next.

        Raises:
            OSError: the peer hung up, or somebody here has closed the descriptor.
        """
        data = self._checked().recv(1 << 18)
        if not data:
            raise ConnectionResetError("connection closed by the peer")
        return data

    def close(self) -> None:
        """Hang up. A later `connect` begins anew."""
        ours, self.connected = self._is_ours(), False
        if self._socket is not None:
            if ours:
                self._socket.close()
            else:
                self._socket.detach()  # the number is not ours to close
            self._socket = None

    def _open(self) -> None:
        if self._socket is not None:
            self.close()
        made = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        for least in _HIGH if _fcntl is not None else ():
            try:
                descriptor = _fcntl(made.fileno(), _DUP, least)
            except OSError:
                continue
            made.close()
            made = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, fileno=descriptor)
            break
        made.settimeout(None)  # the default is the user's
        found = _fstat(made.fileno())
        self._socket, self._identity = made, (found.st_dev, found.st_ino)

    def _checked(self) -> _socket.socket:
        if self._socket is None or not self._is_ours():
            raise ConnectionAbortedError("the descriptor was closed")
        return self._socket

    def _is_ours(self) -> bool:
        if self._socket is None:
            return False
        try:
            found = _fstat(self._socket.fileno())
        except OSError:
            return False
        return _is_socket(found.st_mode) and (found.st_dev, found.st_ino) == self._identity
